"""What a chat is answered that asks how things are.

From the same read model as the dashboard, so a user sees what is his. Not here: commands (desk).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from holdfast.api.ports import Reads
from holdfast.platform.identity.values import Principal

HELP: Final = (
    "/status – how all of it is\n"
    "/positions – what bots hold\n"
    "/pnl – what today and all days brought\n"
    "/halt [ACCOUNT|BOT] [entries|cancel|flatten] – stop at once; without a name, all that is "
    "yours\n"
    "/resume [ACCOUNT|BOT] – go on, once confirmed\n"
    "/drain BOT – take on nothing new\n"
    "/help – this"
)
_MOST_LINES: Final = 40


async def status(reads: Reads, who: Principal) -> str:
    """All of it in some lines."""
    found, bots = await reads.overview(who), await reads.bots(who)
    lines = [found.sentence] if found.accounts else []
    for one in found.accounts:
        halt = f", halted ({one.halt}): {one.reason or 'no reason given'}" if one.halt else ""
        doubt = f", {one.in_doubt} in doubt" if one.in_doubt else ""
        lines.append(
            f"{one.name}: led by {one.leader or 'nobody'}, equity {_money(one.equity)} "
            f"{one.reporting}{halt}{doubt}"
        )
    lines += [
        f"{bot.account}/{bot.name}: {bot.condition}" + (f" ({bot.reason})" if bot.reason else "")
        for bot in bots
    ]
    return _text(lines, "Nothing here is yours.")


async def positions(reads: Reads, who: Principal) -> str:
    """What bots hold."""
    return _text(
        (
            f"{one.account}/{one.bot}: {one.quantity} {one.symbol} at {one.average_price}, "
            f"now {_money(one.price)}, open {_money(one.unrealised, signed=True)}"
            for one in await reads.positions(who)
        ),
        "No open position.",
    )


async def pnl(reads: Reads, who: Principal) -> str:
    """What today and all days brought."""
    accounts = (
        f"{one.name}: {_money(one.day_pnl, signed=True)} {one.reporting} today, equity "
        f"{_money(one.equity)}"
        for one in await reads.accounts(who)
    )
    bots = (
        f"{one.account}/{one.name}: {_money(one.day_pnl, signed=True)} {one.quote} today, "
        f"{_money(one.pnl, signed=True)} in all"
        for one in await reads.bots(who)
    )
    return _text([*accounts, *bots], "Nothing here is yours.")


def _text(lines: Iterable[str], nothing: str) -> str:
    found = list(lines)
    if len(found) > _MOST_LINES:
        found = [*found[:_MOST_LINES], f"and {len(found) - _MOST_LINES} more"]
    return "\n".join(found) or nothing


def _money(amount: str | None, *, signed: bool = False) -> str:
    if amount is None:
        return "unknown"
    return f"{Decimal(amount):+.2f}" if signed else f"{Decimal(amount):.2f}"
