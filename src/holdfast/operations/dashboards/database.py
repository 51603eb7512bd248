"""PostgreSQL from both sides: what our processes wait for, and what the server is busy with.

Not here: what an order waits for as seen by trading (live_trading), machines (infrastructure).
"""

from __future__ import annotations

from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import exporters as beside
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import EVERYWHERE as Q
from holdfast.operations.dashboards.common import UP_DOWN
from holdfast.operations.dashboards.panel import PLAIN, Row, above, below, lines, stat
from holdfast.operations.dashboards.promql import ratio
from holdfast.telemetry.catalogue import node, services


def board(given: Given) -> Board:
    """The dashboard."""
    return Board(
        uid="holdfast-database", title="Database",
        told="Does the store answer, who waits for it, does it have room?",
        rows=(_now(given.limits), _ours(given.limits), _server(), _room()),
        addresses=given.addresses,
    )  # fmt: skip


def _now(limits: Thresholds) -> Row:
    return Row("Now", (
        stat(
            "PostgreSQL", Q.now(beside.PG_UP, "instance", how="min"),
            "As its exporter sees it. Down: nothing is armed, so nothing new is ordered.",
            steps=below(1), words=UP_DOWN,
        ),
        stat(
            "Longest without a commit", Q.now(node.COMMIT_AGE),
            "For how long a commit of an account's facts has been under way.", steps=above(5, 1),
        ),
        stat(
            "Arming, p99", Q.quantile(0.99, node.APPEND, where='kind="arming"'),
            "What each order waits for before it is sent.",
            steps=above(limits.journal_append_s, limits.journal_append_s / 2),
        ),
        stat(
            "Connections used",
            ratio(
                Q.now(beside.PG_CONNECTIONS, "instance", how="sum"),
                Q.now(beside.PG_MAX_CONNECTIONS, "instance"),
            ),
            "Of those that the server has.", steps=above(0.9, 0.7),
        ),
        stat(
            "Replica behind", Q.now(beside.PG_REPLICA_LAG, "instance"),
            "Reports are read from a replica only while it is near.", steps=above(30, 5),
        ),
        stat(
            "Logs not archived", Q.increase(beside.PG_ARCHIVE_FAILURES, over="1h"),
            "Within an hour. A restore reaches only as far as the archive.", steps=above(1),
        ),
    ))  # fmt: skip


def _ours(limits: Thresholds) -> Row:
    return Row("Our processes and the store", (
        lines(
            "Appends to the journal", Q.quantile(0.99, node.APPEND, "kind"),
            Q.quantile(0.5, node.APPEND, "kind"), told="From facts to their commit.",
            steps=above(limits.journal_append_s),
        ),
        lines(
            "Facts", Q.per_second(node.FACTS, "account"), told="Facts committed.",
        ),
        lines(
            "Connections of the pool", Q.now(services.POOL_CONNECTIONS, "state", how="sum"),
            Q.now(services.POOL_GAUGES["min"], how="sum").named("kept"),
            Q.now(services.POOL_GAUGES["max"], how="sum").named("at most"),
            Q.now(services.POOL_GAUGES["waiting"], how="sum").named("callers that wait"),
            told="Commits of an order never wait for this pool; only the API reads through it.",
        ),
        lines(
            "Waits for a connection", Q.per_second(services.POOL_COUNTERS["waits"], "instance"),
            Q.per_second(services.POOL_COUNTERS["timeouts"], "instance").named("in vain"),
            Q.per_second(services.POOL_COUNTERS["requests"], "instance").named("all callers"),
            told="Callers that found every connection lent.",
        ),
        lines(
            "Connections opened and lost",
            Q.per_second(services.POOL_COUNTERS["connects"], "instance").named("opened"),
            Q.per_second(services.POOL_COUNTERS["failed_connects"], "instance").named("failed"),
            Q.per_second(services.POOL_COUNTERS["lost"], "instance").named("lost"),
            told="A pool at rest opens none.",
        ),
        lines(
            "Time spent waiting", Q.per_second(services.POOL_WAIT, "instance"),
            told="Of all callers together: 100 % is one caller that always waits.",
        ),
        lines(
            "Journal sequence", Q.now(node.SEQUENCE, "account", "instance"),
            told="Last record that a node has folded. A standby's line follows the leader's.",
        ),
    ))  # fmt: skip


def _server() -> Row:
    return Row("PostgreSQL", (
        lines(
            "Transactions", Q.per_second(beside.PG_COMMITS, "datname"),
            Q.per_second(beside.PG_ROLLBACKS, "datname").named("{{datname}} rolled back"),
            told="A rollback may be a refused fence, or a fault.",
        ),
        lines(
            "Connections by state", Q.now(beside.PG_CONNECTIONS, "state", how="sum"),
            is_stacked=True, told="`idle in transaction` for long holds locks.",
        ),
        lines(
            "Oldest transaction", Q.now(beside.PG_TRANSACTION_AGE, "state"),
            told="Long ones keep dead rows and locks.", steps=above(60),
        ),
        lines(
            "Found in memory",
            ratio(
                Q.per_second(beside.PG_HITS, "datname"),
                Q.per_second(beside.PG_HITS, "datname").then(
                    f"({{}} + {Q.per_second(beside.PG_READS, 'datname').expr})"
                ),
            ),
            told="Of all blocks that were asked for.", most=1.0,
        ),
        lines(
            "Locks", Q.now(beside.PG_LOCKS, "mode", how="sum"), is_stacked=True,
            told="By mode.",
        ),
        lines(
            "Deadlocks", Q.increase(beside.PG_DEADLOCKS, "datname", over="1h"),
            told="Within an hour.", steps=above(1),
        ),
        lines(
            "Where its time goes",
            Q.per_second(beside.PG_STATEMENTS, "queryid").then("topk(10, {})"),
            told="Statements by the time they take, per second. Needs `pg_stat_statements`.",
            width=16,
        ),
        lines(
            "Replicas", Q.now(beside.PG_WAL_BEHIND, "application_name"),
            told="Log that a replica has not confirmed.",
        ),
    ), is_closed=False)  # fmt: skip


def _room() -> Row:
    return Row("Room", (
        lines("Databases", Q.now(beside.PG_SIZE, "datname"), told="Size on disk."),
        lines(
            "Tables and partitions",
            Q.now(beside.PG_TABLE_SIZE, "relname").then("topk(15, {})"),
            told="Reports have one partition a month, made ahead.",
        ),
        lines(
            "Rows in default partitions",
            Q.now(beside.PG_TABLE_ROWS, "relname", where='relname=~".*_default"'),
            told="Must be zero: a row there found no month.", steps=above(1),
        ),
        lines(
            "Rows to be vacuumed",
            Q.now(beside.PG_DEAD_ROWS, "relname").then("topk(10, {})"), told="Dead rows.",
        ),
        lines("Log on disk", Q.now(beside.PG_WAL, "instance"), told="Grows while archiving fails."),
        lines(
            "Connections at most", Q.now(beside.PG_MAX_CONNECTIONS, "instance"), told="Setting.",
            steps=PLAIN,
        ),
    ))  # fmt: skip
