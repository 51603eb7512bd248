"""The Alertmanager's configuration: who is told of which severity, when, and what is kept quiet.

Every alert ends somewhere: each severity has its route, and what has none goes to the default.
Not here: which alerts there are (rules), or what an installation has of channels (settings).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from holdfast.errors import ConfigError
from holdfast.operations.alerts.model import Severity
from holdfast.operations.alerts.settings import BusinessHours, Channels, Mail, PagerDuty, Slack
from holdfast.operations.alerts.settings import Webhook as WebhookTo

WATCHDOG: Final = "Watchdog"
"""The alert that always fires: where it stops arriving, alerting itself is broken."""

_HOURS: Final = "weekdays_business_hours"
_TITLE: Final = '{{ template "holdfast.title" . }}'
_TEXT: Final = '{{ template "holdfast.text" . }}'


class Inhibition(msgspec.Struct, frozen=True, kw_only=True):
    """Where one alert says all, those that follow from it are not told.

    Attributes:
        sources: names of alerts.
        targets: names of alerts.
        because: why the targets follow from the sources.
        equal: labels that must agree; one that both lack agrees as well.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    because: str
    equal: Sequence[str] = ()


def document(channels: Channels, inhibitions: Sequence[Inhibition]) -> dict[str, Any]:
    """The whole configuration.

    Raises:
        ConfigError: nobody would be paged.
    """
    if not (channels.pagerduty or channels.webhook or channels.mail):
        raise ConfigError(
            "seen: neither pagerduty, webhook nor mail in config/alerting.yaml; expected: one that "
            "wakes a person, for P0; do: name one below channels"
        )
    return {
        "global": {"resolve_timeout": "5m"},
        "templates": ["templates/*.tmpl"],
        "route": _tree(channels),
        "receivers": _receivers(channels),
        "time_intervals": [_hours(channels.business_hours)],
        "inhibit_rules": [_inhibition(one) for one in inhibitions],
    }


def _tree(channels: Channels) -> dict[str, Any]:
    return {
        "receiver": "default",
        "group_by": ["alertname", "symbol"],
        "group_wait": "10s",
        "group_interval": "5m",
        "repeat_interval": "4h",
        "routes": [
            {
                "matchers": [f'alertname="{WATCHDOG}"'],
                "receiver": "heartbeat" if channels.heartbeat else "log",
                "group_wait": "0s",
                "group_interval": "1m",
                "repeat_interval": "1m",
            },
            # An alert that came and went within the wait leaves its group behind: the next one of
            # its name would wait for the interval, and so would another account's.
            {
                **_of(Severity.P0), "receiver": "pagerduty-critical", "group_interval": "30s",
                "continue": True,
            },
            {**_of(Severity.P0), "receiver": "slack-critical", "group_interval": "30s"},
            # The market never closes: outside business hours the urgency is lower, nothing is
            # muted. Both have the same matchers, so that both speak of one PagerDuty incident.
            {
                **_of(Severity.P1), "receiver": "pagerduty-high", "group_wait": "1m",
                "active_time_intervals": [_HOURS], "continue": True,
            },
            {
                **_of(Severity.P1), "receiver": "pagerduty-low", "group_wait": "1m",
                "mute_time_intervals": [_HOURS],
            },
            {**_of(Severity.P2), "receiver": "slack-warnings"},
            {**_of(Severity.P3), "receiver": "log"},
        ],
    }  # fmt: skip


def _of(severity: Severity) -> dict[str, Any]:
    return {"matchers": [f'severity="{severity}"']}


def _receivers(channels: Channels) -> list[dict[str, Any]]:
    """Slack stands in for mail, and mail for Slack, where only one of them is there."""
    pager, slack, mail = channels.pagerduty, channels.slack, channels.mail
    calls = _webhook(channels.webhook)
    chat = _slack(slack) or _mail(mail)
    loud = _pager(pager, "critical") | calls | _mail(mail)
    return [
        {"name": "default", **(calls | _mail(mail) | _slack(slack))},
        {"name": "pagerduty-critical", **loud},
        {"name": "slack-critical", **_slack(slack)},
        {"name": "pagerduty-high", **(_pager(pager, "error") | calls | chat)},
        {"name": "pagerduty-low", **(_pager(pager, "warning") | calls | chat)},
        {"name": "slack-warnings", **(chat or calls)},
        {"name": "heartbeat", **_webhook(channels.heartbeat, resolved=False)},
        {"name": "log"},  # the Alertmanager's page shows them; nobody is told
    ]


def _pager(pager: PagerDuty | None, severity: str) -> dict[str, Any]:
    """Incidents; PagerDuty takes the urgency from the severity."""
    if pager is None:
        return {}
    runbook = {"href": "{{ .CommonAnnotations.runbook_url }}", "text": "Runbook"}
    return {
        "pagerduty_configs": [
            {
                "routing_key_file": pager.routing_key_file,
                "severity": severity,
                "class": "{{ .GroupLabels.alertname }}",
                "description": "{{ .CommonAnnotations.summary }}",
                "details": {"alerts": _TEXT},
                "links": [runbook],
            }
        ]
    }


def _slack(slack: Slack | None) -> dict[str, Any]:
    if slack is None:
        return {}
    message = {
        "api_url_file": slack.api_url_file, "channel": slack.channel, "send_resolved": True,
        "title": _TITLE, "title_link": "{{ .CommonAnnotations.runbook_url }}", "text": _TEXT,
    }  # fmt: skip
    return {"slack_configs": [message]}


def _webhook(webhook: WebhookTo | None, *, resolved: bool = True) -> dict[str, Any]:
    if webhook is None:
        return {}
    call: dict[str, Any] = {"url": webhook.url, "send_resolved": resolved}
    if webhook.bearer_file:
        call["http_config"] = {"authorization": {"credentials_file": webhook.bearer_file}}
    return {"webhook_configs": [call]}


def _mail(mail: Mail | None) -> dict[str, Any]:
    if mail is None:
        return {}
    letter = {
        "to": mail.to, "from": mail.sender, "smarthost": mail.smarthost,
        "auth_username": mail.username, "auth_password_file": mail.password_file,
        "require_tls": True, "send_resolved": True, "headers": {"Subject": _TITLE},
        "html": "", "text": _TEXT,
    }  # fmt: skip
    return {"email_configs": [letter]}


def _hours(hours: BusinessHours) -> dict[str, Any]:
    return {
        "name": _HOURS,
        "time_intervals": [
            {
                "weekdays": [hours.days],
                "times": [{"start_time": hours.begin, "end_time": hours.end}],
                "location": hours.time_zone,
            }
        ],
    }


def _inhibition(one: Inhibition) -> dict[str, Any]:
    return {
        "source_matchers": [_named(one.sources)],
        "target_matchers": [_named(one.targets)],
        **({"equal": list(one.equal)} if one.equal else {}),
    }


def _named(alerts: Sequence[str]) -> str:
    return f'alertname=~"{"|".join(alerts)}"'
