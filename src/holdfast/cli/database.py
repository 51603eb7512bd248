"""The `--database` option that several verbs share.

Not here: the rules of an address (holdfast.config).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.config import load, sqlite_path
from holdfast.errors import ConfigError

DATABASE = Annotated[
    str | None,
    typer.Option(
        help="sqlite:///path; otherwise the configuration's (DATABASE_URL, holdfast.toml)."
    ),
]


def database_path(url: str | None) -> Path:
    """The journal file that `--database`, or else the configuration, names.

    Raises:
        ConfigError: the address is not one of a SQLite file.
    """
    if url is None:
        return load().journal_path
    try:
        return sqlite_path(url)
    except ValueError as error:
        raise ConfigError(f"seen: --database: {error}") from error
