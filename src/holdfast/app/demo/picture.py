"""The picture: all that one refresh of the screen shows, as plain values.

Lives here: drawing it up from the replica, the prices and the last check. Not here: how it looks
(screen).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any

import msgspec

from holdfast.app.demo.audit import Audit
from holdfast.app.demo.replica import Replica
from holdfast.app.demo.told import Attempt, Phase
from holdfast.app.live.leadership import Takeover
from holdfast.app.live.operator import symbols_of
from holdfast.app.view.sentence import Situation, Tone, count
from holdfast.app.view.sentence import say as say_of_trading
from holdfast.domain.money import ZERO
from holdfast.ledger.state import AccountState, BotState

LATEST = 60


class Mood(Enum):
    """How the one sentence is meant."""

    GOOD = "good"
    BUSY = "busy"
    BAD = "bad"


_MOODS = {Tone.GOOD: Mood.GOOD, Tone.ATTENTION: Mood.BUSY, Tone.BAD: Mood.BAD}


class BotLine(msgspec.Struct, frozen=True):
    """One symbol of a bot, which only its first line names; `pnl` in quote units, None without a
    price."""

    name: str
    strategy: str
    symbol: str
    position: Decimal
    pnl: Decimal | None
    state: str


class OrderLine(msgspec.Struct, frozen=True):
    """One attempt; `price` is the average of its fills, or else its limit, or None."""

    at_ns: int
    bot: str
    side: str
    quantity: Decimal
    symbol: str
    price: Decimal | None
    phase: Phase


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What the screen shows.

    Attributes:
        equity: reporting units; None while a price is missing.
        series: equity over time, oldest first, one value a second.
        day_pnl: since 00:00 UTC, or since the demo began if that is later.
        exposure: reporting units of all coins held.
        latest: newest first.
        checked_ns: wall time of `check`, 0 before the first.
        failovers: of this run.
        note: what the last key did, for a while.
    """

    elapsed_s: float
    url: str
    dashboard: str
    verb: str
    market: str
    sentence: str
    mood: Mood
    reporting: str
    equity: Decimal | None
    series: Sequence[float]
    day_pnl: Decimal
    exposure: Decimal
    bots: Sequence[BotLine]
    phases: dict[Phase, int]
    latest: Sequence[OrderLine]
    check: Audit | None
    checked_ns: int
    seq: int
    epoch: int
    failovers: Sequence[Takeover]
    halted: str
    note: str


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What the run knows of this moment beside the journal.

    Attributes:
        dashboard: where it is; empty while there is none.
        down_s: since the leader was killed, None while there is one.
        paused_s: until the leader goes on, 0 when it is not paused.
        doubt_s: since the oldest doubt was armed, 0 without one.
        ending: the demo is on its way out.
    """

    elapsed_s: float
    url: str
    dashboard: str = ""
    verb: str
    market: str
    marks: dict[str, Decimal]
    price_age_s: float | None
    series: Sequence[float]
    check: Audit | None
    checked_ns: int
    down_s: float | None
    paused_s: float
    doubt_s: float
    ending: bool
    note: str


def draw(replica: Replica, at: Moment) -> Picture:
    """The picture of this moment."""
    state = replica.state
    equity = state.equity(at.marks)
    sentence, mood = say(replica, at)
    exposure = sum(
        (
            amount * at.marks.get(asset, ZERO)
            for asset, amount in state.holdings.items()
            if asset != state.reporting
        ),
        ZERO,
    )
    return Picture(
        elapsed_s=at.elapsed_s,
        url=at.url,
        dashboard=at.dashboard,
        verb=at.verb,
        market=at.market,
        sentence=sentence,
        mood=mood,
        reporting=state.reporting,
        equity=equity,
        series=at.series,
        day_pnl=-state.units.day_loss(equity) if equity is not None else ZERO,
        exposure=exposure,
        bots=[
            line
            for name, bot in state.bots.items()
            for line in _bot_lines(name, bot, state, at.marks)
        ],
        phases={phase: replica.told.phases[phase] for phase in Phase},
        latest=[
            _order_line(one) for one in islice(reversed(replica.told.attempts.values()), LATEST)
        ],
        check=at.check,
        checked_ns=at.checked_ns,
        seq=state.seq,
        epoch=state.epoch,
        failovers=tuple(replica.failovers),
        halted=state.halted,
        note=at.note,
    )


def say(replica: Replica, at: Moment) -> tuple[str, Mood]:
    """The one sentence, about what matters most just now."""
    doubts = replica.told.phases[Phase.DOUBT]
    state = replica.state
    wrong = at.check.findings[0] if at.check is not None and at.check.findings else None
    if wrong is not None:
        return f"Something is wrong: {wrong.what}: {wrong.detail}.", Mood.BAD
    if at.ending:
        what = f"{count(doubts, 'doubt')} to settle" if doubts else "the last check"
        return f"Ending. No new entries; waiting for {what}.", Mood.BUSY
    if at.down_s is not None:
        return f"Leader killed {at.down_s:.1f} s ago. The next one is starting.", Mood.BUSY
    if at.paused_s > 0:
        return f"Leader paused, {at.paused_s:.1f} s to go. Nothing is sent meanwhile.", Mood.BUSY
    sentence, tone = say_of_trading(
        Situation(
            doubts=doubts,
            doubt_s=at.doubt_s,
            halt=state.halt_level if state.halted else None,
            why=state.halted,
            is_failing=state.in_maintenance or bool(state.breakers),
            bots=len(state.bots),
            price_age_s=at.price_age_s,
        )
    )
    return sentence, _MOODS[tone]


def _bot_lines(
    name: str, bot: BotState, state: AccountState, marks: dict[str, Decimal]
) -> Iterator[BotLine]:
    config: dict[str, Any] = msgspec.json.decode(bot.config) if bot.config else {}
    condition = "trading" if bot.running else "stopped"
    if bot.failed:
        condition = f"failed: {bot.failed}"
    elif bot.halted or state.halted:
        condition = "halted"
    told = (name, str(config.get("strategy", "")), condition)
    for symbol in symbols_of(bot) or ("",):
        position = bot.positions.get(symbol)
        mark = marks.get(symbol.partition("/")[0])
        pnl: Decimal | None = ZERO
        if position is not None:
            pnl = position.pnl(mark) if mark is not None else None
        yield BotLine(
            name=told[0],
            strategy=told[1],
            symbol=symbol,
            position=position.quantity if position is not None else ZERO,
            pnl=pnl,
            state=told[2],
        )
        told = ("", "", "")


def _order_line(attempt: Attempt) -> OrderLine:
    spec = attempt.armed.spec
    return OrderLine(
        at_ns=attempt.at_ns,
        bot=attempt.armed.bot,
        side=spec.side.value,
        quantity=spec.quantity,
        symbol=spec.symbol,
        price=attempt.value / attempt.booked if attempt.booked else spec.price,
        phase=attempt.phase,
    )
