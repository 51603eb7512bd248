"""The `--database` option that several verbs share.

Not here: the rules of an address (holdfast.config).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.config import load
from holdfast.config.database import check_database_url
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    from holdfast.app.database import Database

DATABASE = Annotated[
    str | None,
    typer.Option(
        help="sqlite:///path or postgresql://user@host/name; otherwise the configuration's "
        "(DATABASE_URL, holdfast.toml)."
    ),
]


def database_of(url: str | None, option: str = "--database") -> Database:
    """The journal that `--database`, or else the configuration, names; nothing is opened yet.

    Args:
        option: what the address was given with, for the error.

    Raises:
        ConfigError: the address is not one of a database that this program knows.
    """
    from holdfast.app.database import database_at  # noqa: PLC0415  # --help needs no journal

    if url is None:
        url = load().database_url
    try:
        check_database_url(url)
    except ValueError as error:
        seen, _, expected = str(error).partition(", expected ")
        raise ConfigError(
            f"seen: {option}: {seen}; expected: {expected}; do: correct it"
        ) from error
    if url.startswith("sqlite:"):  # what this host knows of a file lies beside it
        return database_at(url)
    config = load()
    return database_at(url, Path(config.state_dir), may_lose=config.may_lose_commits)
