"""Our processes and what they stand on: load, answers, errors, stores, how many there are.

Not here: one request at a time (application), the database within (database).
"""

from __future__ import annotations

from typing import Final

from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import common
from holdfast.operations.dashboards import exporters as beside
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import EVERYWHERE as Q
from holdfast.operations.dashboards.panel import Drawn, Panel, Row, above, below, lines
from holdfast.operations.dashboards.promql import ratio
from holdfast.telemetry.catalogue import node, services

_WIRE: Final = 'device!="lo"'


def board(given: Given) -> Board:
    """The dashboard."""
    return Board(
        uid="holdfast-technical", title="Technical Operations",
        told="Are the processes well, and is what they stand on?",
        rows=(_processes(given.limits), _answers(given), _stores(), _scale(given.limits)),
        addresses=given.addresses,
    )  # fmt: skip


def _processes(limits: Thresholds) -> Row:
    return Row("Processes", (
        lines(
            "Processor", Q.per_second(services.CPU, "job", "instance", "process"),
            told="Of one core. An account's process may use a whole one.",
        ),
        lines(
            "Memory", Q.now(services.MEMORY, "job", "instance", "process", how="sum"),
            told="Memory that a process holds.",
        ),
        lines(
            "Network of the machine",
            Q.per_second(beside.RECEIVED, "instance", where=_WIRE),
            Q.per_second(beside.SENT, "instance", where=_WIRE).named("{{instance}} sent"),
            told="By node_exporter.",
        ),
        lines(
            "Event-loop lag", Q.now(services.LOOP_LAG, "job", "instance", "process"),
            told="How much later than it was due the loop did its work.", steps=above(1),
        ),
        lines(
            "Open files", Q.now(services.FILES, "job", "instance", "process", how="sum"),
            told="Files and sockets. A line that only rises is a leak.",
        ),
        lines(
            "Age of processes", Q.age(services.STARTED, "job", "instance"),
            told="A saw-tooth is a process that is begun again and again.",
        ),
        lines(
            "Garbage collection", Q.per_second(services.COLLECTIONS, "job", "process"),
            told="Runs of the collector.",
        ),
        lines("Threads", Q.now(services.THREADS, "job", "instance", "process", how="sum")),
        lines(
            "Restarts of accounts", Q.grown(node.RESTARTS, "account", over="1h"),
            told="Times an account's process was begun again, within an hour.", steps=above(3),
        ),
    ))  # fmt: skip


def _answers(given: Given) -> Row:
    limits, slow_s = given.limits, given.promised["api_latency"].within_s
    return Row("Answers and errors", (
        lines(
            "Response time", Q.quantile(0.95, services.HTTP_DURATION),
            Q.quantile(0.5, services.HTTP_DURATION), Q.quantile(0.99, services.HTTP_DURATION),
            told=f"Of the API, all routes together; promised are {slow_s:g} s for 95 %.",
            steps=above(slow_s),
        ),
        lines(
            "Errors of the API", common.http_errors(), told="Answers 5xx, of all.",
            steps=above(limits.http_error_ratio),
        ),
        lines(
            "Errors of the exchange", common.exchange_errors(Q, "exchange"),
            told="Requests without a usable answer.", steps=above(limits.exchange_error_ratio),
        ),
    ))  # fmt: skip


def _stores() -> Row:
    return Row("Database and cache", (
        lines(
            "Waits for a connection", Q.per_second(services.POOL_COUNTERS["waits"], "instance"),
            Q.per_second(services.POOL_COUNTERS["timeouts"], "instance").named(
                "{{instance}} in vain"
            ),
            told="Callers that found every connection of the pool lent.",
        ),
        lines(
            "Redis as we see it", Q.quantile(0.95, services.REDIS_DURATION, "use"),
            told="How long calls to Redis took. Trading asks it nothing.",
        ),
        lines(
            "Calls to Redis that failed",
            Q.per_second(services.REDIS_OPERATIONS, "use", where='outcome="failed"'),
            told="While it is away, each process keeps its own limits and asks the source.",
        ),
        lines(
            "Keys that were there",
            ratio(
                Q.per_second(beside.REDIS_HITS, "instance"),
                Q.per_second(beside.REDIS_HITS, "instance").then(
                    f"({{}} + {Q.per_second(beside.REDIS_MISSES, 'instance').expr})"
                ),
            ),
            told="Of all that were looked up.", most=1.0,
        ),
    ))  # fmt: skip


def _scale(limits: Thresholds) -> Row:
    return Row("How many there are", (
        lines(
            "Processes that answer", Q.now(beside.UP, "job", how="sum"),
            told="What scales up and down shows here; so does what died.",
        ),
        lines(
            "Jobs that wait", Q.now(services.QUEUE_LENGTH), told="What workers are scaled by.",
            steps=above(limits.queued_jobs),
        ),
        Panel(
            title="Targets", drawn=Drawn.STATES, steps=below(1), words=common.UP_DOWN,
            told="Each that Prometheus watches.",
            queries=(Q.now(beside.UP, "job", "instance"),),
        ),
    ))  # fmt: skip
