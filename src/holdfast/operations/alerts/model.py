"""An alert, a recorded series and a group of them, as Prometheus takes them.

Not here: which ones there are (the modules of `rules`), and who is told (alertmanager).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec


class Severity(StrEnum):
    """How urgent an alert is; the label `severity`."""

    P0 = "P0"
    """Page now, at any hour: money is at risk, or nothing trades."""
    P1 = "P1"
    """Page; outside business hours with low urgency, never muted."""
    P2 = "P2"
    """Tell the team; somebody looks on the same day."""
    P3 = "P3"
    """Keep a record; nobody is told."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that somebody must know of.

    Attributes:
        name: in CamelCase; its runbook is the file of that name.
        expr: PromQL; each series that it yields is one alert.
        for_s: how long it must hold, at least two scrapes unless one sample is proof.
        summary: one sentence for the pager; `{{ $labels.account }}` and `{{ $value }}` are filled.
        keep_s: how long it goes on firing after it held last, against flapping.
        labels: further ones.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    for_s: int = 0
    keep_s: int = 0
    labels: Mapping[str, str] = {}


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A series that Prometheus derives and keeps."""

    name: str
    expr: str
    labels: Mapping[str, str] = {}


Rule = Alert | Recorded


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that are evaluated together, one after the other; later ones may use earlier ones.

    Attributes:
        interval_s: between two evaluations.
    """

    name: str
    rules: Sequence[Rule]
    interval_s: int = 15


def document(groups: Sequence[Group], runbooks: str) -> dict[str, Any]:
    """A rule file.

    Args:
        runbooks: where the runbooks are, a folder or an address.
    """
    return {"groups": [_group(group, runbooks) for group in groups]}


def alerts_of(groups: Sequence[Group]) -> list[Alert]:
    """The alerts among the rules, in order."""
    return [rule for group in groups for rule in group.rules if isinstance(rule, Alert)]


def _group(group: Group, runbooks: str) -> dict[str, Any]:
    rules = [
        _alert(rule, runbooks) if isinstance(rule, Alert) else _recorded(rule)
        for rule in group.rules
    ]
    return {"name": group.name, "interval": f"{group.interval_s}s", "rules": rules}


def _alert(alert: Alert, runbooks: str) -> dict[str, Any]:
    shape: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
    if alert.for_s:
        shape["for"] = f"{alert.for_s}s"
    if alert.keep_s:
        shape["keep_firing_for"] = f"{alert.keep_s}s"
    shape["labels"] = {"severity": str(alert.severity), **alert.labels}
    shape["annotations"] = {
        "summary": alert.summary,
        "runbook_url": f"{runbooks.rstrip('/')}/{alert.name}.md",
    }
    return shape


def _recorded(rule: Recorded) -> dict[str, Any]:
    shape: dict[str, Any] = {"record": rule.name, "expr": rule.expr}
    return {**shape, "labels": dict(rule.labels)} if rule.labels else shape
