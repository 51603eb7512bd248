"""How the business stands, for who does not trade himself: value, result, activity, health.

Not here: what to do about it (live_trading), the trading figures in detail (business).
"""

from __future__ import annotations

from holdfast.operations.alerts.rules import slo
from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import common
from holdfast.operations.dashboards import exporters as beside
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import ACCOUNT, EVERYWHERE
from holdfast.operations.dashboards.common import BY_ACCOUNT as Q
from holdfast.operations.dashboards.panel import (
    PLAIN,
    Drawn,
    Panel,
    Row,
    above,
    below,
    lines,
    stat,
)  # fmt: skip
from holdfast.operations.dashboards.promql import Query
from holdfast.telemetry.catalogue import services, trading


def board(given: Given) -> Board:
    """The dashboard; over a week at first."""
    return Board(
        uid="holdfast-executive", title="Executive Overview",
        told="What is it worth, what did it earn, does it work?",
        rows=(_figures(given.limits), _market(), _health(given)), variables=(ACCOUNT,), span="7d",
        refresh="1m", addresses=given.addresses,
    )  # fmt: skip


def _figures(limits: Thresholds) -> Row:
    returned = Q.of(trading.UNIT_VALUE).named("{{account}}")
    return Row("Portfolio", (
        stat(
            "Portfolio value", Q.now(trading.EQUITY, "currency", how="sum"),
            "All holdings at last prices, by currency.", width=5, steps=PLAIN,
        ),
        stat(
            "P&L today", Q.now(trading.DAILY_PNL, "currency", how="sum"),
            "Since 00:00 UTC, without deposits and withdrawals.", width=5,
            steps=((None, "red"), (0, "green")),
        ),
        stat(
            "Return in the time shown",
            returned.then(f"{{}} / ({returned.expr} offset $__range) - 1", "percentunit"),
            "Of a unit of the account, so that money that came or went does not count. Empty until "
            "there is as much past as is shown.", width=5, steps=((None, "red"), (0, "green")),
        ),
        stat(
            "Drawdown", Q.now(trading.DRAWDOWN), "How far the worst account is under its peak.",
            width=4, steps=above(limits.drawdown_ratio, limits.drawdown_ratio / 2),
        ),
        stat(
            "Traded in 24 hours", Q.increase(trading.VOLUME, "currency", over="24h"),
            "Value of all executions.", width=5, steps=PLAIN,
        ),
        lines(
            "Value over time", Q.now(trading.EQUITY, "account", "currency", how="sum"), width=12,
            is_stacked=True, told="All holdings at last prices.",
        ),
        lines(
            "P&L of each day", Q.now(trading.DAILY_PNL, "account", "currency", how="sum"),
            width=12, told="Begins again at 00:00 UTC.",
        ),
    ))  # fmt: skip


def _market() -> Row:
    return Row("Market and activity", (
        lines("Prices", Q.now(trading.PRICE, "symbol"), told="Last price, quote units."),
        lines(
            "Volatility",
            common.alias("market_volatility_index", "percentunit").named("{{symbol}}"),
            told="Deviation of the last hour's prices, as a share of their mean.",
        ),
        lines(
            "Executions per hour", Q.increase(trading.TRADES, "account", over="1h"),
            told="Executions booked.",
        ),
    ))  # fmt: skip


def _health(given: Given) -> Row:
    engine = given.promised["engine_availability"].target
    api = given.promised["api_availability"].target
    led = Query(expr=f"min(avg_over_time({slo.LED}[$__range]))", unit="percentunit")
    return Row("Does it work?", (
        stat(
            "Trading was possible", led,
            f"Share of the time shown in which every account had a leader. Promised: {engine:.2%}.",
            steps=below(2 * engine - 1, engine),
        ),
        stat(
            "API answered",
            EVERYWHERE.increase(services.HTTP_REQUESTS, where='status!~"5.."').then(
                f"{{}} / ({EVERYWHERE.increase(services.HTTP_REQUESTS).expr} > 0)", "percentunit"
            ),
            f"Answers that are no 5xx, of all. Promised: {api:.1%}.", steps=below(2 * api - 1, api),
        ),
        stat(
            "Filled orders", common.fill_ratio(Q, over="24h"),
            "Of those that the exchange took, within 24 hours.", steps=PLAIN,
        ),
        stat(
            "Broken assumptions", Q.grown(trading.GHOSTS, over="$__range").then("{} or vector(0)"),
            "Orders declared absent that executed, in the time shown. Zero is the promise.",
            steps=above(1),
        ),
        stat(
            "Users now", EVERYWHERE.now(services.ACTIVE_USERS, how="sum"),
            "Who asked within five minutes.", steps=PLAIN,
        ),
        stat(
            "Processes that answer", EVERYWHERE.now(beside.UP, how="avg").then("{}", "percentunit"),
            "Of all that Prometheus watches.", steps=below(0.9, 1),
        ),
        lines(
            "How fast error budgets burn",
            *(
                Query(
                    expr=f"max({slo.share(name, '6h')}) / {1 - objective.target:g}", unit="short",
                    legend=name,
                )
                for name, objective in given.promised.items()
            ),
            told="Over six hours. At 1 a budget lasts exactly as long as it must, at 6 five days.",
            steps=above(6, 1), height=8,
        ),
        Panel(
            title="Firing alerts by severity", drawn=Drawn.BARS, width=8, height=8,
            told="P0 pages at any hour, P1 in business hours, P2 is told, P3 is kept.",
            queries=(
                EVERYWHERE.now(
                    beside.ALERTS, "severity", how="count", where='alertstate="firing"'
                ).then("{} or on() vector(0)"),
            ),
            steps=above(1),
        ),
        common.firing(),
    ))  # fmt: skip
