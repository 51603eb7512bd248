"""Facts: everything that can happen to an account, as the journal keeps it.

One closed union. The state of an account is a fold of its facts and of nothing else. Not here: the
bytes and the chain (journal.record), the fold (ledger.fold).
"""
# ruff: noqa: PLC0414 - facts of streams, guards and configuration are taken from here like all others

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.configured import BotConfigured as BotConfigured
from holdfast.domain.configured import BotRemoved as BotRemoved
from holdfast.domain.configured import CommandTaken as CommandTaken
from holdfast.domain.configured import LimitsSet as LimitsSet
from holdfast.domain.fact_base import Fact
from holdfast.domain.fill import Fill
from holdfast.domain.guard import BY_RISK as BY_RISK
from holdfast.domain.guard import BreakerMoved as BreakerMoved
from holdfast.domain.guard import BreakerState as BreakerState
from holdfast.domain.guard import Draining as Draining
from holdfast.domain.guard import EmergencyMerged as EmergencyMerged
from holdfast.domain.guard import Halted as Halted
from holdfast.domain.guard import HaltLevel as HaltLevel
from holdfast.domain.guard import Liquidated as Liquidated
from holdfast.domain.guard import Maintenance as Maintenance
from holdfast.domain.guard import Quarantined as Quarantined
from holdfast.domain.guard import Released as Released
from holdfast.domain.guard import Resumed as Resumed
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderSpec, OrderState, Side
from holdfast.domain.stream import Opened as Opened
from holdfast.domain.stream import Rested as Rested
from holdfast.domain.stream import Restored as Restored
from holdfast.domain.stream import TookOver as TookOver


class BotStarted(Fact, frozen=True, tag="bot_started"):
    """A bot trades from here on, under this configuration.

    Attributes:
        config: canonical JSON of strategy, parameters and limits; decisions name its version.
        anchor_ns: open time of the first bar that its indicators have ever seen.
    """

    bot: str
    config_version: int
    config: str
    anchor_ns: int


class BotStopped(Fact, frozen=True, tag="bot_stopped"):
    """A bot makes no decisions any more until it is started again.

    Attributes:
        failed: True when its strategy broke (raised, returned nonsense, never returned).
    """

    bot: str
    reason: str
    failed: bool = False


class Leg(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One fixed quantity of a decision.

    Attributes:
        leg: symbol and level of the wish; part of the identity of the intents that follow.
        target: the net position wanted, base units (legs of a target), else None.
        side, quantity, price: a resting level (legs of quotes), else None. A target's `price` is
            the limit that it is bought and sold at.
        cap_pct: how far from the last price a target may be bought or sold, at once; None at any.
        stop, take_profit: prices to leave at; None without, or when a distance says it.
        stop_pct, take_profit_pct: the same as distances from the first fill, in percent.
        trail: the stop follows the closes upward at its distance.
        band: a target is met when the position is as near as this, base units.
        episode: after a stop or a take-profit the target is spent until this changes.
        since: number of the decision that fixed it, when later ones left it alone; 0 in its own.
    """

    leg: str
    symbol: str
    target: Decimal | None = None
    side: Side | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    post_only: bool = False
    cap_pct: Decimal | None = None
    stop: Decimal | None = None
    stop_pct: Decimal | None = None
    take_profit: Decimal | None = None
    take_profit_pct: Decimal | None = None
    trail: bool = False
    band: Decimal = ZERO
    episode: str = ""
    since: int = 0

    @property
    def has_exits(self) -> bool:
        """Whether it says where to leave."""
        return not (
            self.stop is None
            and self.stop_pct is None
            and self.take_profit is None
            and self.take_profit_pct is None
        )


class Decided(Fact, frozen=True, tag="decided"):
    """A bot's standing wish changed, resolved into quantities.

    Attributes:
        number: the bot's decision counter, from 1, no gaps.
        key: what makes it unique for the bot: its number, or a key that the wish brought along.
        wish: the wish as declared, canonical JSON, for people.
        memory: the strategy's own memory after this decision, canonical JSON; None without one.
        seen_ns: time of the market event it was decided on.
        seen: the quotes and trades that it was decided on, JSON; empty when only on bars.
    """

    bot: str
    number: int
    key: str
    config_version: int
    wish: str
    legs: tuple[Leg, ...]
    seen_ns: int
    seen: str = ""
    memory: str | None = None


class Armed(Fact, frozen=True, tag="armed"):
    """One attempt may be sent from now on, once, with exactly this id and deadline.

    The orders of a list are armed together, share one intent, one deadline and one reservation, and
    leave in one request.

    Attributes:
        cid: client order id.
        intent_id, n: the intent and the number of this attempt at it, from 1.
        leg, seq: leg of the decision, and the remainder's number; with bot and key they make the
            intent id.
        decision: number of the decision that made it; 0 for an operator's.
        timestamp_ms, window_ms: signed into the request; the exchange forwards it only while its
            own clock is at most timestamp_ms + window_ms.
        reserve_asset, reserve: what is set aside of the free balance until it is resolved.
        server_sample_ms, sample_age_ms: where timestamp_ms was taken from.
        reduces: it takes exposure off; limits on exposure do not bind it.
        list_cid: client id of the order list that it is a part of; empty when it stands alone.
        part: its place in that list, from 1; 0 when it stands alone.
    """

    cid: str
    intent_id: str
    n: int
    bot: str
    leg: str
    seq: int
    decision: int
    spec: OrderSpec
    boot_id: str
    timestamp_ms: int
    window_ms: int
    reserve_asset: str
    reserve: Decimal
    server_sample_ms: int = 0
    sample_age_ms: int = 0
    reduces: bool = False
    list_cid: str = ""
    part: int = 0


class CancelArmed(Fact, frozen=True, tag="cancel_armed"):
    """A cancel may be sent; it may be repeated as a new row.

    Attributes:
        cid: the cancel's own id.
        target: client order id of the attempt to cancel.
        barrier: True when it settles a doubt rather than ends a wish.
        order_id: the venue's id of the one order that it is for, when another has the target's id
            as well; else empty.
    """

    cid: str
    target: str
    symbol: str
    boot_id: str
    timestamp_ms: int
    window_ms: int
    barrier: bool = False
    order_id: str = ""


class AttemptMoved(Fact, frozen=True, tag="attempt"):
    """What is known of an attempt changed.

    Attributes:
        order_id: the venue's id, once there is positive evidence.
        order_state, executed: the venue order's, with the evidence; None when it says nothing.
        final: a REJECTED that cannot hide an execution and closes at once.
        code, evidence: the venue's code, and what was seen where, for people.
        server_ms: exchange time when it was learnt (a lower bound).
    """

    cid: str
    state: AttemptState
    order_id: str = ""
    order_state: OrderState | None = None
    executed: Decimal | None = None
    final: bool = False
    code: str = ""
    evidence: str = ""
    server_ms: int = 0


class RejectClosed(Fact, frozen=True, tag="reject_closed"):
    """A provisional rejection outlived its horizon and one query by id: its quantity is free."""

    cid: str
    evidence: str
    server_ms: int


class OrderMoved(Fact, frozen=True, tag="order"):
    """The venue's state of an acknowledged order changed; `executed` never falls."""

    cid: str
    state: OrderState
    executed: Decimal
    reason: str = ""


class Filled(Fact, frozen=True, tag="filled"):
    """An execution, booked exactly once by (account, symbol, trade id).

    Attributes:
        bot: whose order it was; empty for an order that no bot of ours made.
        quote_rate: quote units per unit of a third fee asset at that time, as a conversion into
            the quote currency; None when the fee is in base or quote, or cannot be converted.
        rate_source: where the rate came from.
    """

    fill: Fill
    bot: str = ""
    quote_rate: Decimal | None = None
    rate_source: str = ""


class Ghost(Fact, frozen=True, tag="ghost"):
    """Something declared absent executed: an assumption was broken. Booked, alarmed, halted."""

    cid: str
    evidence: str


class ForeignOrder(Fact, frozen=True, tag="foreign_order"):
    """An order at the exchange without a row of ours.

    Attributes:
        ours: it carries this deployment's tag, so the journal is behind the exchange.
        policy: what was done: `halt`, `adopt` or `ignore`.
    """

    symbol: str
    cid: str
    order_id: str
    ours: bool
    policy: str
    evidence: str


UNKNOWN: Final = "unknown"
"""Why money came or went that a balance alone told of; it was accepted by a person or a policy."""


class CashFlow(Fact, frozen=True, tag="cash_flow"):
    """Money that came or went without a fill.

    Attributes:
        amount: signed, in units of `asset`.
        reason: `opening`, `deposit`, `withdrawal`, `transfer`, `UNKNOWN`, …
        at_ns: when it moved, exchange time; of an `UNKNOWN` one, when its balance was asked for.
        flow_id: unique at its source when there is one, so that it is booked once.
        rate: reporting units per unit of `asset` at that time; None when unknown.
        equity: of the account just before, reporting units; None while it cannot be told.
    """

    asset: str
    amount: Decimal
    reason: str
    evidence: str
    at_ns: int
    flow_id: str = ""
    rate: Decimal | None = None
    equity: Decimal | None = None


class Marked(Fact, frozen=True, tag="marked"):
    """Equity at a moment: the series that charts, daily loss and drawdown are folds of.

    Attributes:
        equity: reporting units.
        pnl: each bot's profit since it began, reporting units, open positions marked.
        prices: the marks used, quote units by symbol.
        new_day: the first mark of a UTC day; the daily loss counts from it.
    """

    at_ns: int
    equity: Decimal
    pnl: dict[str, Decimal]
    prices: dict[str, Decimal]
    new_day: bool = False


class Adjustment(Fact, frozen=True, tag="adjustment"):
    """A correction of a holding, with evidence and actor, where a bot's position lost something.

    Other differences that were accepted are an `UNKNOWN` cash flow; in older records, this.

    Attributes:
        bot, symbol: whose position lost it as well, at what it had cost; empty when no bot's did.
    """

    asset: str
    amount: Decimal
    actor: str
    evidence: str
    bot: str = ""
    symbol: str = ""


class Refusal(Fact, frozen=True, tag="refused"):
    """The risk gate said no; kept with its reason.

    Attributes:
        rule: name of the limit or check.
        seen, limit: what was found and what was allowed, as text.
    """

    bot: str
    leg: str
    rule: str
    seen: str
    limit: str
    spec: OrderSpec | None = None


class Reconciled(Fact, frozen=True, tag="reconciled"):
    """Orders, fills and balances were compared with the exchange.

    Attributes:
        agreed: nothing was left unexplained.
        findings: one line each, for people.
    """

    agreed: bool
    findings: tuple[str, ...] = ()


class InstrumentChanged(Fact, frozen=True, tag="instrument"):
    """An instrument's grid or status differs from what was known (or is known first)."""

    instrument: str


class SignalReceived(Fact, frozen=True, tag="signal"):
    """A value of an external series became known here; no decision of an earlier close sees it.

    Attributes:
        signal: its name in the configuration.
        value: JSON, as it was received.
        known_at_ns: when its source says that it was known.
        received_ns: exchange time at which it was taken, never before that of the one before.
        signal_id: unique at its source; empty without.
    """

    signal: str
    value: str
    known_at_ns: int
    received_ns: int
    signal_id: str = ""


AnyFact = (
    Opened
    | TookOver
    | Rested
    | Restored
    | BotStarted
    | BotStopped
    | Decided
    | Armed
    | CancelArmed
    | AttemptMoved
    | RejectClosed
    | OrderMoved
    | Filled
    | Ghost
    | ForeignOrder
    | CashFlow
    | Marked
    | Adjustment
    | Refusal
    | Halted
    | Resumed
    | Draining
    | BreakerMoved
    | Maintenance
    | Quarantined
    | Released
    | Liquidated
    | EmergencyMerged
    | Reconciled
    | InstrumentChanged
    | CommandTaken
    | SignalReceived
    | BotConfigured
    | BotRemoved
    | LimitsSet
)
