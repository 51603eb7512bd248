"""What a record says, for people: a sentence, how grave it is, and which bot and order it is about.

Logs of bots, timelines of orders and alerts are made of this alone, live and from the tables, so
they say the same. Not here: which records there are (journal), what they change (ledger).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from holdfast.domain import fact as facts
from holdfast.domain.fact import AnyFact, BreakerState
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import AttemptState, OrderSpec
from holdfast.ledger.portfolio import Position
from holdfast.ledger.state import AccountState

QUIET: Final = (facts.Marked, facts.InstrumentChanged, facts.SignalReceived)
"""Kinds that come all the time and tell nobody anything by themselves."""


class Level(StrEnum):
    """How grave it is."""

    INFO = "info"
    WARNING = "warning"  # look when you have time
    ERROR = "error"  # look now


_WORSE: Final = {
    AttemptState.IN_DOUBT: Level.WARNING,
    AttemptState.REJECTED: Level.WARNING,
    AttemptState.NOT_SENT: Level.WARNING,
    AttemptState.NEVER_EXECUTED: Level.WARNING,
}
_ATTEMPTS: Final = {
    AttemptState.ACKED: "The exchange has it",
    AttemptState.REJECTED: "The exchange refused it",
    AttemptState.NOT_SENT: "It never left this machine",
    AttemptState.IN_DOUBT: "Nobody knows whether it arrived: asking, never sending again",
    AttemptState.NEVER_EXECUTED: "Proved never to have executed",
}


def kind_of(fact: AnyFact) -> str:
    """The name of a fact's kind, as the journal has it."""
    return str(type(fact).__struct_config__.tag)


def level_of(fact: AnyFact) -> Level:
    """How grave a fact is."""
    match fact:
        case facts.Ghost():
            return Level.ERROR
        case facts.BotStopped(failed=True):
            return Level.ERROR
        case facts.ForeignOrder(ours=True):
            return Level.ERROR
        case facts.Halted(by=by):
            return Level.ERROR if by == facts.BY_RISK else Level.WARNING
        case facts.AttemptMoved(state=state):
            return _WORSE.get(state, Level.INFO)
        case facts.BreakerMoved(state=BreakerState.OPEN) | facts.Maintenance(on=True):
            return Level.WARNING
        case facts.Reconciled(agreed=False):
            return Level.WARNING
        case facts.ForeignOrder() | facts.Quarantined() | facts.EmergencyMerged():
            return Level.WARNING
        case facts.Liquidated() | facts.Restored():
            return Level.WARNING
        case _:
            return Level.INFO


def order_of(fact: AnyFact) -> str:
    """The client id of the order that a fact is about, of a cancel its target's; empty of none."""
    if isinstance(fact, facts.CancelArmed):
        return fact.target
    if isinstance(fact, facts.Filled):
        return fact.fill.cid
    return str(getattr(fact, "cid", ""))


def bot_of(fact: AnyFact, state: AccountState) -> str:
    """The bot that a fact is about, itself or by its order; empty of none."""
    own = str(getattr(fact, "bot", ""))
    if own:
        return own
    order = state.order(order_of(fact)) if order_of(fact) else None
    return order.armed.bot if order is not None else ""


def position_after(state: AccountState, fact: facts.Filled) -> Position | None:
    """Of the bot that a fill is of, once it is folded in; None of none of our bots."""
    bot = state.bots.get(fact.bot)
    return bot.positions.get(fact.fill.symbol) if bot is not None else None


def tell(fact: AnyFact) -> str:
    """One sentence, with a full stop."""
    teller = _TELL.get(type(fact))
    text = teller(fact) if teller is not None else kind_of(fact).replace("_", " ").capitalize()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def order_text(spec: OrderSpec) -> str:
    """An order in words: `buy 0.01 BTC/USDT at 50000.01`."""
    at = "at market" if spec.price is None else f"at {plain(spec.price)}"
    stop = "" if spec.stop_price is None else f" once {plain(spec.stop_price)} is reached"
    return f"{spec.side.lower()} {plain(spec.quantity)} {spec.symbol} {at}{stop}"


def _signed(amount: Decimal) -> str:
    return f"+{plain(amount)}" if amount > 0 else plain(amount)


def _why(text: str) -> str:
    return f": {text}" if text else ""


def _attempt(fact: facts.AttemptMoved) -> str:
    what = _ATTEMPTS.get(fact.state, str(fact.state))
    state = "" if fact.order_state is None else f" ({str(fact.order_state).lower()})"
    code = f", code {fact.code}" if fact.code else ""
    return f"{what}{state}{code}{_why(fact.evidence)}"


def _filled(fact: facts.Filled) -> str:
    fill = fact.fill
    fee = f", fee {plain(fill.fee)} {fill.fee_asset}" if fill.fee else ""
    did = "Bought" if fill.side == "BUY" else "Sold"
    return f"{did} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)}{fee}"


def _halted(fact: facts.Halted) -> str:
    whose = f"Bot {fact.bot}" if fact.bot else "The account"
    return f"{whose} was halted ({fact.level}) by {fact.by}{_why(fact.reason)}"


def legs_text(legs: Iterable[facts.Leg]) -> str:
    """What a bot wants, in words: `hold 0.5 BTC/USDT; hold 0 ETH/USDT`."""
    return "; ".join(_leg(leg) for leg in legs) or "nothing"


def _decided(fact: facts.Decided) -> str:
    return f"Decision {fact.number}: {legs_text(fact.legs)}"


def _leg(leg: facts.Leg) -> str:
    if leg.target is not None:
        return f"hold {plain(leg.target)} {leg.symbol}"
    quantity, price = leg.quantity or ZERO, leg.price or ZERO
    return f"{str(leg.side).lower()} {plain(quantity)} {leg.symbol} at {plain(price)}"


def _reconciled(fact: facts.Reconciled) -> str:
    if fact.agreed:
        return "Orders, fills and balances agree with the exchange"
    return f"The exchange differs: {'; '.join(fact.findings)}"


def _breaker(fact: facts.BreakerMoved) -> str:
    return f"The exchange's {fact.endpoint} requests: breaker {fact.state}{_why(fact.evidence)}"


_TELL: Final[dict[type, Callable[[Any], str]]] = {
    facts.Opened: lambda f: f"The journal of {f.account} begins",
    facts.TookOver: lambda f: f"{f.node} leads (version {f.version})",
    facts.Rested: lambda f: f"The leader came to rest ({f.why}): nothing was on its way",
    facts.BotStarted: lambda f: f"Bot {f.bot} trades, configuration {f.config_version}",
    facts.BotStopped: lambda f: (
        f"Bot {f.bot} {'failed' if f.failed else 'stopped'}{_why(f.reason)}"
    ),
    facts.Decided: _decided,
    facts.Armed: lambda f: f"Armed to {order_text(f.spec)}, attempt {f.n}",
    facts.CancelArmed: lambda f: (
        "Cancel armed to settle a doubt" if f.barrier else f"Cancel armed in {f.symbol}"
    ),
    facts.AttemptMoved: _attempt,
    facts.RejectClosed: lambda f: f"Its rejection is final{_why(f.evidence)}",
    facts.OrderMoved: lambda f: (
        f"The order is {str(f.state).lower().replace('_', ' ')}, executed {plain(f.executed)}"
        f"{_why(f.reason)}"
    ),
    facts.Filled: _filled,
    facts.Ghost: lambda f: f"It executed although it was proved absent{_why(f.evidence)}",
    facts.ForeignOrder: lambda f: (
        f"An order at the exchange that is {'not in the journal' if f.ours else 'not ours'} "
        f"({f.symbol}, policy {f.policy}){_why(f.evidence)}"
    ),
    facts.CashFlow: lambda f: (
        f"{_signed(f.amount)} {f.asset} without a trade ({f.reason})"
        f"{_why(f.evidence) if f.reason == facts.UNKNOWN else ''}"
    ),
    facts.Adjustment: lambda f: (
        f"{_signed(f.amount)} {f.asset} adjusted by {f.actor}{_why(f.evidence)}"
    ),
    facts.Refusal: lambda f: f"The risk gate refused: {f.rule}, seen {f.seen}, allowed {f.limit}",
    facts.Halted: _halted,
    facts.Resumed: lambda f: (
        f"{f'Bot {f.bot}' if f.bot else 'The account'} was resumed by {f.by}"
    ),
    facts.Draining: lambda f: (
        f"Bot {f.bot} {'takes on nothing new' if f.on else 'trades again'} (by {f.by})"
        f"{_why(f.reason)}"
    ),
    facts.BreakerMoved: _breaker,
    facts.Maintenance: lambda f: (
        f"The exchange {'is under maintenance' if f.on else 'answers again'}{_why(f.evidence)}"
    ),
    facts.Quarantined: lambda f: f"Nothing is added to {f.what}{_why(f.evidence)}",
    facts.Released: lambda f: f"{f.what} is out of quarantine{_why(f.evidence)}",
    facts.Liquidated: lambda f: (
        f"{plain(f.quantity)} {f.symbol} of bot {f.bot} were sold, by no order of its own, at "
        f"{plain(f.price)}"
    ),
    facts.EmergencyMerged: lambda f: (
        f"What {f.by} did without the journal is in it now ({len(f.cids)} orders)"
    ),
    facts.Restored: lambda f: (
        f"Restored from a backup by {f.by}: what came later is known from the exchange alone"
        f"{_why(f.reason)}"
    ),
    facts.Reconciled: _reconciled,
    facts.CommandTaken: lambda f: f"Command {f.name} by {f.by} took effect",
    facts.Marked: lambda f: f"Equity {plain(f.equity)}",
    facts.InstrumentChanged: lambda _: "An instrument's rules changed",
    facts.SignalReceived: lambda f: f"Signal {f.signal}: {f.value}",
}
