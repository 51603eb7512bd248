"""How trading does: by account, bot and market, over days.

Not here: whether it runs (live_trading), a single run of the past (reports of backtests).
"""

from __future__ import annotations

from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import common
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import ACCOUNT, BOT
from holdfast.operations.dashboards.common import BY_BOT as Q
from holdfast.operations.dashboards.panel import PLAIN, Row, above, below, lines, stat
from holdfast.telemetry.catalogue import trading


def board(given: Given) -> Board:
    """The dashboard; over a day at first."""
    return Board(
        uid="holdfast-business", title="Business Metrics",
        told="Which account, bot and market earns, trades and costs what?",
        rows=(_figures(given.limits), _results(given.limits), _activity(given.limits), _bots()),
        variables=(ACCOUNT, BOT), span="24h", refresh="1m", addresses=given.addresses,
    )  # fmt: skip


def _figures(limits: Thresholds) -> Row:
    return Row("Figures", (
        stat(
            "P&L today", Q.now(trading.DAILY_PNL, "account", "currency", how="sum"),
            "Since 00:00 UTC.", steps=((None, "red"), (0, "green")),
        ),
        stat(
            "Equity", Q.now(trading.EQUITY, "account", "currency", how="sum"),
            "All holdings at last prices.", steps=PLAIN,
        ),
        stat(
            "Drawdown", Q.now(trading.DRAWDOWN, "account"), "Under the peak.",
            steps=above(limits.drawdown_ratio, limits.drawdown_ratio / 2),
        ),
        stat(
            "Sharpe ratio", common.alias("trading_sharpe_ratio", "short").named("{{account}}"),
            "Of thirty days of returns, per year; empty before.",
            steps=((None, "red"), (0, "green")),
        ),
        stat(
            "Filled orders", common.fill_ratio(Q, over="24h"),
            "Of those that the exchange took, within 24 hours.",
            steps=below(limits.fill_ratio),
        ),
        stat(
            "Positions", Q.now(trading.POSITIONS, "symbol", how="sum"),
            "Bots that hold a position, by market.", steps=PLAIN,
        ),
    ))  # fmt: skip


def _results(limits: Thresholds) -> Row:
    return Row("Results", (
        lines(
            "P&L by bot and market",
            Q.now(trading.POSITION_PNL, "account", "bot", "symbol", "currency", how="sum"),
            told="Since a bot began.", width=12, link=common.BOTS,
        ),
        lines(
            "Worth of a unit", Q.now(trading.UNIT_VALUE, "account"), width=12,
            told="1 at the first deposit: the return without money that came or went.",
        ),
        lines(
            "Drawdown over time", Q.now(trading.DRAWDOWN, "account"), told="Under the peak.",
            steps=above(limits.drawdown_ratio),
        ),
        lines(
            "Exposure", Q.now(trading.EXPOSURE, "bot", "symbol", "currency", how="sum"),
            told="Value of positions at the last price.", is_stacked=True,
        ),
        lines(
            "Positions in base units", Q.now(trading.POSITION, "bot", "symbol", how="sum"),
            told="What bots hold.",
        ),
    ))  # fmt: skip


def _activity(limits: Thresholds) -> Row:
    return Row("Activity and cost", (
        lines(
            "Volume per hour", Q.increase(trading.VOLUME, "symbol", "currency", over="1h"),
            told="Value of executions.", is_stacked=True,
        ),
        lines("Fees per hour", Q.increase(trading.FEES, "asset", over="1h"), told="By asset."),
        lines(
            "Executions per hour", Q.increase(trading.TRADES, "status", over="1h"),
            told="`foreign` are of orders that no bot made.",
        ),
        lines(
            "Filled orders over time", common.fill_ratio(Q, "symbol"), most=1.0,
            told="Of those that the exchange took, within an hour.",
            steps=below(limits.fill_ratio),
        ),
        lines(
            "Orders by side",
            Q.increase(trading.ORDERS, "side", over="1h", where='status="placed"'),
            told="Placed within an hour.",
        ),
        lines("Prices", Q.now(trading.PRICE, "symbol"), told="Last price, quote units."),
    ))  # fmt: skip


def _bots() -> Row:
    return Row("Bots", (
        lines(
            "Decisions", Q.increase(trading.DECISIONS, "bot", over="1h"),
            told="Journaled within an hour.", link=common.BOTS,
        ),
        lines(
            "Time to decide", Q.quantile(0.95, trading.DECISION_TIME, "bot"),
            told="How long a strategy took.",
        ),
        lines(
            "Bots by condition", Q.now(trading.BOT_CONDITION, "condition", how="sum"),
            told="Running, draining, halted, stopped or failed.", is_stacked=True,
        ),
    ))  # fmt: skip
