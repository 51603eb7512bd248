"""`holdfast halt` and `holdfast resume`: stop new exposure, durably, and lift it again.

Not here: what a halt stops (engine).
"""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.domain.fact import HaltLevel

BOT = Annotated[str, typer.Option(help="One bot; otherwise the whole account.")]
WAIT = Annotated[float, typer.Option(min=0, help="Seconds to wait until it took effect.")]


def halt(
    *,
    level: Annotated[
        HaltLevel, typer.Option(help="entries: nothing that adds exposure; exits go on.")
    ] = HaltLevel.ENTRIES,
    reason: Annotated[str, typer.Option(help="Kept in the journal.")] = "",
    bot: BOT = "",
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Stop opening and adding to positions; it survives restarts, until `holdfast resume`.

    Example: holdfast halt --reason "the exchange announced maintenance"
    """
    arguments = {"level": level.value, "reason": reason, "bot": bot}
    _ask("halt", arguments, wait, account, database, json=json)


def resume(
    *,
    bot: BOT = "",
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Lift a halt. Example: holdfast resume"""
    _ask("resume", {"bot": bot}, wait, account, database, json=json)


def _ask(
    name: str,
    arguments: dict[str, str],
    wait_s: float,
    account: str | None,
    database: str | None,
    *,
    json: bool,
) -> None:
    from holdfast.app.live.operator import ask  # noqa: PLC0415  # --help needs no journal

    given = {key: value for key, value in arguments.items() if value}
    seq = ask(
        database_of(database), account_name(account), name, given, by=operator(), wait_s=wait_s
    )
    if json:
        emit({"command": name, "arguments": given, "seq": seq})
    else:
        typer.echo(f"{name}: took effect at record {seq}")
