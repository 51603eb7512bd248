"""What pages in business hours, or is told the same day, about trading itself.

Not here: what pages at any hour (critical), machines and services (infrastructure).
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.operations.alerts.model import Alert, Group, Severity
from holdfast.operations.alerts.promql import TRADING, foreign, grown, led, quantile, series
from holdfast.operations.alerts.settings import Thresholds
from holdfast.telemetry.catalogue import node, services, trading

_P1, _P2 = Severity.P1, Severity.P2

# Below these a ratio is chance: requests per second, orders per hour.
_LEAST_REQUESTS_PER_S = 0.1
_LEAST_ORDERS = 10

NODE_DOWN = Alert(
    name="NodeDown",
    severity=_P1,
    expr=f"{foreign('up', job=TRADING)} == 0",
    for_s=60,
    summary="The trading node {{ $labels.instance }} does not answer.",
)

STANDBY_MISSING = Alert(
    name="StandbyMissing",
    severity=_P1,
    # Only where there was one within a day: whoever runs a single node has decided so.
    expr=(
        f"max by (account) (max_over_time({series(node.STANDBY_READY)}[1d])) == 1 "
        f"unless on (account) max by (account) ({series(node.STANDBY_READY)}) == 1"
    ),
    for_s=120,
    summary="Nobody could take {{ $labels.account }} over: there is no warm standby.",
)

FAILOVERS_REPEAT = Alert(
    name="FailoversRepeat",
    severity=_P2,
    expr=f"{grown(series(node.TAKEOVERS, cause='failure'), '1h', 'account')} > 2",
    summary=(
        "{{ $labels.account }} was taken over {{ $value | humanize }} times within an hour "
        "because its leader failed."
    ),
)

FENCE_REFUSALS = Alert(
    name="FenceRefusals",
    severity=_P1,
    # One or two are how a leader that was paused learns that it is none any more.
    expr=f"{grown(series(node.FENCED), '5m', 'account')} > 3",
    summary=(
        "A node that does not lead {{ $labels.account }} any more goes on writing; "
        "the journal refused it {{ $value | humanize }} times."
    ),
)

_ACCOUNT_HALT = f"max by (account) ({series(trading.HALT_LEVEL, bot='')})"

TRADING_HALTED = Alert(
    name="TradingHalted",
    severity=_P1,
    # Bots show the level of a halted account as well, which is one alert and not one for each.
    expr=(
        f"{_ACCOUNT_HALT} > 0 or max by (account, bot) ({series(trading.HALT_LEVEL, bot='!')}) "
        f"> on (account) group_left {_ACCOUNT_HALT}"
    ),
    for_s=20,
    summary=(
        "Trading halted: {{ $labels.account }}"
        "{{ if $labels.bot }}, bot {{ $labels.bot }}{{ end }}, level {{ $value }}."
    ),
)

CIRCUIT_BREAKER_OPEN = Alert(
    name="CircuitBreakerOpen",
    severity=_P1,
    expr=f"max by (account, exchange, endpoint) ({series(node.BREAKER_STATE)}) == 2",
    keep_s=60,
    summary=(
        "Trading halted: the circuit breaker for {{ $labels.endpoint }} requests of "
        "{{ $labels.account }} is open; exits and cancels go on."
    ),
)

EXCHANGE_MAINTENANCE = Alert(
    name="ExchangeMaintenance",
    severity=_P2,
    expr=f"max by (account, exchange) ({series(node.MAINTENANCE)}) == 1",
    summary="The exchange of {{ $labels.account }} is under maintenance: nothing is opened.",
)

BOT_FAILED = Alert(
    name="BotFailed",
    severity=_P1,
    expr=f"max by (account, bot) ({series(trading.BOT_CONDITION, condition='failed')}) == 1",
    summary="The bot {{ $labels.bot }} of {{ $labels.account }} failed; its position stays.",
)

ACCOUNT_RESTARTS = Alert(
    name="AccountRestarts",
    severity=_P1,
    expr=f"{grown(series(node.RESTARTS), '10m', 'account, instance')} > 3",
    summary=(
        "The process of {{ $labels.account }} on {{ $labels.instance }} was begun again "
        "{{ $value | humanize }} times within ten minutes."
    ),
)

ACCOUNT_STREAM_DOWN = Alert(
    name="AccountStreamDown",
    severity=_P1,
    expr=f"max by (account, exchange) ({led(node.STREAM_UP)}) < 1",
    for_s=60,
    summary=(
        "{{ $labels.account }} hears nothing of its orders from {{ $labels.exchange }}, and asks "
        "instead."
    ),
)

WEBSOCKET_FLAPPING = Alert(
    name="WebsocketFlapping",
    severity=_P2,
    expr=f"{grown(series(node.DISCONNECTS), '10m', 'account, exchange, stream')} > 5",
    summary=(
        "The {{ $labels.stream }} stream of {{ $labels.account }} went down "
        "{{ $value | humanize }} times within ten minutes."
    ),
)

FOREIGN_ORDER = Alert(
    name="ForeignOrder",
    severity=_P2,
    expr=f"{grown(series(trading.FOREIGN_ORDERS, origin='other'), '10m', 'account')} > 0",
    summary="Somebody else places orders on {{ $labels.account }}.",
)

VERSIONS_DIFFER = Alert(
    name="VersionsDiffer",
    severity=Severity.P3,
    expr=f"count(count by (version) ({series(services.BUILD)})) > 1",
    for_s=3600,
    summary="{{ $value }} versions of Holdfast have run beside each other for an hour.",
)


def latencies(limits: Thresholds) -> Sequence[Alert]:
    """How long an order takes, in all and on our side, and how long the journal takes of it."""
    return (
        Alert(
            name="HighOrderLatency",
            severity=_P1,
            expr=(
                f"{quantile(0.95, trading.ORDER_LATENCY, 'account, exchange')} "
                f"> {limits.order_latency_s:g}"
            ),
            for_s=300,
            summary=(
                "Orders of {{ $labels.account }} take {{ $value | humanizeDuration }} "
                "(95th percentile)."
            ),
        ),
        Alert(
            name="OrderPathSlow",
            severity=_P2,
            expr=f"{quantile(0.95, trading.FIRST_BYTE, 'account')} > {limits.own_latency_s:g}",
            for_s=600,
            summary=(
                "Our own part of an order of {{ $labels.account }} takes "
                "{{ $value | humanizeDuration }} (95th percentile)."
            ),
        ),
        Alert(
            name="JournalSlow",
            severity=_P1,
            expr=(
                f"{quantile(0.99, node.APPEND, 'account', kind='arming')} "
                f"> {limits.journal_append_s:g}"
            ),
            for_s=300,
            summary=(
                "Orders of {{ $labels.account }} wait {{ $value | humanizeDuration }} for the "
                "journal (99th percentile)."
            ),
        ),
    )


def exchange(limits: Thresholds) -> Sequence[Alert]:
    """What the exchange answers, and how much may still be asked."""
    by = "account, exchange"
    requests = f"sum by ({by}) (rate({series(node.API_REQUESTS)}[5m]))"
    errors = f"sum by ({by}) (rate({series(node.API_ERRORS)}[5m]))"
    return (
        Alert(
            name="ExchangeAPIErrors",
            severity=_P1,
            expr=(
                f"{errors} / {requests} > {limits.exchange_error_ratio:g} "
                f"and {requests} > {_LEAST_REQUESTS_PER_S:g}"
            ),
            for_s=180,
            summary=(
                "{{ $value | humanizePercentage }} of the requests of {{ $labels.account }} to "
                "{{ $labels.exchange }} get no usable answer."
            ),
        ),
        Alert(
            name="RateBudgetLow",
            severity=_P2,
            expr=(
                f"min by (account, exchange, limit) ({series(node.RATE_BUDGET)}) "
                f"< {limits.rate_budget_ratio:g}"
            ),
            for_s=60,
            summary=(
                "{{ $value | humanizePercentage }} of the {{ $labels.limit }} limit of "
                "{{ $labels.exchange }} is left for {{ $labels.account }}."
            ),
        ),
    )


def ages(limits: Thresholds) -> Sequence[Alert]:
    """How old what is decided on is, and whether the loop that decides turns."""
    by, most = "max by (account, instance)", f"{limits.loop_age_s:g}"
    return (
        Alert(
            name="StaleMarketData",
            severity=_P1,
            expr=f"max by (account, bot) ({led(node.DATA_AGE)}) > {limits.data_age_s:g}",
            for_s=20,
            summary=(
                "The newest market data of {{ $labels.bot }} ({{ $labels.account }}) is "
                "{{ $value | humanizeDuration }} old."
            ),
        ),
        Alert(
            name="LoopStalled",
            severity=_P1,
            expr=(
                f"{by} ({led(node.LOOP_AGE)}) > {most} "
                f"or {by} (time() - {led(node.HEARTBEAT)}) > {most}"
            ),
            for_s=20,
            summary=(
                "The process of {{ $labels.account }} on {{ $labels.instance }} has not been seen "
                "to turn for {{ $value | humanizeDuration }}."
            ),
        ),
    )


def results(limits: Thresholds) -> Sequence[Alert]:
    """What trading comes to."""
    by = "account, exchange, symbol"
    filled = grown(series(trading.ORDERS, status="filled"), "1h", by)
    taken = grown(series(trading.ORDERS, status="acknowledged"), "1h", by)
    return (
        Alert(
            name="LowOrderFillRate",
            severity=_P2,
            expr=(
                f"({filled} or 0 * {taken}) / {taken} < {limits.fill_ratio:g} "
                f"and {taken} >= {_LEAST_ORDERS}"
            ),
            for_s=600,
            summary=(
                "{{ $value | humanizePercentage }} of the orders of {{ $labels.account }} in "
                "{{ $labels.symbol }} were filled within an hour."
            ),
        ),
        Alert(
            name="HighDrawdown",
            severity=_P2,
            expr=f"max by (account) ({led(trading.DRAWDOWN)}) > {limits.drawdown_ratio:g}",
            for_s=20,
            summary=(
                "{{ $labels.account }} is {{ $value | humanizePercentage }} below its highest "
                "equity."
            ),
        ),
    )


def groups(limits: Thresholds) -> Sequence[Group]:
    """The group of this module."""
    rules = (
        NODE_DOWN, STANDBY_MISSING, FAILOVERS_REPEAT, FENCE_REFUSALS, TRADING_HALTED,
        CIRCUIT_BREAKER_OPEN, EXCHANGE_MAINTENANCE, BOT_FAILED, ACCOUNT_RESTARTS,
        ACCOUNT_STREAM_DOWN, WEBSOCKET_FLAPPING, FOREIGN_ORDER, VERSIONS_DIFFER,
        *latencies(limits), *exchange(limits), *ages(limits), *results(limits),
    )  # fmt: skip
    return (Group(name="trading", rules=rules),)
