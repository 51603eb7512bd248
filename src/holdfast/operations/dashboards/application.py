"""The API and the jobs: how many requests, how many failed, how long they took, by route.

Not here: the processes (technical), what requests say of persons (security).
"""

from __future__ import annotations

from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import common
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import EVERYWHERE as Q
from holdfast.operations.dashboards.panel import PLAIN, Drawn, Panel, Row, above, lines, stat
from holdfast.telemetry.catalogue import services


def board(given: Given) -> Board:
    """The dashboard."""
    return Board(
        uid="holdfast-application", title="Application",
        told="How many requests, how many failed, how long did they take?",
        rows=(_now(given), _routes(given), _jobs(given.limits), _notices()),
        addresses=given.addresses,
    )  # fmt: skip


def _now(given: Given) -> Row:
    errors, slow_s = given.limits.http_error_ratio, given.promised["api_latency"].within_s
    return Row("Now", (
        stat(
            "Requests", Q.per_second(services.HTTP_REQUESTS), "Of all processes of the API.",
            steps=PLAIN,
        ),
        stat(
            "Errors", common.http_errors(), "Answers 5xx, of all.",
            steps=above(errors, errors / 2),
        ),
        stat(
            "95 % answered within", Q.quantile(0.95, services.HTTP_DURATION),
            f"Promised is {slow_s:g} s.", steps=above(slow_s, slow_s / 2),
        ),
        stat(
            "Users", Q.now(services.ACTIVE_USERS, how="sum"), "Who asked within five minutes.",
            steps=PLAIN,
        ),
        stat(
            "Running version", Q.now(services.BUILD, "version", how="count"),
            "Two of them are a release under way.", width=8, names=True, steps=PLAIN,
        ),
    ))  # fmt: skip


def _routes(given: Given) -> Row:
    slow_s = given.promised["api_latency"].within_s
    return Row("Requests", (
        lines(
            "Requests by route", Q.per_second(services.HTTP_REQUESTS, "endpoint"),
            told="By the template of the route.",
        ),
        lines(
            "Errors by route", common.http_errors("endpoint"), told="Answers 5xx, of all.",
            steps=above(given.limits.http_error_ratio),
        ),
        lines(
            "Latency by route", Q.quantile(0.95, services.HTTP_DURATION, "endpoint"),
            told="95 of 100 were quicker; streams are no requests.", steps=above(slow_s),
        ),
        lines(
            "Answers by status", Q.per_second(services.HTTP_REQUESTS, "status"), is_stacked=True,
            told="4xx are the caller's, 5xx are ours.",
        ),
        lines(
            "Latency", Q.quantile(0.95, services.HTTP_DURATION),
            Q.quantile(0.5, services.HTTP_DURATION), Q.quantile(0.99, services.HTTP_DURATION),
            told="All routes together.", steps=above(slow_s),
        ),
        lines(
            "Requests by process", Q.per_second(services.HTTP_REQUESTS, "instance"),
            is_stacked=True, told="Unequal: look at the balancer.",
        ),
    ))  # fmt: skip


def _jobs(limits: Thresholds) -> Row:
    return Row("Background jobs", (
        lines(
            "Jobs by state", Q.now(services.JOBS, "state"), told="As the database has them.",
        ),
        lines(
            "Waiting for a worker", Q.now(services.QUEUE_LENGTH), told="In the broker's queue.",
            steps=above(limits.queued_jobs),
        ),
        Panel(
            title="Workers see the database", drawn=Drawn.STATES, words=common.YES_NO,
            told="A worker that does not cannot finish a job.",
            steps=((None, "red"), (1, "green")),
            queries=(Q.now(services.JOBS_UP, "instance"),),
        ),
    ))  # fmt: skip


def _notices() -> Row:
    # Each process of the API tells the same numbers: the largest is all of them.
    within_an_hour = "max(increase({}[1h]))"
    return Row("Notifications to users", (
        Panel(
            title="Somebody tells them", drawn=Drawn.STATES, words=common.YES_NO,
            told="One process delivers for all.", steps=((None, "red"), (1, "green")),
            queries=(Q.now(services.NOTIFY_SERVING),), width=6,
        ),
        lines(
            "Waiting", Q.now(services.NOTIFY_WAITING).named("notices"), width=6,
            told="Still to be delivered.",
        ),
        lines(
            "Oldest that waits", Q.now(services.NOTIFY_OLDEST), width=6,
            told="A channel that is down holds its own notices back, no others.",
        ),
        lines(
            "Delivered and lost",
            Q.of(services.NOTIFY_SENT).then(within_an_hour).named("delivered"),
            Q.of(services.NOTIFY_LOST).then(within_an_hour).named("lost"),
            told="Within an hour. What is lost was tried for as long as it may be.", width=6,
        ),
    ))  # fmt: skip
