"""`holdfast demo`: a bot trading on a local exchange, in one window.

Not here: the demo (app.demo).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED

if TYPE_CHECKING:
    from holdfast.app.demo.home import P
    from holdfast.app.demo.run import Wanted


def demo(
    *,
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds to trade; otherwise until q or Ctrl-C.")
    ] = None,
    kill_leader_every: Annotated[
        float | None,
        typer.Option("--kill-leader-every", min=0.1, help="Seconds between kill -9 of the leader."),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No screen: progress on stderr.")
    ] = False,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where it keeps everything, to go on from there.")
    ] = Path(".holdfast/demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what is there.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of the invented market.", show_default=False)
    ] = None,
    dashboard: Annotated[
        bool, typer.Option(help="Serve the dashboard at http://127.0.0.1:8080 as well.")
    ] = True,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout; no screen.")
    ] = False,
) -> None:
    """Trade on a local exchange with two bots, and check every order against its ledger.

    Nothing leaves this machine. Keys: k kill the leader, p pause it, r lose a reply, h halt, o open
    the dashboard, q quit. Exit code 1 when an order was doubled, lost or left unresolved.

    Example: holdfast demo --duration 20 --kill-leader-every 5 --json
    """
    # The demo takes a moment to import, and `--help` needs none of it.
    from holdfast.app.demo.plan import DemoPlan, demo_plan  # noqa: PLC0415
    from holdfast.app.demo.run import Wanted  # noqa: PLC0415

    wanted = Wanted(
        directory=directory,
        fresh=fresh,
        duration_s=duration,
        kill_every_s=kill_leader_every,
        dashboard=dashboard,
        opens=dashboard and not (headless or json),
    )
    show_run(
        wanted, DemoPlan, partial(demo_plan, seed=seed), on_screen=not (headless or json), json=json
    )


def show_run(
    wanted: Wanted,
    kind: type[P],
    choose: Callable[[P | None], P],
    *,
    on_screen: bool,
    json: bool,
) -> None:
    """Run a plan, show it meanwhile, and tell how it ended; exit code 1 when an order went wrong.

    Args:
        kind, choose: what runs, see `app.demo.home.open_home`.
        on_screen: where there is a terminal; otherwise progress is told on stderr.
        json: the end as one JSON document.
    """
    from holdfast.app.demo.run import run_plan, sentences  # noqa: PLC0415
    from holdfast.app.demo.signals import obey_signals  # noqa: PLC0415
    from holdfast.app.demo.terminal import is_interactive  # noqa: PLC0415

    if on_screen and is_interactive():
        from holdfast.app.demo.display import show_screen  # noqa: PLC0415  # imports Rich

        summary = asyncio.run(run_plan(wanted, kind, choose, _ignore, show_screen))
    else:
        summary = asyncio.run(run_plan(wanted, kind, choose, _Progress(), obey_signals))
    if json:
        emit(summary)
    else:
        for line in sentences(summary):
            typer.echo(line)
    if not summary.is_green:
        raise typer.Exit(EXIT_FAILED)


def _ignore(_text: str) -> None:
    """The screen says it already."""


class _Progress:
    """One line on stderr for each thing that happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def __call__(self, text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began_s:6.1f} s  {text}{os.linesep}")
        sys.stderr.flush()
