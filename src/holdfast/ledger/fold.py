"""The fold: how each fact changes the state of an account.

Lives here: `apply`. The same facts always give the same state, and nothing else changes it. Not
here: reading the state (ledger.state), what to do next (engine).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from holdfast.domain import fact as facts
from holdfast.domain.fact import AnyFact, Armed
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import ATTEMPT_MOVES, ORDER_MOVES, AttemptState, OrderState, Side
from holdfast.errors import CorruptionError
from holdfast.ledger import exits, guards
from holdfast.ledger.lost import LostTime
from holdfast.ledger.portfolio import Position
from holdfast.ledger.state import (
    WISH_KEY,
    AccountState,
    Counters,
    LegProgress,
    LiveOrder,
)

# Members of an enum are slow to look up on Python 3.11, and every fact meets these.
_ACKED: Final = AttemptState.ACKED
_BUY: Final = Side.BUY

KEYS_REMEMBERED: Final = 64  # keys that wishes brought along; the journal refuses older ones
SIGNALS_REMEMBERED: Final = 64  # of each series: a decision may come later than they did
REMEMBERED: Final = 512  # closed attempts kept in the fold, for reports that arrive late


def apply(state: AccountState, seq: int, epoch: int, at_ns: int, fact: AnyFact) -> None:
    """Fold one fact in.

    Raises:
        CorruptionError: it does not follow the last one, or moves a state where it cannot go.
    """
    if seq != state.seq + 1:
        raise CorruptionError(
            f"seen: record {seq} after {state.seq}; expected: {state.seq + 1}; "
            "the journal has a hole, run `holdfast audit verify`"
        )
    _APPLY[type(fact)](state, at_ns, fact)
    state.seq = seq
    state.epoch = epoch


def _close_if_over(state: AccountState, order: LiveOrder, at_ns: int) -> None:
    if not order.is_over:
        return
    cid = order.armed.cid
    if state.live.pop(cid, None) is None:
        return
    state.recent[cid] = order
    if len(state.recent) > REMEMBERED:
        del state.recent[next(iter(state.recent))]
    progress = _progress(state, order.armed)
    if progress is None:
        _end_kept(state, order.armed, at_ns)
        return
    is_last = progress.cid == cid
    if order.booked:
        progress.misses = 0
    else:
        # Of parts that were armed together and all came to nothing, the last one counts.
        progress.misses = progress.misses + 1 if is_last else max(progress.misses, 1)
        progress.missed_ns = at_ns
    if is_last:
        progress.ended_ns = at_ns
        progress.empty = order.state is not _ACKED


def _end_kept(state: AccountState, armed: Armed, at_ns: int) -> None:
    """A level's order of an earlier decision, which the standing one kept, has ended."""
    bot = state.bots.get(armed.bot)
    if bot is None or armed.leg in bot.progress:
        return
    if any(leg.leg == armed.leg and leg.target is None for leg in bot.legs):
        bot.progress[armed.leg] = LegProgress(-1, 0, armed.cid, ended_ns=at_ns)


def _progress(state: AccountState, armed: Armed) -> LegProgress | None:
    """How far the leg of this attempt has come, unless another decision came since."""
    bot = state.bots.get(armed.bot)
    if bot is None or bot.number != armed.decision:
        return None
    return bot.progress.get(armed.leg)


def _book(state: AccountState, fill: Fill, bot: str, quote_rate: Decimal | None) -> None:
    symbol, quantity, fee, holdings = fill.symbol, fill.quantity, fill.fee, state.holdings
    base, quote = symbol.split("/")
    signed = quantity if fill.side is _BUY else -quantity
    holdings[base] = holdings.get(base, ZERO) + signed
    holdings[quote] = holdings.get(quote, ZERO) - signed * fill.price
    if fee:
        holdings[fill.fee_asset] = holdings.get(fill.fee_asset, ZERO) - fee
    if bot:
        positions = state.entered(bot).positions
        position = positions.get(symbol)
        if position is None:
            position = positions[symbol] = Position()
        position.book(fill, base, quote, quote_rate)
    state.last_trade[symbol] = _later(state.last_trade.get(symbol, ""), fill.trade_id)


def _later(one: str, other: str) -> str:
    """The larger trade id; ids are numbers on every venue that orders them."""
    if one.isdigit() and other.isdigit():
        return one if int(one) >= int(other) else other
    return other


def _opened(state: AccountState, _at: int, fact: facts.Opened) -> None:
    state.account = fact.account
    state.deployment = fact.deployment
    state.generation = fact.generation
    state.reporting = fact.reporting


def _restored(state: AccountState, _at: int, fact: facts.Restored) -> None:
    state.generation = fact.generation
    state.lost = LostTime.of(fact)


def _rested(_state: AccountState, _at: int, _fact: facts.Rested) -> None:
    """Kept for whoever asks how long nobody led."""


def _took_over(state: AccountState, _at: int, fact: facts.TookOver) -> None:
    state.counters.takeovers += 1
    state.uid = state.uid or fact.uid
    state.leader = fact.boot_id


def _bot_started(state: AccountState, _at: int, fact: facts.BotStarted) -> None:
    bot = state.entered(fact.bot)
    bot.config_version = fact.config_version
    bot.config = fact.config
    bot.anchor_ns = fact.anchor_ns
    bot.running = True
    bot.removed = False
    bot.failed = ""


def _bot_configured(state: AccountState, _at: int, fact: facts.BotConfigured) -> None:
    bot = state.entered(fact.bot)
    bot.config_version = fact.config_version
    bot.config = fact.config
    bot.by_command = not fact.from_file
    bot.removed = False
    if fact.anew:
        bot.anchor_ns = 0


def _bot_removed(state: AccountState, _at: int, fact: facts.BotRemoved) -> None:
    bot = state.entered(fact.bot)
    bot.running = bot.by_command = False
    bot.removed = True


def _limits_set(state: AccountState, _at: int, fact: facts.LimitsSet) -> None:
    state.limits = fact.limits
    state.limits_version += 1


def _bot_stopped(state: AccountState, _at: int, fact: facts.BotStopped) -> None:
    bot = state.entered(fact.bot)
    bot.running = False
    bot.failed = fact.reason if fact.failed else ""


def _decided(state: AccountState, _at: int, fact: facts.Decided) -> None:
    bot = state.entered(fact.bot)
    if fact.number != bot.number + 1:
        raise CorruptionError(
            f"seen: decision {fact.number} of bot {fact.bot} after {bot.number}; "
            f"expected: {bot.number + 1}"
        )
    bot.number = fact.number
    bot.key = fact.key
    if fact.key.startswith(WISH_KEY):
        bot.keys = (*bot.keys[1 - KEYS_REMEMBERED :], fact.key)
    bot.wish = fact.wish
    bot.legs = fact.legs
    bot.memory = fact.memory
    bot.decided_ns = fact.seen_ns
    bot.progress = {}
    if bot.exits or bot.spent or any(leg.has_exits for leg in fact.legs):
        exits.decided(bot, fact.legs, state.instruments, state.holdings)


def _armed(state: AccountState, _at: int, fact: Armed) -> None:
    if fact.cid in state.live or fact.cid in state.recent:
        raise CorruptionError(f"seen: attempt {fact.cid} armed twice; expected: once")
    state.live[fact.cid] = LiveOrder(fact)
    state.counters.attempts += 1
    bot = state.bots.get(fact.bot)
    if bot is not None and bot.number == fact.decision:
        before = bot.progress.get(fact.leg)
        misses, missed_ns = (before.misses, before.missed_ns) if before is not None else (0, 0)
        bot.progress[fact.leg] = LegProgress(fact.seq, fact.n, fact.cid, misses, missed_ns)
    if bot is not None and bot.exits:
        exits.armed(bot, fact)


def _cancel_armed(state: AccountState, at_ns: int, fact: facts.CancelArmed) -> None:
    state.counters.cancels += 1
    order = state.live.get(fact.target)
    if order is not None and not fact.order_id:
        order.cancels += 1
        order.cancelled_ns = at_ns
        for mate in state.mates(order):
            mate.cancelled_ns = at_ns  # with one order of a list the venue cancels all of it


def _attempt_moved(state: AccountState, at_ns: int, fact: facts.AttemptMoved) -> None:
    order = state.order(fact.cid)
    if order is None:
        raise CorruptionError(
            f"seen: news of attempt {fact.cid}, which was never armed or has long closed; "
            "expected: an armed attempt"
        )
    if fact.state not in ATTEMPT_MOVES[order.state]:
        raise CorruptionError(
            f"seen: attempt {fact.cid} from {order.state} to {fact.state}; expected: one of "
            f"{', '.join(sorted(ATTEMPT_MOVES[order.state])) or 'no move, it is terminal'}"
        )
    _count(state.counters, fact.state)
    order.state = fact.state
    order.closed = fact.final
    order.learnt_ms = max(order.learnt_ms, fact.server_ms)
    if fact.order_id:
        order.order_id = fact.order_id
    if fact.order_state is not None:
        order.order_state = fact.order_state
    if fact.executed is not None:
        order.executed = max(order.executed, fact.executed)
    if fact.cid in state.recent and not order.is_over:
        state.live[fact.cid] = state.recent.pop(fact.cid)
    _close_if_over(state, order, at_ns)


def _count(counters: Counters, state: AttemptState) -> None:
    if state is _ACKED:
        counters.acked += 1
    elif state is AttemptState.REJECTED:
        counters.rejected += 1
    elif state is AttemptState.NOT_SENT:
        counters.not_sent += 1
    elif state is AttemptState.IN_DOUBT:
        counters.doubts += 1
    elif state is AttemptState.NEVER_EXECUTED:
        counters.never += 1


def _reject_closed(state: AccountState, at_ns: int, fact: facts.RejectClosed) -> None:
    order = state.live.get(fact.cid)
    if order is None or order.state is not AttemptState.REJECTED:
        raise CorruptionError(
            f"seen: the rejection of {fact.cid} closed; expected: a rejected attempt that is open"
        )
    order.closed = True
    _close_if_over(state, order, at_ns)


def _order_moved(state: AccountState, at_ns: int, fact: facts.OrderMoved) -> None:
    order = state.order(fact.cid)
    if order is None or order.order_state is None:
        raise CorruptionError(
            f"seen: order {fact.cid} is {fact.state}; expected: an acknowledged order"
        )
    if fact.state is not order.order_state and fact.state not in ORDER_MOVES[order.order_state]:
        raise CorruptionError(
            f"seen: order {fact.cid} from {order.order_state} to {fact.state}; expected: one of "
            f"{', '.join(sorted(ORDER_MOVES[order.order_state])) or 'no move, it is terminal'}"
        )
    order.order_state = fact.state
    order.executed = max(order.executed, fact.executed)
    _close_if_over(state, order, at_ns)


def _filled(state: AccountState, at_ns: int, fact: facts.Filled) -> None:
    state.counters.fills += 1
    _book(state, fact.fill, fact.bot, fact.quote_rate)
    order = state.order(fact.fill.cid)
    if fact.bot:
        instrument = state.instruments.get(fact.fill.symbol)
        exits.filled(state.bots[fact.bot], fact.fill, order, instrument, state.holdings)
    elif state.lost is not None and fact.fill.cid.startswith(state.deployment):
        state.lost.filled(fact.fill)
    if order is not None and not _is_of_copy(fact.fill, order):
        order.booked += fact.fill.quantity
        order.executed = max(order.executed, order.booked)
        for mate in state.mates(order):
            mate.shared += fact.fill.quantity
        _close_if_over(state, order, at_ns)


def _is_of_copy(fill: Fill, order: LiveOrder) -> bool:
    """Whether the venue made another order of the same request, and that one has executed."""
    known, of = order.order_id, fill.venue_order_id
    return bool(known and of) and of != known


def _ghost(state: AccountState, _at: int, fact: facts.Ghost) -> None:
    state.counters.ghosts += 1
    order = state.order(fact.cid)
    if order is not None:
        order.is_ghost = True


def _cash_flow(state: AccountState, _at: int, fact: facts.CashFlow) -> None:
    state.holdings[fact.asset] = state.holdings.get(fact.asset, ZERO) + fact.amount
    rate = Decimal(1) if fact.asset == state.reporting else fact.rate
    if rate is not None:
        state.units.flow(fact.amount * rate, fact.equity)
    if fact.reason == facts.UNKNOWN:
        state.as_of_ns[fact.asset] = max(fact.at_ns, state.as_of_ns.get(fact.asset, 0))


def _adjustment(state: AccountState, _at: int, fact: facts.Adjustment) -> None:
    state.holdings[fact.asset] = state.holdings.get(fact.asset, ZERO) + fact.amount
    position = state.bot(fact.bot).positions.get(fact.symbol)
    if position is not None and fact.amount < ZERO:
        position.lose(-fact.amount)
        if not position.quantity:
            state.bots[fact.bot].exits.pop(fact.symbol, None)


def _liquidated(state: AccountState, _at: int, fact: facts.Liquidated) -> None:
    bot = state.entered(fact.bot)
    bot.positions[fact.symbol].lose(fact.quantity, fact.price)
    if state.lost is not None:
        state.lost.taken_off(fact.symbol, fact.quantity)
    leg = bot.target(fact.symbol)
    if leg is not None:
        bot.spent[fact.symbol] = leg.episode
    if not bot.positions[fact.symbol].quantity:
        bot.exits.pop(fact.symbol, None)


def _marked(state: AccountState, _at: int, fact: facts.Marked) -> None:
    state.units.mark(fact.at_ns, fact.equity, fact.pnl, new_day=fact.new_day)


def _refused(state: AccountState, _at: int, _fact: facts.Refusal) -> None:
    state.counters.refusals += 1


def _reconciled(state: AccountState, _at: int, fact: facts.Reconciled) -> None:
    """Balances agree with every fill: what was terminal is settled."""
    if state.lost is not None:
        state.lost.trades = None
    if not fact.agreed:
        return
    for order in state.recent.values():
        if order.order_state is not None and OrderState.SETTLED in ORDER_MOVES[order.order_state]:
            order.order_state = OrderState.SETTLED


def _instrument(state: AccountState, _at: int, fact: facts.InstrumentChanged) -> None:
    instrument = msgspec.json.decode(fact.instrument, type=Instrument)
    before = state.instruments.get(instrument.symbol)
    state.instruments[instrument.symbol] = instrument
    if before is not None:
        for bot in state.bots.values():
            exits.regrid(bot, instrument)


def _command(state: AccountState, _at: int, _fact: facts.CommandTaken) -> None:
    state.commands += 1


def _signal(state: AccountState, _at: int, fact: facts.SignalReceived) -> None:
    heard = state.signals.get(fact.signal, ())
    state.signals[fact.signal] = (*heard[1 - SIGNALS_REMEMBERED :], fact)


def _noted(_state: AccountState, _at: int, _fact: AnyFact) -> None:
    """Kept for people and audits; changes no state."""


_APPLY: Final[dict[type, Callable[[AccountState, int, Any], None]]] = {
    facts.Opened: _opened,
    facts.TookOver: _took_over,
    facts.Rested: _rested,
    facts.Restored: _restored,
    facts.BotStarted: _bot_started,
    facts.BotStopped: _bot_stopped,
    facts.Decided: _decided,
    facts.Armed: _armed,
    facts.CancelArmed: _cancel_armed,
    facts.AttemptMoved: _attempt_moved,
    facts.RejectClosed: _reject_closed,
    facts.OrderMoved: _order_moved,
    facts.Filled: _filled,
    facts.Ghost: _ghost,
    facts.ForeignOrder: _noted,
    facts.CashFlow: _cash_flow,
    facts.Marked: _marked,
    facts.Adjustment: _adjustment,
    facts.Refusal: _refused,
    facts.Halted: guards.halted,
    facts.Resumed: guards.resumed,
    facts.Draining: guards.draining,
    facts.BreakerMoved: guards.breaker,
    facts.Maintenance: guards.maintenance,
    facts.Quarantined: guards.quarantined,
    facts.Released: guards.released,
    facts.Liquidated: _liquidated,
    facts.EmergencyMerged: _noted,
    facts.Reconciled: _reconciled,
    facts.InstrumentChanged: _instrument,
    facts.CommandTaken: _command,
    facts.SignalReceived: _signal,
    facts.BotConfigured: _bot_configured,
    facts.BotRemoved: _bot_removed,
    facts.LimitsSet: _limits_set,
}
