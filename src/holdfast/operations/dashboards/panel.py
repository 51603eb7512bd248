"""What a dashboard is made of: panels and rows, and their form in Grafana's JSON.

The JSON is the classic schema, which file provisioning takes in every Grafana since 10; an alert
is a rule of Prometheus, never part of a panel. Not here: dashboards (the modules beside).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from holdfast.operations.dashboards.promql import Query

PROMETHEUS: Final = {"type": "prometheus", "uid": "prometheus"}
LOKI: Final = {"type": "loki", "uid": "loki"}
COLUMNS: Final = 24
"""How wide Grafana's grid is."""

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"

Steps = tuple[tuple[float | None, str], ...]
"""Colours by the value that they begin at, ascending; the first begins at None."""

PLAIN: Final[Steps] = ((None, BLUE),)


def above(limit: float, warn: float | None = None) -> Steps:
    """Red from `limit` on, orange from `warn` on."""
    middle: Steps = () if warn is None else ((warn, ORANGE),)
    return ((None, GREEN), *middle, (limit, RED))


def below(limit: float, warn: float | None = None) -> Steps:
    """Red below `limit`, orange below `warn`."""
    middle: Steps = () if warn is None else ((limit, ORANGE),)
    return ((None, RED), *middle, (limit if warn is None else warn, GREEN))


class Drawn(StrEnum):
    """How a panel is drawn; Grafana's name of the plugin."""

    STAT = "stat"
    LINES = "timeseries"
    TABLE = "table"
    STATES = "state-timeline"
    BARS = "bargauge"
    LOGS = "logs"
    TEXT = "text"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One picture.

    Attributes:
        told: what it answers and what is wrong with it when it is red; shown behind its `i`.
        width, height: in units of the grid.
        steps: the same bounds as the alert on it, where there is one.
        words: text and colour in place of a value.
        link: where a click leads, with its title; may hold `${__field.labels.NAME}`.
        names: of a stat: whether it shows what a series is called instead of its value.
        text: of a text panel: Markdown.
        logs: of a log panel: LogQL.
    """

    title: str
    told: str = ""
    queries: tuple[Query, ...] = ()
    drawn: Drawn = Drawn.LINES
    width: int = 8
    height: int = 7
    steps: Steps = PLAIN
    words: dict[int, tuple[str, str]] = {}
    link: tuple[str, str] | None = None
    names: bool = False
    is_stacked: bool = False
    most: float | None = None
    text: str = ""
    logs: str = ""

    @property
    def unit(self) -> str:
        """Of all of its queries.

        Raises:
            ValueError: they have several.
        """
        units = {query.unit for query in self.queries}
        if len(units) > 1:
            raise ValueError(f"panel {self.title!r} has the units {sorted(units)}, expected one")
        return units.pop() if units else "none"


class Row(msgspec.Struct, frozen=True):
    """Panels below a heading, from left to right."""

    title: str
    panels: tuple[Panel, ...]
    is_closed: bool = False


def stat(title: str, query: Query, told: str, **options: Any) -> Panel:
    """One figure per series, coloured by its steps."""
    size = {"width": 4, "height": 4, **options}
    return Panel(title=title, queries=(query,), told=told, drawn=Drawn.STAT, **size)


def lines(title: str, *queries: Query, told: str = "", **options: Any) -> Panel:
    """Series over time."""
    return Panel(title=title, queries=queries, told=told, **options)


def as_json(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    """A panel of Grafana at a place of the grid."""
    return {
        "id": number,
        "type": str(panel.drawn),
        "title": panel.title,
        "description": panel.told,
        "datasource": LOKI if panel.drawn is Drawn.LOGS else PROMETHEUS,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "targets": _targets(panel),
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
        "transparent": False,
        **({"transformations": _ONE_ROW_EACH} if panel.drawn is Drawn.TABLE else {}),
    }


# The labels of each series as columns, without those that are the same everywhere.
_ONE_ROW_EACH: Final[list[dict[str, Any]]] = [
    {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "Value": True, "__name__": True, "alertstate": True},
        },
    }
]


def _targets(panel: Panel) -> list[dict[str, Any]]:
    if panel.drawn is Drawn.LOGS:
        return [{"refId": "A", "datasource": LOKI, "expr": panel.logs, "queryType": "range"}]
    is_table = panel.drawn is Drawn.TABLE
    is_now = is_table or panel.drawn is Drawn.BARS
    return [
        {
            "refId": chr(ord("A") + at),
            "datasource": PROMETHEUS,
            "expr": query.expr,
            "legendFormat": query.legend,
            "editorMode": "code",
            "format": "table" if is_table else "time_series",
            "instant": is_now,
            "range": not is_now,
            # A point on a latency leads to the trace of that order, where traces are on.
            "exemplar": "histogram_quantile" in query.expr,
        }
        for at, query in enumerate(panel.queries)
    ]


def _field(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.drawn is Drawn.LINES else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": color} for value, color in panel.steps],
        },
        "mappings": _mappings(panel),
        "custom": _custom(panel),
    }
    if panel.unit == "locale":
        defaults["decimals"] = 2
    if panel.unit == "percentunit" and panel.drawn is Drawn.LINES:
        defaults["min"] = 0
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.link is not None:
        title, url = panel.link
        defaults["links"] = [{"title": title, "url": url, "targetBlank": True}]
    return defaults


def _mappings(panel: Panel) -> list[dict[str, Any]]:
    if not panel.words:
        return []
    options = {
        str(value): {"text": text, "color": color, "index": at}
        for at, (value, (text, color)) in enumerate(panel.words.items())
    }
    return [{"type": "value", "options": options}]


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.drawn is Drawn.STATES:
        return {"fillOpacity": 80, "lineWidth": 0}
    if panel.drawn is not Drawn.LINES:
        return {}
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.is_stacked else 5,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if panel.steps is PLAIN else "dashed"},
    }


def _options(panel: Panel) -> dict[str, Any]:
    reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.drawn:
        case Drawn.STAT:
            return {
                "reduceOptions": reduced,
                "colorMode": "background",
                "graphMode": "none",
                "textMode": "name" if panel.names else "auto",
                "justifyMode": "auto",
                "orientation": "auto",
            }
        case Drawn.BARS:
            return {"reduceOptions": reduced, "displayMode": "lcd", "orientation": "horizontal"}
        case Drawn.TABLE:
            return {"showHeader": True, "cellHeight": "sm"}
        case Drawn.LOGS:
            return {
                "showTime": True, "wrapLogMessage": True, "enableLogDetails": True,
                "sortOrder": "Descending", "dedupStrategy": "none", "prettifyLogMessage": False,
                "showLabels": False, "showCommonLabels": False,
            }  # fmt: skip
        case Drawn.TEXT:
            return {"mode": "markdown", "content": panel.text}
        case _:
            return {
                "legend": {
                    "displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": [],
                },
                "tooltip": {"mode": "multi", "sort": "desc"},
            }  # fmt: skip
