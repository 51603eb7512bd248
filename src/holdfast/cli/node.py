"""`holdfast node`: trade an account, supervised.

Not here: what a node does (app.live.node).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit


def node(
    *,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file (holdfast.toml).", show_default=False)
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout when it ends.")
    ] = False,
) -> None:
    """Trade the account of the configuration until SIGTERM or Ctrl-C. Logs go to stderr.

    Example: holdfast node --config holdfast.toml
    """
    from holdfast.app.live.crash import crash_point  # noqa: PLC0415  # the node's imports are heavy
    from holdfast.app.live.node import run_node  # noqa: PLC0415
    from holdfast.app.logs import begin_logs  # noqa: PLC0415
    from holdfast.config import load  # noqa: PLC0415

    loaded = load(config)
    begin_logs(loaded, "node")
    code = run_node(loaded, crash_point(), config)
    if json:
        emit({"exit_code": code})
    raise typer.Exit(code)
