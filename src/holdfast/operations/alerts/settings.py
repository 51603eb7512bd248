"""What an installation decides about its alerts: thresholds, objectives, and where they go.

`config/alerting.yaml` and `config/slo.yaml` have these shapes; a key that is not known is refused.
Not here: reading the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from holdfast.operations.alerts.model import Severity


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beyond which values alerts fire; amounts are in the reporting currency."""

    daily_loss: float
    drawdown_ratio: float
    fill_ratio: float
    order_latency_s: float
    own_latency_s: float
    exchange_error_ratio: float
    http_error_ratio: float
    doubt_age_s: float
    data_age_s: float
    loop_age_s: float
    journal_append_s: float
    rate_budget_ratio: float
    clock_offset_s: float
    memory_ratio: float
    disk_free_ratio: float
    queued_jobs: int
    notice_wait_s: int
    cost_ratio: float


class PagerDuty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events API v2; the key lies in a file beside the Alertmanager."""

    routing_key_file: str


class Slack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An incoming webhook; its address is a secret, and lies in a file."""

    api_url_file: str
    channel: str


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any listener that takes Alertmanager's JSON; `url` is no secret here.

    Attributes:
        bearer_file: a token to send along; none when empty.
    """

    url: str
    bearer_file: str = ""


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mail server that takes mail of ours, over TLS."""

    to: str
    sender: str
    smarthost: str
    username: str
    password_file: str


class BusinessHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When P1 pages with high urgency; days as `monday:friday`, hours as `09:00`."""

    days: str
    begin: str
    end: str
    time_zone: str


class Channels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told; what an installation does not have is left out.

    Attributes:
        heartbeat: is called every minute as long as alerting works, and raises the alarm itself
            when it is not.
    """

    business_hours: BusinessHours
    pagerduty: PagerDuty | None = None
    slack: Slack | None = None
    webhook: Webhook | None = None
    mail: Mail | None = None
    heartbeat: Webhook | None = None


class Alerting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`config/alerting.yaml`.

    Attributes:
        runbooks: folder or address that holds `ALERT.md`.
    """

    runbooks: str
    thresholds: Thresholds
    channels: Channels


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is promised of one indicator.

    Attributes:
        target: share of the good, between 0 and 1.
        within_s: of latencies: what counts as good; a bound of the histogram's buckets.
        page: severity of budgets that burn fast.
        ticket: severity of those that burn slowly.
    """

    target: float
    page: Severity
    ticket: Severity
    within_s: float = 0.0


class BurnRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast a budget may burn, over a long window and, to end soon after, a short one.

    Attributes:
        factor: 1 spends the whole budget in the objective's period.
        is_page: whether a person is called.
    """

    factor: float
    long: str
    short: str
    is_page: bool


class Objectives(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`config/slo.yaml`."""

    period_days: int
    burn_rates: Sequence[BurnRate]
    objectives: Mapping[str, Objective]
