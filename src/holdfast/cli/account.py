"""The options that say which account is meant, shared by the verbs that look at one.

Not here: reading it (app.live.operator).
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from holdfast.config import load
from holdfast.errors import ConfigError

ACCOUNT = Annotated[
    str | None, typer.Option(help="Its name; otherwise the configuration's.", show_default=False)
]
CONFIG = Annotated[
    Path | None, typer.Option(help="A TOML file (holdfast.toml).", show_default=False)
]
JSON = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def account_name(name: str | None) -> str:
    """The account that `--account`, or else the configuration, names."""
    if name is not None:
        return name
    names = [account.name for account in load().all_accounts]
    if len(names) > 1:
        raise ConfigError(
            f"seen: no --account, and a configuration of {len(names)}; expected: one of "
            f"{', '.join(names)}; do: name it with --account"
        )
    return names[0]


def operator() -> str:
    """Who is asking, for the journal."""
    try:
        return f"{getpass.getuser()}@{os.uname().nodename}"
    except (KeyError, OSError):  # no such user in the system's list
        return f"uid {os.getuid()}@{os.uname().nodename}"
