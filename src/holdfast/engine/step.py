"""The engine: a value with one verb.

`Engine.step` takes one event and returns what is to be done. The same state and event always give
the same actions; nothing outside the engine is touched. Not here: doing any of it (execution).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from holdfast.domain.action import Action, Approved, Arm, CancelOrder, Note, RiskRefused
from holdfast.domain.event import (
    ArmFailed,
    BarClosed,
    Committed,
    Event,
    OperatorAsked,
    QuoteSeen,
    Ticked,
)
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    BotStopped,
    CancelArmed,
    CommandTaken,
    Decided,
    Filled,
    Halted,
    HaltLevel,
    Marked,
    OrderMoved,
    Refusal,
    RejectClosed,
    Resumed,
)
from holdfast.domain.limits import Limits
from holdfast.domain.market import Quote
from holdfast.engine.bot import BotRuntime, StrategyFault
from holdfast.engine.derive import derive
from holdfast.engine.marks import Marks
from holdfast.engine.rate import RateMeter
from holdfast.engine.resolve import Means, has_drifted, is_flat, legs_of, wish_text
from holdfast.engine.risk import NS_PER_MINUTE, Gate, check
from holdfast.engine.situation import (
    CANCEL_AGAIN_NS,
    Derivation,
    Situation,
    Standing,
    backoff_ns,
)
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, BotState
from holdfast.strategy.api import HeldPosition
from holdfast.strategy.wish import KEEP, OneWish, Target


class Engine:
    """One account's engine: the fold of its journal plus what bars and quotes add to it."""

    def __init__(self, account: AccountState, bots: Iterable[BotRuntime], limits: Limits) -> None:
        self.account = account
        self.bots = {bot.name: bot for bot in bots}
        self.limits = limits
        self.now_ns = 0
        self.marks = Marks(account, self.bots, limits)
        self.prices = self.marks.prices
        self.pending: dict[str, Approved] = {}
        self.wake_ns = 0  # earliest time at which a bot waits for time to pass, 0 for none
        self._acting = False  # until `resume`: what start-up records must make nobody act
        self._stale: set[str] = set()  # bots for which a group of facts may have changed something
        rate = RateMeter(NS_PER_MINUTE)
        self._gates = {name: self._gate_of(bot, rate) for name, bot in self.bots.items()}
        self._remember_rate()

    def step(self, event: Event) -> list[Action]:
        """Take one event in and say what is to be done, in this order.

        Raises:
            CorruptionError: a committed fact contradicts the state.
        """
        match event:
            case BarClosed():
                return self._on_bar(event)
            case Committed():
                return self._on_committed(event)
            case QuoteSeen(quote=quote):
                return self._on_quote(quote)
            case ArmFailed():
                return self._on_arm_failed(event)
            case Ticked(now_ns=now_ns):
                return self._on_tick(now_ns)
            case OperatorAsked():
                return self._on_operator(event)

    # -- market --------------------------------------------------------------------------------

    def _on_bar(self, event: BarClosed) -> list[Action]:
        bar = event.bar
        self.now_ns = max(self.now_ns, bar.close_ns)
        self.marks.take(bar.symbol, bar.close)
        actions: list[Action] = []
        for bot in self.bots.values():
            if bot.symbol != bar.symbol or bot.timeframe_s * 1_000_000_000 != (
                bar.close_ns - bar.open_ns
            ):
                continue
            if bot.feed(bar) and event.live and self._acting:
                actions += self._decide(bot)
        if event.live and self._acting:
            actions += self.marks.if_due(self.now_ns)
        return actions

    def _on_quote(self, quote: Quote) -> list[Action]:
        self.now_ns = max(self.now_ns, quote.at_ns)
        if quote.bid is None or quote.ask is None:
            return []
        price = (quote.bid + quote.ask) / 2
        self.marks.take(quote.symbol, price)
        return self._rederive(
            bot
            for bot in self.bots.values()
            if bot.symbol == quote.symbol and not bot.taking and self._reached(bot, price)
        )

    def _reached(self, bot: BotRuntime, price: Decimal) -> bool:
        """Whether a quote has come to the take-profit of a bot that acts."""
        exits = self.account.bot(bot.name).exits.get(bot.symbol)
        return (
            self._acting
            and exits is not None
            and exits.take_profit is not None
            and price >= exits.take_profit
        )

    def _decide(self, bot: BotRuntime) -> list[Action]:
        """Ask the strategy, and arm what its wish needs; the path of every order starts here."""
        state = self.account.bot(bot.name)
        if not state.running:
            return []
        bot.due = bot.is_busy or self.now_ns < bot.not_before_ns
        if bot.due:
            return []
        position = state.position(bot.symbol)
        held = HeldPosition(position.quantity, position.average_price)
        try:
            wish = bot.decide(held, self.marks.equity)
        except StrategyFault as fault:
            return self._stop_failed(bot, str(fault))
        decided = self._resolve(bot, wish)
        return self._act(bot, decided, fresh=True)

    def _resolve(self, bot: BotRuntime, wish: OneWish) -> Decided | None:
        """The wish as a decision in fixed quantities, or None when the standing one goes on."""
        state = self.account.bots[bot.name]
        instrument = self.account.instruments.get(bot.symbol)
        price = self.prices.get(bot.symbol)
        if wish is KEEP or instrument is None or price is None:
            return None
        if not state.number and is_flat(wish):
            return None  # a bot that begins flat has nothing to journal
        target = wish if isinstance(wish, Target) else None
        if (
            target is not None
            and not target.is_flat
            and state.spent.get(bot.symbol) == target.episode
        ):
            return None  # its stop or take-profit has fired: it counts as flat
        # A key that a wish brings along must never meet a number that this bot will count to.
        key = f"wish {target.key}" if target is not None and target.key else ""
        if key and key == state.key:
            return None
        text = wish_text(wish)
        means = self._means(bot, state, price)
        if not key and text == state.wish:
            leg = state.target(bot.symbol)
            if target is None or leg is None or not has_drifted(target, leg, means):
                return None
        legs = legs_of(wish, instrument, means)
        if legs is None:
            return None
        return Decided(
            bot=bot.name,
            number=state.number + 1,
            key=key or str(state.number + 1),
            config_version=state.config_version,
            wish=text,
            legs=legs,
            seen_ns=bot.last_bar.close_ns if bot.last_bar is not None else self.now_ns,
        )

    def _means(self, bot: BotRuntime, state: BotState, price: Decimal) -> Means:
        quote = bot.symbol.split("/")[1]
        free = self.account.free(quote)
        for order in self.account.orders(bot.symbol, bot.name):
            if order.armed.reserve_asset == quote:
                free += order.reserve  # its own: what it bids with is there to bid with
        return Means(
            price=price,
            equity=self.marks.equity(),
            held=state.position(bot.symbol).quantity,
            free=free,
        )

    # -- from decision to actions ----------------------------------------------------------------

    def _act(self, bot: BotRuntime, decided: Decided | None, *, fresh: bool) -> list[Action]:
        """Derive what is missing, pass it through the gate, and hand it out."""
        state = self.account.bots[bot.name]
        instrument = self.account.instruments.get(bot.symbol)
        price = self.prices.get(bot.symbol)
        if instrument is None or price is None:
            return []
        # Derivation sees the new decision; the fold takes it when it is durable, not before.
        standing = (
            Standing(state.number, state.key, state.legs, state.progress)
            if decided is None
            else Standing(decided.number, decided.key, decided.legs, {})
        )
        found = derive(
            Situation(
                account=self.account,
                bot=bot.name,
                standing=standing,
                running=state.running,
                instrument=instrument,
                price=price,
                pending=[p for p in self.pending.values() if p.order.bot == bot.name],
                now_ns=self.now_ns,
                not_before_ns=bot.not_before_ns,
                fresh=fresh,
                split_notional=self._gates[bot.name].max_order_notional,
                taking=self._is_taking(bot, state, price)
                and (decided is None or any(leg.has_exits for leg in decided.legs)),
            ),
            entries=not (self.account.halted or state.halted),
        )
        if found.retry_ns:
            self._wake_at(found.retry_ns)
        return self._gate(bot, decided, found)

    def _is_taking(self, bot: BotRuntime, state: BotState, price: Decimal) -> bool:
        """Whether the take-profit was reached since the position began, even if for a moment."""
        exits = state.exits.get(bot.symbol)
        if exits is None or exits.take_profit is None:
            bot.taking = False
        elif price >= exits.take_profit:
            bot.taking = True
        return bot.taking

    def _gate(self, bot: BotRuntime, decided: Decided | None, found: Derivation) -> list[Action]:
        actions: list[Action] = [CancelOrder(cid) for cid in found.cancels]
        approved: list[Approved] = []
        refused: list[AnyFact] = []
        gate = self._gates[bot.name]
        gate.now_ns = self.now_ns
        if decided is not None:
            bot.refusals.clear()
        for order in found.orders:
            verdict = check(order, gate)
            if isinstance(verdict, RiskRefused):
                refused += self._refusal(bot, verdict)
                continue
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

    def _gate_of(self, bot: BotRuntime, account_rate: RateMeter) -> Gate:
        return Gate(
            account=self.account,
            bot_limits=bot.limits,
            account_limits=self.limits,
            prices=self.prices,
            pending=self.pending,
            bot_rate=RateMeter(NS_PER_MINUTE),
            account_rate=account_rate,
            equity=self.marks.equity,
            max_order_notional=_tighter(
                bot.limits.max_order_notional, self.limits.max_order_notional
            ),
            price_band_pct=_tighter(bot.limits.price_band_pct, self.limits.price_band_pct),
            bot_loss=lambda: self.marks.day_loss(bot),
            drawdown_pct=lambda own, equity: self.marks.drawdown_pct(bot if own else None, equity),
        )

    def _remember_rate(self) -> None:
        """What was armed lately counts in a new process as well."""
        known = (*self.account.recent.values(), *self.account.live.values())
        for order in sorted(known, key=lambda order: order.armed.timestamp_ms):
            gate = self._gates.get(order.armed.bot)
            if gate is not None:
                gate.bot_rate.add(order.armed.timestamp_ms * 1_000_000)
                gate.account_rate.add(order.armed.timestamp_ms * 1_000_000)

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
        fact = event.fact
        apply(self.account, event.seq, self.account.epoch, event.at_ns, fact)
        self.now_ns = max(self.now_ns, event.at_ns)
        match fact:
            case Armed():
                self._is_armed(fact, event.at_ns)
            case Decided():
                bot = self.bots.get(fact.bot)
                if bot is not None:
                    bot.deciding = False
                    if bot.due or bot.missed or self._has_exits(bot):
                        self._stale.add(fact.bot)
            case AttemptMoved() | OrderMoved() | RejectClosed():
                order = self.account.order(fact.cid)
                if order is not None:
                    self._stale.add(order.armed.bot)
                self._stale_refused()
            case Filled():
                self._stale.add(fact.bot)
                self._stale_refused()
            case CancelArmed():
                self._wake_at(event.at_ns + CANCEL_AGAIN_NS)
            case Refusal() | Marked() | CommandTaken():
                pass
            case Halted():
                self.marks.halted(fact)
                self._stale.update(self.bots)
            case _:
                self._stale.update(self.bots)
        if event.more or not self._stale or not self._acting:
            return []
        concerned, self._stale = self._stale, set()
        return self._rederive(bot for name, bot in self.bots.items() if name in concerned)

    def _is_armed(self, fact: Armed, at_ns: int) -> None:
        bot = self.bots.get(fact.bot)
        if self.pending.pop(fact.intent_id, None) is None or bot is None:
            return
        bot.pending -= 1
        bot.failures = 0
        gate = self._gates[fact.bot]
        gate.bot_rate.add(at_ns)
        gate.account_rate.add(at_ns)
        if bot.due or bot.missed:
            self._stale.add(fact.bot)

    def _has_exits(self, bot: BotRuntime) -> bool:
        """Whether a decision may have changed where its bot leaves."""
        return bool(self.account.bots[bot.name].exits) or any(
            order.exit for order in self.account.orders(bot.symbol, bot.name)
        )

    def _stale_refused(self) -> None:
        """What was refused may pass now: a doubt ended, or cash and room became free."""
        for name, bot in self.bots.items():
            if bot.refusals:
                self._stale.add(name)

    def _on_arm_failed(self, event: ArmFailed) -> list[Action]:
        """Whatever kept them out of the journal needs a moment; then the bot decides again."""
        for intent in event.intent_ids:
            self.pending.pop(intent, None)
        bot = self.bots.get(event.bot)
        if bot is None:
            return []
        bot.pending = sum(1 for p in self.pending.values() if p.order.bot == bot.name)
        if event.decision:
            bot.deciding = False
        bot.failures += 1
        bot.not_before_ns = self.now_ns + backoff_ns(bot.failures)
        bot.due = True
        self._wake_at(bot.not_before_ns)
        return self._rederive((bot,)) if bot.missed else []

    def _wake_at(self, at_ns: int) -> None:
        self.wake_ns = min(self.wake_ns or at_ns, at_ns)

    def _rederive(self, bots: Iterable[BotRuntime]) -> list[Action]:
        """News may leave an order missing or superfluous; bots with orders on their way wait."""
        actions: list[Action] = []
        for bot in bots:
            if bot.name not in self.account.bots:
                continue
            bot.missed = bot.is_busy
            if bot.missed:
                continue
            if bot.due and self.account.bots[bot.name].running:
                actions += self._decide(bot)
            if not bot.is_busy and not self._has_all(bot):
                actions += self._act(bot, None, fresh=False)
        return actions

    def _has_all(self, bot: BotRuntime) -> bool:
        """Whether nothing can be missing: nothing is under way, and it holds what it wants.

        Most news is of that kind, and derivation costs more than this look.
        """
        if self.account.live or self.pending:
            return False
        state = self.account.bots[bot.name]
        held = state.position(bot.symbol).quantity
        return not state.exits and all(leg.target == held for leg in state.legs)

    # -- time, people, failures --------------------------------------------------------------------

    def _on_tick(self, now_ns: int) -> list[Action]:
        self.now_ns = max(self.now_ns, now_ns)
        if not self._acting:
            return []
        actions: list[Action] = [*self.marks.if_due(self.now_ns)]
        if self.wake_ns and self.now_ns >= self.wake_ns:
            self.wake_ns = 0
            actions += self._rederive(self.bots.values())
        return actions

    def _on_operator(self, event: OperatorAsked) -> list[Action]:
        """A command takes effect where the leader writes it into the stream, with what it does."""
        bot = event.arguments.get("bot", "")
        reason = event.arguments.get("reason", "") or f"{event.name} by {event.by}"
        effects: dict[str, AnyFact] = {
            "halt": Halted(level=HaltLevel.ENTRIES, reason=reason, by=event.by, bot=bot),
            "resume": Resumed(by=event.by, bot=bot),
            "stop": BotStopped(bot=bot, reason=reason),
            "start": self._restarted(bot),
        }
        taken = CommandTaken(
            command_id=event.command_id,
            name=event.name,
            by=event.by,
            arguments=str(sorted(event.arguments.items())),
        )
        effect = effects.get(event.name)
        known = bot in self.account.bots
        if not known and (bot or event.name in {"stop", "start"}):
            effect = None
        return [Note((taken,) if effect is None else (taken, effect))]

    def _restarted(self, bot: str) -> BotStarted:
        state = self.account.bots.get(bot, BotState())
        return BotStarted(
            bot=bot,
            config_version=state.config_version,
            config=state.config,
            anchor_ns=state.anchor_ns,
        )

    def _stop_failed(self, bot: BotRuntime, why: str) -> list[Action]:
        return [Note((BotStopped(bot=bot.name, reason=why, failed=True),))]

    # -- start -------------------------------------------------------------------------------------

    def start_bot(self, bot: BotRuntime, config: str) -> BotStarted | None:
        """The fact that starts a bot, or None when it goes on, or stays stopped, as it was.

        Args:
            config: canonical JSON; a bot that was stopped starts again when it has changed.
        """
        state = self.account.bots.get(bot.name)
        if state is not None and state.config == config:
            return None
        anchor_ns = state.anchor_ns if state is not None else 0
        if not anchor_ns and bot.first_bar is not None:
            anchor_ns = bot.first_bar.open_ns
        return BotStarted(
            bot=bot.name,
            config_version=(state.config_version if state is not None else 0) + 1,
            config=config,
            anchor_ns=anchor_ns,
        )

    def resume(self) -> list[Action]:
        """Act from here on: what the standing decisions still need, where a process ended.

        Until it is called facts are folded and bars are taken in, and nothing is handed out.
        """
        self._acting = True
        self._stale.clear()
        return self._rederive(self.bots.values())


def _tighter(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return min((x for x in (one, other) if x is not None), default=None)
