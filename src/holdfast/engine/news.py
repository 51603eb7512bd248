"""News from the journal: facts are folded, and it is noted which bots they concern.

Lives here: what was handed out for arming and what became of it. Not here: the fold itself
(ledger.fold), what the bots concerned still need (engine.step).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from holdfast.domain.action import Approved
from holdfast.domain.event import ArmFailed, Committed
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    CancelArmed,
    CommandTaken,
    Decided,
    Filled,
    Halted,
    Marked,
    OrderMoved,
    Refusal,
    RejectClosed,
    Rested,
    SignalReceived,
)
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.engine.marks import Marks
from holdfast.engine.rate import NS_PER_MINUTE, RateMeter
from holdfast.engine.situation import CANCEL_AGAIN_NS, LONGEST_WAIT_NS, SOON_NS, backoff_ns
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState

_SELL: Final = Side.SELL  # members of an enum are slow to look up on Python 3.11


class News:
    """What the journal told, and whom it concerns.

    Attributes:
        pending: orders handed out for arming and not yet in the journal, by intent id.
        account_rate, bot_rates: attempts armed in the last minute.
    """

    def __init__(
        self,
        account: AccountState,
        bots: Mapping[str, BotRuntime],
        marks: Marks,
        wake_at: Callable[[int], None],
    ) -> None:
        self.pending: dict[str, Approved] = {}
        self.account_rate = RateMeter(NS_PER_MINUTE)
        self.bot_rates = {name: RateMeter(NS_PER_MINUTE) for name in bots}
        self._account = account
        self._bots = bots
        self._marks = marks
        self._wake_at = wake_at
        self._concerned: dict[str, set[str]] = {}
        self._meaning: dict[type, Callable[[Any, int], None]] = {
            Armed: self._is_armed,
            Decided: self._is_decided,
            AttemptMoved: self._has_moved,
            OrderMoved: self._has_moved,
            RejectClosed: self._has_moved,
            Filled: self._is_filled,
            CancelArmed: self._is_cancel_armed,
            Halted: self._is_halted,
            Refusal: self._concern_nobody,
            Marked: self._concern_nobody,
            Rested: self._concern_nobody,
            CommandTaken: self._concern_nobody,
            SignalReceived: self._concern_nobody,
        }  # every other fact may concern every bot
        self.remember_rates()

    def take(self, event: Committed) -> None:
        """Fold a fact, and note the bots for which it may have changed something.

        Raises:
            CorruptionError: it contradicts the state.
        """
        account, fact, at_ns = self._account, event.fact, event.at_ns
        apply(account, event.seq, account.epoch, at_ns, fact)
        self._meaning.get(type(fact), self._concern_all)(fact, at_ns)

    def drain(self) -> list[tuple[BotRuntime, Collection[str]]]:
        """The bots concerned since the last call, in the order of the account's, and where."""
        if not self._concerned:
            return []
        concerned, self._concerned = self._concerned, {}
        return [(bot, concerned[name]) for name, bot in self._bots.items() if name in concerned]

    def _concern(self, name: str, *symbols: str) -> None:
        """A bot may have to act in these symbols, or in all of its own."""
        bot = self._bots.get(name)
        if bot is None:
            return
        where = bot.symbols if bot.waits_for_cash or not symbols else symbols
        known = self._concerned.get(name)
        if known is None:
            self._concerned[name] = set(where)
        else:
            known.update(where)

    def _is_filled(self, fact: Filled, _at_ns: int) -> None:
        fill = fact.fill
        if fill.side is not _SELL:
            self._marks.bought(fill.symbol, fill.price, fill.at_ns)
        self._concern(fact.bot, fill.symbol)
        self._concern_refused()

    def _has_moved(self, fact: AttemptMoved | OrderMoved | RejectClosed, _at_ns: int) -> None:
        order = self._account.order(fact.cid)
        if order is not None:
            self._concern(order.armed.bot, order.armed.spec.symbol)
        self._concern_refused()

    def _is_decided(self, fact: Decided, _at_ns: int) -> None:
        bot = self._bots.get(fact.bot)
        if bot is not None:
            bot.deciding = False
            if bot.due or bot.missed or self._has_exits(bot):
                self._concern(fact.bot)

    def _has_exits(self, bot: BotRuntime) -> bool:
        """Whether a decision may have changed where its bot leaves."""
        if self._account.bots[bot.name].exits:
            return True
        live = self._account.live
        return bool(live) and any(o.exit for o in live.values() if o.armed.bot == bot.name)

    def _is_cancel_armed(self, _fact: CancelArmed, at_ns: int) -> None:
        self._wake_at(at_ns + CANCEL_AGAIN_NS)

    def _is_halted(self, fact: Halted, at_ns: int) -> None:
        self._marks.halted(fact)
        self._concern_all(fact, at_ns)

    def _concern_nobody(self, _fact: AnyFact, _at_ns: int) -> None:
        """It is kept for people and changes nothing that orders are derived from."""

    def _concern_all(self, _fact: AnyFact, _at_ns: int) -> None:
        for name in self._bots:
            self._concern(name)

    def _is_armed(self, fact: Armed, at_ns: int) -> None:
        bot = self._bots.get(fact.bot)
        if bot is None:
            return
        if fact.part <= 1:  # the others of a list come with it
            if self.pending.pop(fact.intent_id, None) is None:
                return
            bot.pending -= 1
        bot.failures = bot.exit_failures = 0
        self.bot_rates[fact.bot].add(at_ns)
        self.account_rate.add(at_ns)
        if bot.due or bot.missed or self._leaves_a_rest(fact):
            self._concern(fact.bot)

    def _leaves_a_rest(self, fact: Armed) -> bool:
        """Whether a sale on its way may leave something that is to be protected from now on, or
        orders that protect nothing any more.
        """
        if fact.spec.side is not _SELL:
            return False
        order = self._account.live.get(fact.cid)
        if order is None or order.exit:
            return False
        symbol = fact.spec.symbol
        return symbol in self._account.bots[fact.bot].exits or any(
            live.exit for live in self._account.orders(symbol, fact.bot)
        )

    def _concern_refused(self) -> None:
        """What was refused or waits may pass now: a doubt ended, or cash and room became free."""
        for name, bot in self._bots.items():
            if bot.refusals or bot.waits_for_cash:
                self._concern(name)

    def take_failed(self, event: ArmFailed, now_ns: int) -> None:
        """Forget what could not be journaled: whatever kept it out needs a moment.

        What reduces waits for its own failures only: a wish to leave must not wait because there
        was no room for what adds.
        """
        failed = [self.pending.pop(intent, None) for intent in event.intent_ids]
        bot = self._bots.get(event.bot)
        if bot is None:
            return
        bot.pending = sum(1 for p in self.pending.values() if p.order.bot == bot.name)
        if event.decision:
            bot.deciding = False
        bot.again = True
        bot.failures += 1
        longest_ns = SOON_NS if event.passes else LONGEST_WAIT_NS
        bot.not_before_ns = now_ns + min(backoff_ns(bot.failures), longest_ns)
        self._wake_at(bot.not_before_ns)
        if not failed or any(a is None or a.order.reduces for a in failed):
            bot.exit_failures += 1
            bot.exits_not_before_ns = now_ns + min(backoff_ns(bot.exit_failures), longest_ns)
            self._wake_at(bot.exits_not_before_ns)

    def next_try_ns(self, now_ns: int) -> int:
        """When something that could not be armed is tried again; 0 when nothing waits for that."""
        waits = [w for b in self._bots.values() for w in (b.not_before_ns, b.exits_not_before_ns)]
        return min((at_ns for at_ns in waits if at_ns > now_ns), default=0)

    def remember_rates(self) -> None:
        """What was armed lately counts in a new process as well, and in who followed it."""
        for meter in (*self.bot_rates.values(), self.account_rate):
            meter.clear()
        known = (*self._account.recent.values(), *self._account.live.values())
        for order in sorted(known, key=lambda order: order.armed.timestamp_ms):
            rate = self.bot_rates.get(order.armed.bot)
            if rate is not None:
                rate.add(order.armed.timestamp_ms * 1_000_000)
                self.account_rate.add(order.armed.timestamp_ms * 1_000_000)
