"""A dashboard: its rows on the grid, its variables, what is marked in all of its pictures.

Not here: a panel's own form (panel).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from holdfast.operations.alerts.settings import Objective, Thresholds
from holdfast.operations.dashboards.panel import COLUMNS, PROMETHEUS, Panel, Row, as_json
from holdfast.telemetry.catalogue import Metric
from holdfast.telemetry.catalogue.node import EPOCH
from holdfast.telemetry.catalogue.services import BUILD

TAG: Final = "holdfast"
SCHEMA: Final = 41


class Variable(msgspec.Struct, frozen=True):
    """A choice above a dashboard: values of a label, any number of them.

    Attributes:
        metric: whose values are offered.
    """

    name: str
    label: str
    metric: Metric


class Mark(msgspec.Struct, frozen=True):
    """Moments that are drawn as lines through every picture.

    Attributes:
        expr: PromQL; has a value at those moments and none else.
        told: with `{{label}}`.
    """

    name: str
    expr: str
    told: str
    color: str


FAILOVER: Final = Mark(
    "Takeovers", f"max by (account) (changes({EPOCH.name}[1m])) > 0",
    "{{account}}: another epoch", "orange",
)  # fmt: skip
RELEASE: Final = Mark(
    "Releases",
    f"count by (version) ({BUILD.name}) unless count by (version) ({BUILD.name} offset 2m)",
    "{{version}} appeared", "blue",
)  # fmt: skip


class Given(msgspec.Struct, frozen=True):
    """What an installation decides about its dashboards.

    Attributes:
        limits: where alerts begin; panels turn red there.
        promised: objectives by name, as `config/slo.yaml` has them.
        addresses: `holdfast`, where Holdfast's own dashboard is, and `runbooks`, the folder or
            address of `ALERT.md`.
    """

    limits: Thresholds
    promised: Mapping[str, Objective]
    addresses: Mapping[str, str]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A dashboard.

    Attributes:
        uid: stays as it is: addresses have it.
        told: which questions it answers.
        span: how far back it looks at first, `1h`.
        addresses: textboxes by name, with what stands in them at first; links use `${name}`.
    """

    uid: str
    title: str
    told: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    span: str = "1h"
    refresh: str = "10s"
    addresses: Mapping[str, str] = {}

    @property
    def panels(self) -> Iterator[Panel]:
        """All of them, in order."""
        for row in self.rows:
            yield from row.panels


def document(board: Board, marks: Sequence[Mark] = (FAILOVER, RELEASE)) -> dict[str, Any]:
    """The file that Grafana is provisioned with.

    Raises:
        ValueError: a panel is wider than the grid, or its queries have several units.
    """
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.told,
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": board.refresh,
        "time": {"from": f"now-{board.span}", "to": "now"},
        "templating": {
            "list": [
                *(_variable(one) for one in board.variables),
                *(_textbox(name, at_first) for name, at_first in board.addresses.items()),
            ]
        },
        "annotations": {"list": [_annotation(mark) for mark in marks]},
        "links": [_LINKS],
        "panels": list(_placed(board.rows)),
    }


def _placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Rows below each other, the panels of each from left to right and then in the next line."""
    number, y = 1, 0
    for row in rows:
        heading: dict[str, Any] = {
            "id": number, "type": "row", "title": row.title, "collapsed": row.is_closed,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}, "panels": [],
        }  # fmt: skip
        number, y = number + 1, y + 1
        yield heading
        x = tallest = 0
        for panel in row.panels:
            if panel.width > COLUMNS:
                raise ValueError(f"panel {panel.title!r} is {panel.width} wide, at most {COLUMNS}")
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            placed = as_json(panel, number, x, y)
            if row.is_closed:
                heading["panels"].append(placed)
            else:
                yield placed
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest


def _variable(one: Variable) -> dict[str, Any]:
    asked = f"label_values({one.metric.name},{one.label})"
    return {
        "name": one.name,
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"qryType": 1, "query": asked, "refId": one.name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def _textbox(name: str, at_first: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "textbox",
        "query": at_first,
        "current": {"text": at_first, "value": at_first},
        "options": [],
    }


def _annotation(mark: Mark) -> dict[str, Any]:
    return {
        "name": mark.name,
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": mark.color,
        "expr": mark.expr,
        "step": "15s",
        "titleFormat": mark.name,
        "textFormat": mark.told,
    }


_LINKS: Final = {
    "title": "Holdfast", "type": "dashboards", "tags": [TAG], "asDropdown": True, "icon": "",
    "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": "",
}  # fmt: skip
