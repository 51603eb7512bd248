"""`holdfast profile`: a flame graph of a process that runs.

Not here: how it is looked at (app.profiling).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.errors import ConfigError


def profile(
    *,
    pid: Annotated[
        int | None, typer.Option(min=1, help="A process and its children.", show_default=False)
    ] = None,
    node: Annotated[
        str | None,
        typer.Option(help="A node of this machine, with its accounts.", show_default=False),
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, max=300, help="For so long, 100 looks each.")] = 30,
    output: Annotated[
        Path | None,
        typer.Option(help="An SVG file (profile-WHAT-TIME.svg).", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file (holdfast.toml).", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Draw what a process spends its time with, without stopping it. Needs ENABLE_PROFILING=true.

    Example: ENABLE_PROFILING=true holdfast profile --node left --seconds 60
    """
    from holdfast.app.profiling import node_pid, record, require_allowed  # noqa: PLC0415

    if (pid is None) == (node is None):
        raise ConfigError("seen: both or none of --pid and --node; expected: one of them")
    require_allowed()
    if pid is None:
        pid = node_pid(load(config), str(node))
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    done = record(pid, seconds, output or Path(f"profile-{node or pid}-{now}.svg").absolute())
    if json:
        emit(done)
    else:
        typer.echo(f"{done.written}: process {pid}, {seconds} s")
