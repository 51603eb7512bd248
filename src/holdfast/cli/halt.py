"""`holdfast halt` and `holdfast resume`: stop trading at a level, durably, and lift it again.

Not here: what a halt stops (engine).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.domain.fact import HaltLevel
from holdfast.errors import EXIT_FAILED, ConfigError, PlatformError

if TYPE_CHECKING:
    from holdfast.app.database import Database

BOT = Annotated[str, typer.Option(help="One bot; otherwise the whole account.")]
ALL = Annotated[bool, typer.Option("--all", help="Every account of the journal.")]
WAIT = Annotated[float, typer.Option(min=0, help="Seconds to wait until it took effect.")]


def halt(
    *,
    level: Annotated[
        HaltLevel,
        typer.Option(
            help="entries: nothing adds exposure, exits go on. cancel: nothing rests either but "
            "what protects a position. flatten: what bots hold is sold as well."
        ),
    ] = HaltLevel.ENTRIES,
    reason: Annotated[str, typer.Option(help="Kept in the journal.")] = "",
    bot: BOT = "",
    everything: ALL = False,
    emergency: Annotated[
        bool,
        typer.Option(
            "--emergency",
            help="With level flatten, while the journal is gone: ask the exchange from here.",
        ),
    ] = False,
    cap_pct: Annotated[
        float, typer.Option(min=0.01, max=50, help="How far below the market an emergency sells.")
    ] = 3.0,
    symbol: Annotated[
        list[str] | None,
        typer.Option(help="One more that an emergency sells; may be given several times."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before an emergency.")] = False,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Stop trading; it survives restarts, until `holdfast resume`, and can be given again.

    Example: holdfast halt --level cancel --reason "the exchange announced maintenance"
    """
    if emergency:
        if level is not HaltLevel.FLATTEN or bot or everything:
            raise ConfigError(
                "seen: --emergency; expected: --level flatten with it, of one account; do: add it, "
                "and leave --bot and --all out"
            )
        _emergency(account, symbol or (), reason, Decimal(str(cap_pct)), yes=yes, json=json)
        return
    if symbol:
        raise ConfigError(
            "seen: --symbol without --emergency; expected: both; do: leave it out, the journal "
            "knows what bots hold"
        )
    arguments = {"level": level.value, "reason": reason, "bot": bot}
    _ask("halt", arguments, wait, account, database, everything=everything, json=json)


def _emergency(
    account: str | None,
    named: Collection[str],
    reason: str,
    cap_pct: Decimal,
    *,
    yes: bool,
    json: bool,
) -> None:
    """Everything that the account holds in these symbols goes, whoever bought it."""
    from holdfast.app.live import emergency  # noqa: PLC0415  # --help needs none
    from holdfast.app.live.added import as_known_here  # noqa: PLC0415

    name = account_name(account)
    config = as_known_here(load()).for_account(name)
    symbols = emergency.symbols_to_flatten(config, named)
    if not yes:
        asked = f"Take {name}'s orders back and sell all that it has free, in {', '.join(symbols)}?"
        typer.confirm(asked, abort=True, err=True)
    left = asyncio.run(
        emergency.flatten_without_journal(
            config, symbols, by=operator(), why=reason, cap_pct=cap_pct,
            tell=partial(typer.echo, err=True),
        )
    )
    is_flat = all(quantity == 0 for quantity in left.values())
    if json:
        emit({"account": name, "left": left, "flat": is_flat})
    for symbol, quantity in left.items() if not json else ():
        typer.echo(f"{symbol}: {_left(quantity)}")
    if not is_flat:
        raise typer.Exit(EXIT_FAILED)


def _left(quantity: Decimal | None) -> str:
    if quantity is None:
        return "not looked at: the exchange does not list it"
    return f"{quantity.normalize():f} left, which nobody bought" if quantity else "sold"


def resume(
    *,
    bot: BOT = "",
    everything: ALL = False,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Lift a halt: a bot's own, or the account's. Example: holdfast resume"""
    _ask("resume", {"bot": bot}, wait, account, database, everything=everything, json=json)


def _ask(
    name: str,
    arguments: dict[str, str],
    wait_s: float,
    account: str | None,
    database: str | None,
    *,
    everything: bool,
    json: bool,
) -> None:
    from holdfast.app.live.operator import accounts_of, ask_all  # noqa: PLC0415  # --help needs none

    if everything and (account is not None or arguments["bot"]):
        raise ConfigError(
            "seen: --all together with --account or --bot; expected: one of them; do: leave the "
            "others out"
        )
    journal = database_of(database)
    accounts = accounts_of(journal) if everything else (account_name(account),)
    given = {key: value for key, value in arguments.items() if value}
    taken = ask_all(journal, accounts, name, given, by=operator(), wait_s=wait_s)
    if json and everything:
        emit({"command": name, "arguments": given, "seqs": taken})
    elif json:
        emit({"command": name, "arguments": given, "seq": taken[accounts[0]]})
    else:
        for one, seq in taken.items():
            typer.echo(f"{name} {one}: took effect at record {seq}")
            if name == "resume":
                for line in _still_halted(journal, one):
                    typer.echo(line)


def _still_halted(journal: Database, account: str) -> list[str]:
    """What stays halted there, a line for each, with how to resume it: a bot's own halt is lifted
    by its name alone, and none trades while its account is halted."""
    from holdfast.app.live.operator import account_state  # noqa: PLC0415  # as above

    try:
        state = account_state(journal, account)
    except PlatformError as error:  # it took effect, whatever cannot be read now
        return [f"{account}: what is halted still cannot be told: {error}"]
    halts = [("", state.halted), *((name, bot.halted) for name, bot in sorted(state.bots.items()))]
    return [
        f"{account}: {f'bot {bot}' if bot else 'the account'} is still halted ({reason}); do: "
        f"holdfast resume --account {account}{f' --bot {bot}' if bot else ''}"
        for bot, reason in halts
        if reason
    ]
