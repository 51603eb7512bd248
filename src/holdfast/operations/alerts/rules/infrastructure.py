"""Machines, services beside the nodes, what they cost, and alerting itself.

Not here: trading (critical, trading), objectives (slo).
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.operations.alerts.alertmanager import WATCHDOG
from holdfast.operations.alerts.model import Alert, Group, Severity
from holdfast.operations.alerts.promql import TRADING, foreign, grown, series
from holdfast.operations.alerts.settings import Thresholds
from holdfast.telemetry.catalogue import node, services

_P1, _P2 = Severity.P1, Severity.P2

# Answers per second below which a ratio is chance.
_LEAST_ANSWERS_PER_S = 0.1
_MOST_FAILED_SIGN_INS = 20
_OLDEST_CLOCK_SAMPLE_S = 30
# Bills are told once a day.
_OLDEST_BILL_S = 2 * 86_400
_DISKS = '{fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|fuse.*"}'

TARGET_DOWN = Alert(
    name="TargetDown",
    severity=_P1,
    # Or it is gone from Prometheus altogether, and was there within the last hour.
    expr=(
        f"count by (job) ({foreign('up', job='!' + TRADING)} == 0) "
        f"or count by (job) (last_over_time({foreign('up', job='!' + TRADING)}[1h])) "
        f"unless on (job) count by (job) ({foreign('up')})"
    ),
    for_s=60,
    summary="{{ $value }} of the targets of {{ $labels.job }} are down or gone.",
)

REDIS_CONNECTION_FAILED = Alert(
    name="RedisConnectionFailed",
    severity=_P1,
    expr=f"{foreign('redis_up')} == 0",
    for_s=60,
    summary="Redis at {{ $labels.instance }} does not answer.",
)

POOL_EXHAUSTED = Alert(
    name="PoolExhausted",
    severity=_P2,
    expr=f"{grown(series(services.POOL_COUNTERS['timeouts']), '5m', 'job, instance')} > 0",
    summary="Readers at {{ $labels.instance }} waited in vain for a database connection.",
)

SIGN_IN_FAILURES = Alert(
    name="SignInFailures",
    severity=_P2,
    expr=(
        f"sum({grown(series(services.AUTH_EVENTS, event='sign_in_failed'), '5m', 'job')}) "
        f"> {_MOST_FAILED_SIGN_INS}"
    ),
    summary="{{ $value | humanize }} sign-ins failed within five minutes.",
)

ALERTING_BROKEN = Alert(
    name="AlertingBroken",
    severity=_P1,
    expr=(
        f"{grown(foreign('alertmanager_notifications_failed_total'), '5m', 'integration')} > 0 "
        f"or {grown(foreign('prometheus_rule_evaluation_failures_total'), '5m', 'rule_group')} > 0 "
        f"or {foreign('prometheus_notifications_alertmanagers_discovered')} < 1"
    ),
    for_s=60,
    summary=(
        "Alerts get lost{{ with $labels.integration }}: {{ . }} cannot be told{{ end }}"
        "{{ with $labels.rule_group }}: the rules {{ . }} fail{{ end }}."
    ),
)

WATCHING = Alert(
    name=WATCHDOG,
    severity=Severity.P3,
    expr="vector(1)",
    summary="Always fires: where it stops arriving, alerting is broken.",
)


def machines(limits: Thresholds) -> Sequence[Alert]:
    """Memory, disks, clocks."""
    used = foreign("container_memory_working_set_bytes")
    # A limit of zero is none.
    most = f"({foreign('container_spec_memory_limit_bytes')} > 0)"
    free = foreign("node_filesystem_avail_bytes") + _DISKS
    size = foreign("node_filesystem_size_bytes") + _DISKS
    return (
        Alert(
            name="HighMemoryUsage",
            severity=_P1,
            expr=f"{used} / {most} > {limits.memory_ratio:g}",
            for_s=300,
            summary=(
                "{{ or $labels.name $labels.container }} at {{ $labels.instance }} uses "
                "{{ $value | humanizePercentage }} of the memory that it may."
            ),
        ),
        Alert(
            name="LowDiskSpace",
            severity=_P1,
            expr=f"{free} / {size} < {limits.disk_free_ratio:g}",
            for_s=300,
            summary=(
                "{{ $value | humanizePercentage }} of {{ $labels.mountpoint }} at "
                "{{ $labels.instance }} is free."
            ),
        ),
        Alert(
            name="ClockSkew",
            severity=_P1,
            # Not node_timex_offset_seconds: the kernel never lets that exceed half a second, and
            # leaves it at 0 where no time service runs.
            expr=(
                f"max by (account, instance) (abs({series(node.CLOCK_OFFSET)})) "
                f"> {limits.clock_offset_s:g} "
                f"or max by (account, instance) ({series(node.CLOCK_AGE)}) "
                f"> {_OLDEST_CLOCK_SAMPLE_S} "
                f"or max by (account, instance) ({series(node.CLOCK_UNCERTAINTY)}) "
                f"> {limits.clock_offset_s:g}"
            ),
            for_s=60,
            summary=(
                "The clocks of {{ $labels.instance }} and of the exchange of {{ $labels.account }} "
                "are apart, or nobody knows how far."
            ),
        ),
    )


def costs(limits: Thresholds) -> Alert:
    """What others charge; nobody here can see a bill, so it is told from outside."""
    spent = f"max by (provider) ({foreign('cloud_cost_month_to_date')})"
    budget = f"(max by (provider) ({foreign('cloud_cost_budget')}) > 0)"
    told = foreign("node_textfile_mtime_seconds", file="~.*[.]cloud_cost[.]prom")
    return Alert(
        name="CostBudget",
        severity=_P2,
        expr=(
            f"{spent} / {budget} > {limits.cost_ratio:g} "
            f"or time() - max by (file) ({told}) > {_OLDEST_BILL_S}"
        ),
        for_s=300,
        summary=(
            "{{ with $labels.provider }}{{ . }} has cost {{ $value | humanizePercentage }} of "
            "the month's budget{{ else }}Nobody has written {{ $labels.file }} for "
            "{{ $value | humanizeDuration }}, so that nobody knows what it costs{{ end }}."
        ),
    )


def services_of(limits: Thresholds) -> Sequence[Alert]:
    """The API and the workers."""
    answers = f"sum(rate({series(services.HTTP_REQUESTS)}[5m]))"
    failures = f"sum(rate({series(services.HTTP_REQUESTS, status='~5..')}[5m]))"
    return (
        Alert(
            name="HighErrorRate",
            severity=_P1,
            expr=(
                f"{failures} / {answers} > {limits.http_error_ratio:g} "
                f"and {answers} > {_LEAST_ANSWERS_PER_S:g}"
            ),
            for_s=300,
            summary="{{ $value | humanizePercentage }} of the API's answers are failures of ours.",
        ),
        Alert(
            name="JobsDelayed",
            severity=_P2,
            expr=(
                f"max({series(services.QUEUE_LENGTH)}) > {limits.queued_jobs} "
                f"or min({series(services.JOBS_UP)}) == 0"
            ),
            for_s=300,
            summary="Background jobs wait: too many of them, or their database does not answer.",
        ),
        Alert(
            name="NotificationsDelayed",
            severity=_P2,
            expr=(
                f"max({series(services.NOTIFY_OLDEST)}) > {limits.notice_wait_s} "
                f"or max({series(services.NOTIFY_SERVING)}) == 0"
            ),
            for_s=300,
            summary="Users are not told what happens: a channel fails, or nobody delivers.",
        ),
    )


def groups(limits: Thresholds) -> Sequence[Group]:
    """The group of this module."""
    rules = (
        TARGET_DOWN, REDIS_CONNECTION_FAILED, POOL_EXHAUSTED, SIGN_IN_FAILURES, ALERTING_BROKEN,
        WATCHING, *machines(limits), costs(limits), *services_of(limits),
    )  # fmt: skip
    return (Group(name="infrastructure", rules=rules),)
