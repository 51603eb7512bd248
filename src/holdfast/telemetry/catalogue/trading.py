"""Orders, positions and money of an account, as its leader journals them.

All have the label `account`, which the node adds: an account's process counts only its own.
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue import labels as of
from holdfast.telemetry.catalogue.metric import Emitter, Kind, Label, Metric, Unit

_LEADER: Final = (Emitter.LEADER,)
# As the first five promises of an order's latency are measured, and below them our own part.
_ORDER_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0)
_OWN_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


def _counter(name: str, told: str, *labels: Label, unit: Unit = Unit.NONE) -> Metric:
    return Metric(
        name=name, kind=Kind.COUNTER, told=told, emitters=_LEADER, unit=unit,
        labels=(of.ACCOUNT, *labels),
    )  # fmt: skip


def _gauge(name: str, told: str, *labels: Label, unit: Unit = Unit.NONE) -> Metric:
    return Metric(
        name=name, kind=Kind.GAUGE, told=told, emitters=_LEADER, unit=unit,
        labels=(of.ACCOUNT, *labels),
    )  # fmt: skip


def _latency(name: str, told: str, buckets: tuple[float, ...], *labels: Label) -> Metric:
    return Metric(
        name=name, kind=Kind.HISTOGRAM, told=told, emitters=_LEADER, unit=Unit.SECONDS,
        labels=(of.ACCOUNT, *labels), buckets=buckets,
    )  # fmt: skip


ORDERS: Final = _counter(
    "trading_orders_total", "Orders that reached a status.",
    of.EXCHANGE, of.SYMBOL, of.SIDE, of.ORDER_STATUS,
)  # fmt: skip
TRADES: Final = _counter("trades_total", "Executions booked.", of.TRADE_STATUS)
VOLUME: Final = _counter(
    "trading_volume_total", "Value of the executions booked, quote units.",
    of.EXCHANGE, of.SYMBOL, of.SIDE, of.CURRENCY, unit=Unit.MONEY,
)  # fmt: skip
FEES: Final = _counter("trading_fees_total", "Fees paid.", of.ASSET, unit=Unit.MONEY)
REFUSALS: Final = _counter("trading_refusals_total", "Orders that the risk gate refused.", of.RULE)
DECISIONS: Final = _counter("trading_decisions_total", "Decisions journaled.", of.BOT)
CLOSE_FAILURES: Final = _counter(
    "position_close_failures_total",
    "Orders that take exposure off and were rejected, not sent or never executed.",
)
GHOSTS: Final = _counter(
    "trading_ghosts_total", "Orders declared absent that executed: an assumption was broken."
)
FOREIGN_ORDERS: Final = _counter(
    "trading_foreign_orders_total", "Orders at the exchange that the journal does not know.",
    of.OURS,
)  # fmt: skip
RECONCILIATIONS: Final = _counter(
    "trading_reconciliations_total", "Comparisons with the exchange that were journaled.",
    of.AGREEMENT,
)  # fmt: skip

ORDER_LATENCY: Final = _latency(
    "trading_order_latency_seconds",
    "From the event that an order was decided on to its answer in the journal.",
    _ORDER_BUCKETS, of.EXCHANGE,
)  # fmt: skip
FIRST_BYTE: Final = _latency(
    "trading_order_first_byte_seconds",
    "From the event that an order was decided on to its first byte: our own part of the latency.",
    _OWN_BUCKETS,
)
DECISION_TIME: Final = _latency(
    "trading_decision_seconds", "How long a strategy took to decide.", _OWN_BUCKETS, of.BOT
)

ORDERS_OPEN: Final = _gauge("trading_orders_open", "Orders that rest at the exchange.")
ORDERS_IN_DOUBT: Final = _gauge(
    "trading_orders_in_doubt", "Orders of which nobody knows what became of them."
)
DOUBT_AGE: Final = _gauge(
    "trading_doubt_oldest_seconds", "Age of the oldest order in doubt; 0 without any.",
    unit=Unit.SECONDS,
)  # fmt: skip
HALT_LEVEL: Final = _gauge(
    "trading_halt_level",
    "How much is stopped: 0 nothing, 1 entries, 2 and what rests is cancelled, 3 and bots sell.",
    of.BOT,
)
BOT_CONDITION: Final = _gauge(
    "trading_bot_condition", "1 for the condition that a bot is in, 0 for the others.",
    of.BOT, of.CONDITION,
)  # fmt: skip
QUARANTINED: Final = _gauge(
    "trading_quarantined", "Assets and symbols that differ from the exchange: reconcile them."
)
POSITIONS: Final = _gauge(
    "trading_positions_current", "Bots that hold a position.", of.SYMBOL
)
POSITION: Final = _gauge(
    "trading_position_base", "Position of a bot, base units.", of.BOT, of.SYMBOL, unit=Unit.BASE
)
EXPOSURE: Final = _gauge(
    "trading_exposure", "Value of a bot's position at the last price, quote units.",
    of.BOT, of.SYMBOL, of.CURRENCY, unit=Unit.MONEY,
)  # fmt: skip
POSITION_PNL: Final = _gauge(
    "trading_position_pnl", "Profit of a bot in a symbol since it began, quote units.",
    of.BOT, of.SYMBOL, of.CURRENCY, unit=Unit.MONEY,
)  # fmt: skip
DAILY_PNL: Final = _gauge(
    "trading_daily_pnl", "Profit since 00:00 UTC, without deposits and withdrawals.",
    of.CURRENCY, unit=Unit.MONEY,
)  # fmt: skip
EQUITY: Final = _gauge(
    "trading_equity", "All holdings at last prices.", of.CURRENCY, unit=Unit.MONEY
)
UNIT_VALUE: Final = _gauge(
    "trading_unit_value",
    "Worth of a unit of the account, 1 at its first deposit; money that comes or goes changes it "
    "not: returns are measured on it.",
)
DRAWDOWN: Final = _gauge(
    "trading_drawdown_ratio", "How far the account is under its peak.", unit=Unit.RATIO
)
PRICE: Final = _gauge(
    "trading_current_price", "Last price, quote units.", of.SYMBOL, unit=Unit.MONEY
)

METRICS: Final = (
    ORDERS, TRADES, VOLUME, FEES, REFUSALS, DECISIONS, CLOSE_FAILURES, GHOSTS, FOREIGN_ORDERS,
    RECONCILIATIONS, ORDER_LATENCY, FIRST_BYTE, DECISION_TIME, ORDERS_OPEN, ORDERS_IN_DOUBT,
    DOUBT_AGE, HALT_LEVEL, BOT_CONDITION, QUARANTINED, POSITIONS, POSITION, EXPOSURE, POSITION_PNL,
    DAILY_PNL, EQUITY, UNIT_VALUE, DRAWDOWN, PRICE,
)  # fmt: skip
