"""What pages at any hour: nothing trades, money is at risk, or an assumption of ours was broken.

Not here: what can wait for business hours (trading, infrastructure).
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.operations.alerts.model import Alert, Group, Severity
from holdfast.operations.alerts.promql import TRADING, foreign, grown, led, series
from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.scrape import TRADING_S
from holdfast.telemetry.catalogue import node, trading

INTERVAL_S = 10
_P0 = Severity.P0

TRADING_BOT_DOWN = Alert(
    name="TradingBotDown",
    severity=_P0,
    # Also when the targets are gone altogether: a comparison of what is not there says nothing.
    expr=f"absent({foreign('up', job=TRADING)} == 1)",
    for_s=30,
    summary="No trading node answers: nothing trades, and nothing watches the positions.",
)

NO_LEADER = Alert(
    name="NoLeader",
    severity=_P0,
    # Also an account whose series are gone, for a quarter of an hour after the last was seen.
    expr=(
        f"count by (account) (last_over_time({series(node.LEADER)}[15m])) "
        f"unless on (account) sum by (account) ({series(node.LEADER)}) >= 1"
    ),
    for_s=20,
    summary="No node leads the account {{ $labels.account }}: it does not trade.",
)

SPLIT_BRAIN = Alert(
    name="SplitBrain",
    severity=_P0,
    # Each node is scraped at a moment of its own: after a handover in between, the one before shows
    # what it was for one interval, and as long as its next scrape takes. A node itself never says 1
    # once its successor may.
    expr=f"sum by (account) ({series(node.LEADER)}) > 1",
    for_s=2 * TRADING_S,
    summary=(
        "{{ $value }} nodes believe that they lead the account {{ $labels.account }}; "
        "the journal lets only one of them order."
    ),
)

JOURNAL_BEHIND = Alert(
    name="JournalBehind",
    severity=_P0,
    expr=f"{grown(series(trading.FOREIGN_ORDERS, origin='ours'), '10m', 'account')} > 0",
    summary=(
        "The exchange has orders of ours that the journal of {{ $labels.account }} does not know: "
        "it is an old copy."
    ),
)

GHOST_ORDER = Alert(
    name="GhostOrder",
    severity=_P0,
    expr=f"{grown(series(trading.GHOSTS), '10m', 'account')} > 0",
    summary=(
        "An order of {{ $labels.account }} executed that had been declared absent, or twice. "
        "The account halts."
    ),
)

POSITION_MISMATCH = Alert(
    name="PositionMismatch",
    severity=_P0,
    expr=(
        f"{grown(series(trading.RECONCILIATIONS, outcome='differed'), '10m', 'account')} > 0 "
        f"or max by (account) ({series(trading.QUARANTINED)}) > 0"
    ),
    summary="Balances or orders of {{ $labels.account }} are not what the journal says.",
)

POSITION_CLOSURE_FAILURE = Alert(
    name="PositionClosureFailure",
    severity=_P0,
    expr=f"{grown(series(trading.CLOSE_FAILURES), '5m', 'account')} > 3",
    summary=(
        "{{ $value | humanize }} orders that should reduce positions of {{ $labels.account }} "
        "failed within five minutes."
    ),
)

JOURNAL_STUCK = Alert(
    name="JournalStuck",
    severity=_P0,
    expr=f"max by (account) ({series(node.COMMIT_AGE)}) > 5",
    for_s=20,
    summary=(
        "No commit of {{ $labels.account }} has come about for "
        "{{ $value | humanizeDuration }}: no order can be armed."
    ),
)

EXCHANGE_UNREACHABLE = Alert(
    name="ExchangeUnreachable",
    severity=_P0,
    # As soon as NoLeader, which follows from it: who is paged is to read the cause.
    expr=f"max by (account, exchange) ({series(node.REACHABLE)}) < 1",
    for_s=20,
    summary="No node reaches the exchange {{ $labels.exchange }} for {{ $labels.account }}.",
)

KEY_REFUSED = Alert(
    name="KeyRefused",
    severity=_P0,
    # A standby's as well: it could not take over, and somebody narrowed what the key may do. A key
    # that is replaced as docs/secrets.md says is missed for two seconds at most.
    expr=f"max by (account, exchange, instance) ({series(node.KEY_TAKEN)}) < 1",
    for_s=20,
    summary=(
        "{{ $labels.exchange }} refuses the key of {{ $labels.account }} on "
        "{{ $labels.instance }}: nothing trades there."
    ),
)

TRADING_BOT_CANT_CONNECT = Alert(
    name="TradingBotCantConnect",
    severity=_P0,
    expr=f"max by (job) ({series(node.LEASE_LEFT)}) <= 0",
    for_s=60,
    summary="No node can renew its lease: the lease store does not answer.",
)


def excessive_loss(limits: Thresholds) -> Alert:
    """The day's loss; no waiting, and the engine's own limit does not wait for us either."""
    return Alert(
        name="ExcessiveLoss",
        severity=_P0,
        expr=f"sum by (account, currency) ({led(trading.DAILY_PNL)}) < -{limits.daily_loss:g}",
        summary=(
            "{{ $labels.account }} is at {{ $value | humanize }} {{ $labels.currency }} "
            "since 00:00 UTC."
        ),
    )


def order_in_doubt(limits: Thresholds) -> Alert:
    """Longer than evidence takes: the horizon of the exchange's answer and the questions after."""
    return Alert(
        name="OrderInDoubtTooLong",
        severity=_P0,
        expr=f"max by (account) ({series(trading.DOUBT_AGE)}) > {limits.doubt_age_s:g}",
        summary=(
            "Nobody knows for {{ $value | humanizeDuration }} what became of an order of "
            "{{ $labels.account }}."
        ),
    )


def store_down() -> Alert:
    """PostgreSQL does not answer its exporter."""
    return Alert(
        name="StoreDown",
        severity=_P0,
        expr=f"{foreign('pg_up')} == 0",
        for_s=30,
        summary="PostgreSQL at {{ $labels.instance }} does not answer: nothing new is ordered.",
    )


def groups(limits: Thresholds) -> Sequence[Group]:
    """The group that is looked at most often."""
    rules = (
        TRADING_BOT_DOWN, NO_LEADER, SPLIT_BRAIN, excessive_loss(limits), order_in_doubt(limits),
        GHOST_ORDER, JOURNAL_BEHIND, POSITION_MISMATCH, POSITION_CLOSURE_FAILURE, JOURNAL_STUCK,
        EXCHANGE_UNREACHABLE, KEY_REFUSED, TRADING_BOT_CANT_CONNECT, store_down(),
    )  # fmt: skip
    return (Group(name="trading_critical", interval_s=INTERVAL_S, rules=rules),)
