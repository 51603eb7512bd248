"""When the alerts on machines, services, bills and alerting itself fire, and when they do not."""

from __future__ import annotations

from tests.artefacts.alert_cases.notation import API, BINANCE, A, Cases, Series, answers, o, s

CASES = Cases()
fires, silent, grows, above = CASES.fires, CASES.silent, CASES.grows, CASES.above

above(
    "TargetDown", "a process of the API", o("up", **API), 0, 1,
    "1 of the targets of api are down or gone.", job="api",
)  # fmt: skip
fires(
    "TargetDown", "the workers are not even looked for",
    {o("up", instance="w:9090", job="worker"): "1x30 stale"},
    "1 of the targets of worker are down or gone.", at="10m", job="worker",
)  # fmt: skip
above(
    "RedisConnectionFailed", "it does not answer", o("redis_up", instance="redis:9121"), 0, 1,
    "Redis at redis:9121 does not answer.", instance="redis:9121",
)  # fmt: skip
grows(
    "PoolExhausted", "readers that wait in vain", o("db_pool_timeouts_total", **API), 0,
    "Readers at api:9090 waited in vain for a database connection.", 5, **API,
)  # fmt: skip
grows(
    "SignInFailures", "wrong passwords", o("auth_events_total", event="sign_in_failed", **API), 20,
    "21 sign-ins failed within five minutes.", 5,
)  # fmt: skip
grows(
    "AlertingBroken", "a channel that cannot be told",
    o("alertmanager_notifications_failed_total", integration="slack", instance="am:9093"), 0,
    "Alerts get lost: slack cannot be told.", 5, integration="slack",
)  # fmt: skip
grows(
    "AlertingBroken", "rules that fail",
    o("prometheus_rule_evaluation_failures_total", rule_group="trading", instance="p:9091"), 0,
    "Alerts get lost: the rules trading fail.", 5, rule_group="trading",
)  # fmt: skip
above(
    "AlertingBroken", "no Alertmanager",
    o("prometheus_notifications_alertmanagers_discovered", instance="p:9091"), 0, 1,
    "Alerts get lost.", instance="p:9091",
)  # fmt: skip


def memory(used: int, most: int) -> Series:
    """What a container holds, and what it may."""
    labels = {"id": "/docker/1", "name": "node", "instance": "host:8080"}
    return {
        o("container_memory_working_set_bytes", **labels): f"{used}x200",
        o("container_spec_memory_limit_bytes", **labels): f"{most}x200",
    }


fires(
    "HighMemoryUsage", "81 of 100", memory(81, 100),
    "node at host:8080 uses 81% of the memory that it may.",
    id="/docker/1", name="node", instance="host:8080",
)  # fmt: skip
silent("HighMemoryUsage", "80 of 100", memory(80, 100))
silent("HighMemoryUsage", "no limit", memory(81, 0))


def disk(free: int, fstype: str) -> Series:
    """What is free of a hundred."""
    labels = {"device": "/dev/vda1", "fstype": fstype, "mountpoint": "/data", "instance": "host"}
    return {
        o("node_filesystem_avail_bytes", **labels): f"{free}x200",
        o("node_filesystem_size_bytes", **labels): "100x200",
    }


fires(
    "LowDiskSpace", "9 of 100 are free", disk(9, "ext4"), "9% of /data at host is free.",
    device="/dev/vda1", fstype="ext4", mountpoint="/data", instance="host",
)  # fmt: skip
silent("LowDiskSpace", "10 of 100 are free", disk(10, "ext4"))
silent("LowDiskSpace", "a file system in memory", disk(1, "tmpfs"))
_CLOCK = "The clocks of a:9090 and of the exchange of main are apart, or nobody knows how far."
_OFF = s("exchange_clock_offset_seconds", **BINANCE, **A)
above(
    "ClockSkew", "the host's clock is fast", _OFF, 0.6, 0.5, _CLOCK, account="main",
    instance="a:9090",
)  # fmt: skip
above(
    "ClockSkew", "the host's clock is slow", _OFF, -0.6, -0.5, _CLOCK, account="main",
    instance="a:9090",
)  # fmt: skip
silent("ClockSkew", "it is off for less than a minute", {_OFF: "0x10 5x4 0x60"}, at="2m30s")
silent("ClockSkew", "nobody measures it", {_OFF: "_x99"})
above(
    "ClockSkew", "the exchange's clock was not asked for long",
    s("exchange_clock_sample_age_seconds", **BINANCE, **A), 31, 30, _CLOCK,
    account="main", instance="a:9090",
)  # fmt: skip
above(
    "ClockSkew", "the exchange's clock is hardly known",
    s("exchange_clock_uncertainty_seconds", **BINANCE, **A), 0.6, 0.5, _CLOCK,
    account="main", instance="a:9090",
)  # fmt: skip


def bill(spent: float, provider: str = "aws") -> Series:
    """Of a budget of five hundred, as two machines tell it."""
    return {
        o(f"cloud_cost_{what}", provider=provider, instance=f"{machine}:9100"): f"{value:g}x200"
        for machine in ("a", "b")
        for what, value in (("month_to_date", spent), ("budget", 500))
    }


fires(
    "CostBudget", "81 of 100", bill(405), "aws has cost 81% of the month's budget.",
    provider="aws",
)  # fmt: skip
silent("CostBudget", "80 of 100", bill(400))
silent("CostBudget", "80 of 100 at each of two providers", {**bill(400), **bill(400, "hetzner")})
silent(
    "CostBudget", "no budget", {
        o("cloud_cost_month_to_date", provider="aws"): "405x200",
        o("cloud_cost_budget", provider="aws"): "0x200",
    },
)  # fmt: skip
# The clock of promtool begins at 1970: what was written three days before is negative.
_BILL = o("node_textfile_mtime_seconds", file="/textfile/aws.cloud_cost.prom", instance="host")
fires(
    "CostBudget", "nobody says it any more", {_BILL: f"{-3 * 86_400}x200"},
    "Nobody has written /textfile/aws.cloud_cost.prom for 3d 0h 12m 0s, so that nobody knows what "
    "it costs.", file="/textfile/aws.cloud_cost.prom",
)  # fmt: skip
silent("CostBudget", "said yesterday", {_BILL: f"{-86_400}x200"})
silent(
    "CostBudget", "another file",
    {o("node_textfile_mtime_seconds", file="/textfile/apt.prom", instance="host"): "-999999x200"},
)  # fmt: skip
fires(
    "HighErrorRate", "1.1 % fail", answers("0+98.9x200", "0+1.1x200"),
    "1.1% of the API's answers are failures of ours.",
)  # fmt: skip
silent("HighErrorRate", "0.9 % fail", answers("0+99.1x200", "0+0.9x200"))
silent("HighErrorRate", "hardly anybody asks", answers("0+0.1x200", "0+0.1x200"))
_DELAYED = "Background jobs wait: too many of them, or their database does not answer."
above("JobsDelayed", "101 wait", o("celery_queue_length"), 101, 100, _DELAYED)
above("JobsDelayed", "their database is gone", o("jobs_up"), 0, 1, _DELAYED)
_UNTOLD = "Users are not told what happens: a channel fails, or nobody delivers."
above("NotificationsDelayed", "901 s", o("notify_oldest_wait_seconds"), 901, 900, _UNTOLD)
above("NotificationsDelayed", "nobody delivers", o("notify_serving"), 0, 1, _UNTOLD)
