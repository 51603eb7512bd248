"""What who is on call looks at first: who leads, how old prices are, whether anything is in doubt.

Not here: money over weeks (business), machines (infrastructure).
"""

from __future__ import annotations

from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import common
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import ACCOUNT, BOT, NODE
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
from holdfast.operations.dashboards.promql import Scope
from holdfast.telemetry.catalogue import node, trading

_Q = Scope({"account": "account", "bot": "bot", "instance": "node"})


def board(given: Given) -> Board:
    """The dashboard.
"""
    limits = given.limits
    rows = (
        _first(limits), _orders(limits), _money(limits), _exchange(limits), _account(limits),
        _node(limits), _said(),
    )  # fmt: skip
    return Board(
        uid="holdfast-live-trading",
        title="Crypto Trading Bot - Live Trading",
        told="Is it trading, who leads, how old are the prices, is anything in doubt?",
        rows=rows, variables=(ACCOUNT, BOT, NODE), addresses=given.addresses,
    )  # fmt: skip


def _first(limits: Thresholds) -> Row:
    return Row("Is it trading?", (
        stat(
            "Leaders", _Q.now(node.LEADER, "account", how="sum"),
            "Nodes that lead each account. 0: nobody trades it. 2 for longer than a scrape: two "
            "believe that they lead; the journal lets one of them order.",
            steps=((None, "red"), (1, "green"), (2, "red")), link=common.CLUSTER,
        ),
        stat(
            "Who leads", _Q.of(node.LEADER).then("{} == 1").named("{{account}}: {{instance}}"),
            "The node that leads, by its address.", steps=((None, "blue"),), names=True,
            link=common.CLUSTER,
        ),
        stat(
            "Age of prices", _Q.now(node.DATA_AGE, "account", "bot", how="min"),
            "How long ago a bot's newest market data came, on the node that has it newest.",
            steps=above(limits.data_age_s, limits.data_age_s / 2), link=common.BOTS,
        ),
        stat(
            "Orders in doubt", _Q.now(trading.ORDERS_IN_DOUBT, "account", how="sum"),
            "Nobody knows what became of them. They are asked about, never sent again.",
            steps=((None, "green"), (1, "orange")), link=common.DOUBTFUL_ORDERS,
        ),
        stat(
            "Oldest doubt", _Q.now(trading.DOUBT_AGE, "account"),
            "Evidence takes some seconds. Red: longer than it ever should.",
            steps=above(limits.doubt_age_s, limits.doubt_age_s / 2), link=common.DOUBTFUL_ORDERS,
        ),
        stat(
            "Standby", _Q.now(node.STANDBY_READY, "account", how="sum"),
            "Nodes that could take the account over at once.", steps=below(1), link=common.CLUSTER,
        ),
        stat(
            "Halted", _Q.now(trading.HALT_LEVEL, "account"),
            "The most that is stopped of an account or one of its bots.",
            steps=((None, "green"), (1, "orange"), (3, "red")), words=common.LEVELS,
            link=common.RISK, width=8,
        ),
        Panel(
            title="Bots", told="Bots by the condition that they are in.", width=8, height=4,
            queries=(_Q.now(trading.BOT_CONDITION, "condition", how="sum"),), drawn=Drawn.BARS,
            link=common.BOTS,
        ),
        common.firing(height=4),
    ))  # fmt: skip


def _orders(limits: Thresholds) -> Row:
    latency = trading.ORDER_LATENCY
    return Row("Orders", (
        lines(
            "Order latency", _Q.quantile(0.95, latency, "exchange"),
            _Q.quantile(0.5, latency, "exchange"),
            told="From the event that an order was decided on to its acknowledgement.",
            steps=above(limits.order_latency_s), link=common.ORDERS,
        ),
        lines(
            "Our own part of it", _Q.quantile(0.95, trading.FIRST_BYTE),
            _Q.quantile(0.95, trading.DECISION_TIME).named("p95 deciding"),
            told="From the event to the order's first byte, and how long strategies took of that.",
            steps=above(limits.own_latency_s),
        ),
        lines(
            "Orders by what became of them", _Q.per_second(trading.ORDERS, "status"),
            told="An order passes several of these.", link=common.ORDERS,
        ),
        lines(
            "Filled orders", common.fill_ratio(_Q, "account", over="10m"),
            told="Of those that the exchange took, within ten minutes.",
            steps=below(limits.fill_ratio), most=1.0,
        ),
        lines(
            "Refused by the risk gate", _Q.per_second(trading.REFUSALS, "rule"),
            told="A limit that refuses all the time is a limit that somebody should look at.",
            link=common.RISK,
        ),
        lines(
            "Working orders", _Q.now(trading.ORDERS_OPEN, "account", how="sum"),
            told="Orders that rest at the exchange.", link=common.ORDERS,
        ),
    ))  # fmt: skip


def _money(limits: Thresholds) -> Row:
    return Row("Money", (
        lines(
            "Daily P&L", _Q.now(trading.DAILY_PNL, "account", "currency", how="sum"),
            told="Since 00:00 UTC, without deposits and withdrawals.",
            steps=below(-limits.daily_loss),
        ),
        lines(
            "Position exposure",
            _Q.now(trading.EXPOSURE, "account", "symbol", "currency", how="sum"),
            told="Value of what bots hold at the last price.", is_stacked=True, link=common.BOTS,
        ),
        lines(
            "Drawdown", _Q.now(trading.DRAWDOWN, "account"),
            told="How far an account is under its peak.", steps=above(limits.drawdown_ratio),
        ),
    ))  # fmt: skip


def _exchange(limits: Thresholds) -> Row:
    return Row("Exchange API health", (
        lines(
            "Requests without a usable answer", common.exchange_errors(_Q, "exchange"),
            told="Of all requests to the exchange.", steps=above(limits.exchange_error_ratio),
        ),
        lines(
            "Exchange latency", _Q.quantile(0.95, node.API_LATENCY, "endpoint"),
            told="From a request to its whole answer.",
        ),
        lines(
            "Requests to the exchange", _Q.per_second(node.API_REQUESTS, "endpoint"),
            told="By class; `order` and `cancel` go before all others.",
        ),
        lines(
            "Rate budget left", _Q.now(node.RATE_BUDGET, "account", "limit", how="min"),
            told="Of the tightest window of each limit. Cancels have a reserve of their own.",
            steps=below(limits.rate_budget_ratio), most=1.0,
        ),
        lines(
            "Streams that went down", _Q.grown(node.DISCONNECTS, "account", "stream", over="5m"),
            told="Within five minutes. One a day is the exchange's own doing.",
        ),
        lines(
            "The exchange's clock", _Q.now(node.CLOCK_UNCERTAINTY, "account"),
            _Q.now(node.CLOCK_OFFSET, "account", "instance").named("{{instance}} is off it"),
            told="How closely it is known, and how far our hosts' clocks are surely off it.",
        ),
        lines(
            "Age of what is known of it", _Q.now(node.CLOCK_AGE, "account"),
            told="No order is signed over 30 s.", steps=above(30, 15),
        ),
        Panel(
            title="Exchange and journal answer", drawn=Drawn.STATES, steps=below(1),
            told="Both, as each node sees them.", words=common.YES_NO,
            queries=(_Q.of(node.REACHABLE).named("{{account}} {{instance}}"),),
        ),
        Panel(
            title="Maintenance", drawn=Drawn.STATES, steps=((None, "green"), (1, "orange")),
            told="The exchange says that it is closed for a while.",
            words={0: ("open", "green"), 1: ("closed", "orange")},
            queries=(_Q.now(node.MAINTENANCE, "account", "exchange"),),
        ),
        Panel(
            title="Circuit breakers", told="Open: what goes there is not sent for a while.",
            queries=(_Q.now(node.BREAKER_STATE, "account", "endpoint"),), drawn=Drawn.STATES,
            steps=((None, "green"), (1, "orange"), (2, "red")), words=common.BREAKERS,
        ),
        Panel(
            title="Stream of the account's events",
            told="While it is down, orders are asked about instead.", drawn=Drawn.STATES,
            queries=(_Q.of(node.STREAM_UP).named("{{account}} {{instance}}"),),
            steps=below(1), words=common.UP_DOWN,
        ),
        Panel(
            title="Key of the account", told="Refused: nothing trades until another one is there.",
            drawn=Drawn.STATES, steps=below(1),
            words={0: ("refused", "red"), 1: ("taken", "green")},
            queries=(_Q.of(node.KEY_TAKEN).named("{{account}} {{instance}}"),),
        ),
    ))  # fmt: skip


def _account(limits: Thresholds) -> Row:
    compared = trading.RECONCILIATIONS
    return Row("What must not happen", (
        lines(
            "Broken assumptions",
            _Q.grown(trading.GHOSTS, over="5m").named("ghosts"),
            _Q.grown(node.FENCED, over="5m").named("commits refused by the fence"),
            _Q.grown(trading.FOREIGN_ORDERS, over="5m").named("orders that nobody knows"),
            _Q.grown(compared, over="5m", where='outcome="differed"').named(
                "reconciliations that differed"
            ),
            told="Zero, or somebody has to look. A refused commit is the fence at work: another "
            "node leads by now.", link=common.ORDERS,
        ),
        lines(
            "Exits that failed", _Q.grown(trading.CLOSE_FAILURES, "account", over="5m"),
            told="Orders that take exposure off and were rejected, not sent or never executed.",
            steps=above(3, 1), link=common.ORDERS,
        ),
        lines(
            "Quarantined", _Q.now(trading.QUARANTINED, "account"), steps=above(1),
            told="Assets and symbols that differ from the exchange; nothing is ordered in them.",
            link=common.RISK,
        ),
        lines(
            "Comparisons with the exchange",
            _Q.increase(compared, "account", "outcome", over="1h"),
            told="Within an hour. None at all is as wrong as one that differed.",
        ),
    ))  # fmt: skip


def _node(limits: Thresholds) -> Row:
    return Row("Journal and nodes", (
        lines(
            "Arming", _Q.quantile(0.99, node.APPEND, "account", where='kind="arming"'),
            told="What each order waits for before it is sent: its record on the disk.",
            steps=above(limits.journal_append_s),
        ),
        lines(
            "Failover gap", _Q.quantile(1, node.FAILOVER_GAP, "phase", over="1h"),
            told="The longest within an hour, from the leader's last sign to the moment the next "
            "might trade, and first did.",
        ),
        lines(
            "Takeovers", _Q.grown(node.TAKEOVERS, "account", "cause", over="1h"),
            told="Within an hour, by how the leader before had ended.", link=common.CLUSTER,
        ),
        lines(
            "Epoch", _Q.of(node.EPOCH).named("{{account}} {{instance}}"),
            told="Of the account's journal; each step is a takeover.", link=common.CLUSTER,
        ),
        lines(
            "Event loops", _Q.now(node.LOOP_AGE, "account", "instance"),
            told="How long ago an account's loop was last seen to turn.",
            steps=above(limits.loop_age_s),
        ),
        lines(
            "Since an account's last word", _Q.age(node.HEARTBEAT, "account", "instance"),
            told="How long ago its process last told the node how it is.",
            steps=above(limits.loop_age_s),
        ),
        lines(
            "Since a strategy was asked", _Q.now(node.DECISION_AGE, "account", "bot", how="min"),
            told="A bot that decides at the close of bars is asked once a bar.",
        ),
        lines(
            "Lease left", _Q.now(node.LEASE_LEFT, "instance", how="min"),
            told="How long a node may lead without renewing its lease.",
        ),
    ))  # fmt: skip


def _said() -> Row:
    return Row("What is said", (
        Panel(
            title="Warnings and errors", drawn=Drawn.LOGS, width=24, height=8, steps=PLAIN,
            logs='{service=~".+", level=~"warning|error|critical"} | account=~"$account|"',
            told="A line's ids (order, bot, epoch) are behind a click on it.",
        ),
    ))  # fmt: skip
