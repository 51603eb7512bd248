"""The engine: a value with one verb.

`Engine.step` takes one event and returns what is to be done. The same state and event always give
the same actions; nothing outside the engine is touched. Not here: doing any of it (execution).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from holdfast.domain.action import Action, Approved, Arm, CancelOrder, Note, RiskRefused
from holdfast.domain.event import (
    ArmFailed,
    BarClosed,
    BookSeen,
    Committed,
    Event,
    OperatorAsked,
    QuoteSeen,
    Ticked,
    TradeSeen,
)
from holdfast.domain.fact import (
    AnyFact,
    BotConfigured,
    BotStarted,
    BotStopped,
    Decided,
    HaltLevel,
    LimitsSet,
    Refusal,
)
from holdfast.domain.limits import Limits, limits_in, read_limits, tighter
from holdfast.domain.market import BookLevels, Quote, Trade
from holdfast.engine.bot import BotRuntime, StrategyFault
from holdfast.engine.commands import take_command
from holdfast.engine.complete import has_all
from holdfast.engine.decide import Decider
from holdfast.engine.derive import derive
from holdfast.engine.facts import BotFacts, held_position
from holdfast.engine.losses import Losses
from holdfast.engine.marks import Marks
from holdfast.engine.news import News
from holdfast.engine.profits import is_taking, reached
from holdfast.engine.risk import Gate, check
from holdfast.engine.situation import Derivation, Situation, payable
from holdfast.ledger.state import AccountState

_LIMITING: Final = frozenset({BotConfigured, LimitsSet})


class Engine:
    """One account's engine: the fold of its journal plus what bars and quotes add to it."""

    def __init__(
        self,
        account: AccountState,
        bots: Iterable[BotRuntime],
        limits: Limits,
        *,
        lists: bool = False,
    ) -> None:
        """Fold and hand out nothing yet; see `resume`.

        Args:
            lists: the venue takes order lists; stop and take-profit then rest as one.
        """
        self.account = account
        self.bots = {bot.name: bot for bot in bots}
        self._written = limits
        self.limits = read_limits(account.limits) if account.limits else limits
        self._lists = lists
        self.now_ns = 0
        self.marks = Marks(account, self.bots, self.limits)
        self.prices = self.marks.prices
        self.losses = Losses(account, self.bots, self.marks, self.limits)
        self.books: dict[str, BookLevels] = {}
        self.trades: dict[str, Trade] = {}
        self._decider = Decider(account, self.prices, self.marks.equity_in)
        self.facts = {n: BotFacts(account, self.marks, bot) for n, bot in self.bots.items()}
        self.wake_ns = 0  # earliest time at which a bot waits for time to pass, 0 for none
        self._acting = False  # until `resume`: what start-up records must make nobody act
        self._news = News(account, self.bots, self.marks, self._wake_at)
        self.pending = self._news.pending
        self._gates = {name: self._gate_of(bot) for name, bot in self.bots.items()}

    def step(self, event: Event) -> list[Action]:
        """Take one event in and say what is to be done, in this order.

        Raises:
            CorruptionError: a committed fact contradicts the state.
        """
        match event:
            case Committed():
                return self._on_committed(event)
            case BarClosed():
                return self._on_bar(event)
            case QuoteSeen(quote=quote):
                return self._on_quote(quote)
            case BookSeen(book=book):
                self.books[book.symbol] = book
                return []
            case TradeSeen(trade=trade):
                self.trades[trade.symbol] = trade
                return []
            case ArmFailed():
                return self._on_arm_failed(event)
            case Ticked(now_ns=now_ns):
                return self._on_tick(now_ns)
            case OperatorAsked():
                return [take_command(event, self.account, self.bots)]

    # -- market --------------------------------------------------------------------------------

    def _on_bar(self, event: BarClosed) -> list[Action]:
        bar = event.bar
        self.now_ns = max(self.now_ns, bar.close_ns)
        self.marks.take(bar.symbol, bar.close, bar.close_ns)
        actions: list[Action] = []
        acting = event.live and self._acting
        turned = self.losses.turned(self.now_ns) if acting else []
        for bot in self.bots.values():
            if not bot.wants(bar):
                continue
            if bot.take(bar) and acting:
                decided = self._decide(bot)
                if decided and bot in turned:
                    turned.remove(bot)  # it has looked at all that rests
                actions += decided
        if acting:
            actions += self._rederive(_everywhere(turned))
            actions += self.marks.if_due(self.now_ns)
        return actions

    def _on_quote(self, quote: Quote) -> list[Action]:
        self.now_ns = max(self.now_ns, quote.at_ns)
        self.marks.see(quote)
        if not self._acting:
            return []
        where, bid = (quote.symbol,), self.marks.bids.get(quote.symbol)
        taking = reached(self.account, self.bots.values(), quote.symbol, bid)
        news = ((bot, where) for bot in taking)
        return self._rederive(self.losses.and_news(news, self.now_ns))

    def _decide(self, bot: BotRuntime) -> list[Action]:
        """Ask the strategy, and arm what its wishes need; the path of every order starts here."""
        state = self.account.bot(bot.name)
        if not state.running:
            return []
        bot.due = bot.is_busy or bot.is_joining or self.now_ns < bot.exits_not_before_ns
        if bot.due:
            return []
        bot.again = self.now_ns < bot.not_before_ns  # what is to be bought waits still
        try:
            if bot.setup.looks_around:
                bot.hear(self.account.signals)
                bot.look(self.books, self.trades)
            asked = bot.decide(
                held_position(state, bot.symbol), self.facts[bot.name], state.memory
            )
        except StrategyFault as fault:
            return self._stop_failed(bot, str(fault))
        return self._act(bot, self._decider.decision(bot, *asked), bot.symbols, fresh=True)

    # -- from decision to actions ----------------------------------------------------------------

    def _act(
        self,
        bot: BotRuntime,
        decided: Decided | None,
        symbols: Collection[str],
        *,
        fresh: bool,
    ) -> list[Action]:
        """Derive what is missing, pass it through the gate, and hand it out.

        Args:
            symbols: where something may be missing.
        """
        new = () if decided is None else [leg.symbol for leg in decided.legs if not leg.since]
        where = [
            symbol
            for symbol in bot.symbols
            if symbol in new
            or (
                symbol in symbols
                and not has_all(self.account, bot, symbol, self.prices.get(symbol))
            )
        ]
        if decided is None and not where:
            return []
        found = Derivation([], [])
        for symbol in where:
            again = fresh or symbol in bot.making_way
            missing = self._derive(bot, symbol, decided, fresh=again)
            if missing.makes_way and again:
                bot.making_way.add(symbol)
            else:
                bot.making_way.discard(symbol)
            found.add(missing)
        if found.retry_ns:
            self._wake_at(found.retry_ns)
        if found.orders and len(bot.symbols) > 1:
            wanted = len(found.orders)
            found.orders = payable(found.orders, bot.name, self.account, self.pending)
            bot.waits_for_cash = len(found.orders) < wanted
        if decided is None and not (found.orders or found.cancels):
            return []
        return self._gate(bot, decided, found)

    def _derive(
        self, bot: BotRuntime, symbol: str, decided: Decided | None, *, fresh: bool
    ) -> Derivation:
        state = self.account.bots[bot.name]
        instrument = self.account.instruments.get(symbol)
        price = self.prices.get(symbol)
        if instrument is None or price is None:
            return Derivation([], [])
        halt = self.account.halt(bot.name)
        return derive(
            Situation(
                account=self.account,
                bot=bot.name,
                state=state,
                # Derivation sees the new decision; the fold takes it when it is durable.
                standing=decided or state,
                progress=state.progress if decided is None else {},
                instrument=instrument,
                price=price,
                pending=self._pending_of(bot, symbol) if bot.pending else (),
                now_ns=self.now_ns,
                not_before_ns=bot.not_before_ns,
                exits_not_before_ns=bot.exits_not_before_ns,
                fresh=fresh,
                gate=self._gates[bot.name],
                taking=halt is not HaltLevel.FLATTEN
                and is_taking(self.account, bot, symbol, self.marks.bids[symbol])
                and state.running
                and (decided is None or _has_exits(decided, symbol)),
                lists=self._lists,
                halt=halt,
                may_bid=not (bot.has_lost or self.account.quarantined(symbol)),
            )
        )

    def _pending_of(self, bot: BotRuntime, symbol: str) -> list[Approved]:
        pending = self.pending.values()
        return [p for p in pending if p.order.bot == bot.name and p.order.spec.symbol == symbol]

    def _gate(self, bot: BotRuntime, decided: Decided | None, found: Derivation) -> list[Action]:
        actions: list[Action] = [CancelOrder(cid) for cid in found.cancels]
        approved: list[Approved] = []
        refused: list[AnyFact] = []
        refused_legs: set[str] = set()
        gate = self._gates[bot.name]
        gate.now_ns = self.now_ns
        if decided is not None:
            bot.forget_refusals(decided)
        for order in found.orders:
            verdict = check(order, gate)
            if isinstance(verdict, RiskRefused):
                refused += self._refusal(bot, verdict)
                refused_legs.add(order.leg)
                continue
            if order.leg not in refused_legs:  # a smaller part that passes changes nothing
                bot.refusals.pop(order.leg, None)
            self.pending[order.intent_id] = verdict
            bot.pending += 1
            approved.append(verdict)
        if refused:
            actions.append(Note(tuple(refused)))
        if approved or decided is not None:
            actions.append(Arm(decided, tuple(approved)))
            bot.deciding = decided is not None
        return actions

    def _gate_of(self, bot: BotRuntime) -> Gate:
        return Gate(
            account=self.account,
            bot_limits=bot.limits,
            account_limits=self.limits,
            prices=self.prices,
            pending=self.pending,
            bot_rate=self._news.bot_rates[bot.name],
            account_rate=self._news.account_rate,
            equity=self.marks.equity,
            max_order_notional=tighter(
                bot.limits.max_order_notional, self.limits.max_order_notional
            ),
            price_band_pct=tighter(bot.limits.price_band_pct, self.limits.price_band_pct),
            bot_loss=lambda: self.marks.day_loss(bot),
            drawdown_pct=lambda own: self.marks.drawdown_pct(bot if own else None),
        )

    def _refusal(self, bot: BotRuntime, refused: RiskRefused) -> list[AnyFact]:
        """The fact to keep, once per leg and rule: a wish refused each second is one refusal."""
        if bot.refusals.get(refused.order.leg) == refused.rule:
            return []
        bot.refusals[refused.order.leg] = refused.rule
        return [
            Refusal(
                bot=bot.name,
                leg=refused.order.leg,
                rule=refused.rule,
                seen=refused.seen,
                limit=refused.limit,
                spec=refused.order.spec,
            )
        ]

    # -- journal ---------------------------------------------------------------------------------

    def _on_committed(self, event: Committed) -> list[Action]:
        """Fold the fact; after the last of its group, see what the bots concerned still need."""
        self._news.take(event)
        self.now_ns = max(self.now_ns, event.at_ns)
        if type(event.fact) in _LIMITING:
            self._limit(event.fact)
        if event.more or not self._acting:
            return []
        return self._rederive(self.losses.and_news(self._news.drain(), self.now_ns))

    def _limit(self, fact: AnyFact) -> None:
        """Limits bind from the record on that sets them; the rest needs another runtime."""
        if isinstance(fact, LimitsSet):
            self.limits = read_limits(fact.limits) if fact.limits else self._written
        elif isinstance(fact, BotConfigured) and fact.bot in self.bots:
            self.bots[fact.bot].limits = limits_in(fact.config)
        self._gates = {name: self._gate_of(bot) for name, bot in self.bots.items()}
        self.marks.watch(self.limits)
        self.losses.watch(self.limits)

    def _on_arm_failed(self, event: ArmFailed) -> list[Action]:
        """What they were handed out for is asked for again; others may go in their place."""
        self._news.take_failed(event, self.now_ns)
        waiting = (b for b in self.bots.values() if b.missed or b.due or b.refusals)
        return self._rederive(_everywhere(waiting))

    def _wake_at(self, at_ns: int) -> None:
        self.wake_ns = min(self.wake_ns or at_ns, at_ns)

    def _rederive(self, news: Iterable[tuple[BotRuntime, Collection[str]]]) -> list[Action]:
        """News may leave an order missing or superfluous; bots with orders on their way wait."""
        actions: list[Action] = []
        for bot, symbols in news:
            if bot.name not in self.account.bots:
                continue
            where = bot.symbols if bot.missed else symbols
            bot.missed = bot.is_busy
            if bot.missed:
                continue
            if bot.is_due(self.now_ns) and self.account.bots[bot.name].running:
                actions += self._decide(bot)
            if not bot.is_busy:
                actions += self._act(bot, None, where, fresh=False)
        return actions

    # -- time, people, failures --------------------------------------------------------------------

    def _on_tick(self, now_ns: int) -> list[Action]:
        self.now_ns = max(self.now_ns, now_ns)
        if not self._acting:
            return []
        actions: list[Action] = [*self.marks.if_due(self.now_ns)]
        for bot in self.bots.values():
            # Bars that close together and did not all come are waited for no longer than agreed.
            waited = 0 < bot.joins_by_ns <= self.now_ns and bot.join()
            if waited or bot.begins_slot(self.now_ns):
                actions += self._decide(bot)
        if self.wake_ns and self.now_ns >= self.wake_ns:
            self.wake_ns = self._news.next_try_ns(self.now_ns)
            actions += self._rederive(_everywhere(self.bots.values()))
        return actions

    def _stop_failed(self, bot: BotRuntime, why: str) -> list[Action]:
        return [Note((BotStopped(bot=bot.name, reason=why, failed=True),))]

    # -- start -------------------------------------------------------------------------------------

    def start_bot(self, bot: BotRuntime, config: str) -> tuple[BotStarted | BotStopped, ...]:
        """The facts with which a bot begins here; none when it is as it was.

        One that was stopped, or failed, is so still under another configuration: a takeover by a
        node whose file or version differs must not undo what a person did.

        Args:
            config: canonical JSON.
        """
        state = self.account.bots.get(bot.name)
        same = state is not None and state.config == config and not state.removed
        if state is not None and same and (state.anchor_ns or not state.running):
            return ()
        anchor_ns = state.anchor_ns if state is not None else 0
        if bot.first_bar is not None:
            anchor_ns = bot.first_bar.open_ns  # other parameters may need more to warm up
        started = BotStarted(
            bot=bot.name,
            config_version=(state.config_version if state is not None else 0) + (not same),
            config=config,
            anchor_ns=anchor_ns,
        )
        if state is None or not state.config or state.running or state.removed:
            return (started,)
        reason = state.failed or "stopped before it was configured so"
        return started, BotStopped(bot=bot.name, reason=reason, failed=bool(state.failed))

    def resume(self) -> list[Action]:
        """Act from here on: what the standing decisions still need, where a process ended.

        Until it is called facts are folded and bars are taken in, and nothing is handed out.
        """
        self._acting = True
        self._news.remember_rates()
        self._news.drain()
        return [*self._unreadable(), *self._rederive(_everywhere(self.bots.values()))]

    def _unreadable(self) -> list[Action]:
        """Bots whose strategy cannot read its memory stop now rather than at their next bar."""
        actions: list[Action] = []
        for bot in self.bots.values():
            state = self.account.bot(bot.name)
            try:
                bot.require_memory(state.memory if state.running else None)
            except StrategyFault as fault:
                actions += self._stop_failed(bot, str(fault))
        return actions


def _has_exits(decided: Decided, symbol: str) -> bool:
    return any(leg.has_exits for leg in decided.legs if leg.symbol == symbol)


def _everywhere(bots: Iterable[BotRuntime]) -> Iterator[tuple[BotRuntime, Collection[str]]]:
    """Bots that may have to act in any of their symbols."""
    return ((bot, bot.symbols) for bot in bots)
