"""The options that say which account is meant, shared by the verbs that look at one.

Not here: reading it (app.live.operator).
"""

from __future__ import annotations

import getpass
import os
from typing import Annotated

import typer

from holdfast.config import load

ACCOUNT = Annotated[
    str | None, typer.Option(help="Its name; otherwise the configuration's.", show_default=False)
]
JSON = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def account_name(name: str | None) -> str:
    """The account that `--account`, or else the configuration, names."""
    return name if name is not None else load().account.name


def operator() -> str:
    """Who is asking, for the journal."""
    try:
        return f"{getpass.getuser()}@{os.uname().nodename}"
    except (KeyError, OSError):  # no such user in the system's list
        return f"uid {os.getuid()}@{os.uname().nodename}"
