"""`holdfast doctor`: look an installation over before it trades.

Not here: what is looked at (app.live.doctor).
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from holdfast.cli.account import ACCOUNT, CONFIG, JSON, account_name
from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.errors import EXIT_FAILED, ConfigError


def doctor(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the exchange as well, with the account's key.")
    ] = False,
    config: CONFIG = None,
    account: ACCOUNT = None,
    json: JSON = False,
) -> None:
    """Check configuration and journal, and with --live the key, clock, rates, symbols and whether
    something else trades the account. Exit code 1 when trading like this is not advised.

    Nothing is changed, and no order is sent. Example: holdfast doctor --live
    """
    from holdfast.app.live.doctor import Grade, examine  # noqa: PLC0415  # --help needs no venue

    loaded = load(config)
    names = [one.name for one in loaded.all_accounts]
    name = account or (names[0] if len(names) == 1 else account_name(account))
    if name not in names:
        raise ConfigError(
            f"seen: no account {name!r} in the configuration; expected: one of "
            f"{', '.join(names)}; do: correct the name"
        )
    found = asyncio.run(examine(loaded.for_account(name), live=live))
    healthy = all(one.grade is not Grade.FAIL for one in found)
    if json:
        emit({"account": name, "ok": healthy, "checks": found})
    else:
        for one in found:
            typer.echo(f"{one.grade:<4}  {one.check}: {one.seen}")
            if one.do:
                typer.echo(f"      do: {one.do}")
    if not healthy:
        raise typer.Exit(EXIT_FAILED)
