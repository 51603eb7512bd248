"""Grafana's dashboards: queries are valid and ask for what exists, units and thresholds are right.

Grafana is in no registry that this can be installed from; what it would read is checked against the
types that its makers generate from it. Not here: whether panels have data
(tests/acceptance/test_dashboard).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

import scripts.observability as written
from holdfast.operations.alerts import artefacts
from holdfast.operations.alerts.model import Recorded, alerts_of
from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.operations.dashboards import exporters, promql
from holdfast.operations.dashboards.board import Board, document
from holdfast.operations.dashboards.boards import FOLDER, boards
from holdfast.operations.dashboards.panel import Panel, Row, above, below
from holdfast.operations.dashboards.promql import PER_SECOND, SHOWN, Query, Scope
from holdfast.telemetry.catalogue import METRICS, Metric, names_in, node, series_names, trading
from tests.support.dashboards import at_once
from tests.support.operations_tools import operations_tool

REPOSITORY = Path(__file__).parents[2]
ALERTING = written.settings("alerting.yaml", Alerting)
OBJECTIVES = written.settings("slo.yaml", Objectives)
BOARDS = boards(ALERTING, OBJECTIVES)
GROUPS = [group for found in artefacts.groups(ALERTING, OBJECTIVES).values() for group in found]
PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
ASKED = [(board, panel, query) for board, panel in PANELS for query in panel.queries]

TITLES = [
    "Crypto Trading Bot - Live Trading", "Executive Overview", "Technical Operations",
    "Security Monitoring", "Application", "Database", "Infrastructure", "Business Metrics",
]  # fmt: skip

every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.uid))


def test_the_eight_dashboards_are_there_with_what_the_acceptance_list_asks_of_them() -> None:
    assert [board.title for board in BOARDS] == TITLES
    live, executive, technical, security, application, database, infrastructure, business = BOARDS
    assert {"Order latency", "Daily P&L", "Position exposure"} <= titles(live)
    assert "Exchange API health" in {row.title for row in live.rows}
    assert {"Portfolio value", "P&L today", "Traded in 24 hours", "Prices"} <= titles(executive)
    assert {"Processor", "Memory", "Response time", "Jobs that wait"} <= titles(technical)
    assert {"Authentication events", "Routes most asked", "Where scans are"} <= titles(security)
    assert {"Requests by route", "Errors by route", "Latency by route"} <= titles(application)
    assert {"Connections used", "Where its time goes"} <= titles(database)
    assert {"Processors", "Memory in use", "Network"} <= titles(infrastructure)
    assert {"P&L by bot and market", "Filled orders", "Fees per hour"} <= titles(business)


def titles(board: Board) -> set[str]:
    return {panel.title for panel in board.panels}


def test_the_first_row_says_whether_it_trades_who_leads_how_old_prices_are_and_what_is_in_doubt() -> None:  # noqa: E501
    asked = {
        panel.title: set(names_in(query.expr.replace(promql.LED, "")))
        for panel in BOARDS[0].rows[0].panels for query in panel.queries
    }  # fmt: skip
    assert asked["Leaders"] == asked["Who leads"] == {"trading_leader"}
    assert asked["Age of prices"] == {"trading_data_age_seconds"}
    assert asked["Orders in doubt"] == {"trading_orders_in_doubt"}
    assert asked["Oldest doubt"] == {"trading_doubt_oldest_seconds"}
    assert asked["Halted"] == {"trading_halt_level"}
    assert asked["Firing alerts"] == {"ALERTS"}


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    """Each is wrapped as a recording rule, so that promtool parses and checks it."""
    promtool = operations_tool("promtool")
    rules = [
        {"record": f"panel:{number}", "expr": at_once(query.expr)}
        for number, (_, _, query) in enumerate(ASKED)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_every_query_names_metrics_of_the_catalogue_of_an_exporter_or_of_a_rule() -> None:
    recorded = {rule.name for one in GROUPS for rule in one.rules if isinstance(rule, Recorded)}
    known = series_names() | recorded | {metric.name for metric in exporters.METRICS}
    unknown = [
        (board.title, panel.title, name)
        for board, panel, query in ASKED
        for name in names_in(at_once(query.expr))
        if name not in known
    ]
    assert unknown == []


def test_every_metric_of_the_catalogue_is_in_some_picture() -> None:
    shown = {name for _, _, query in ASKED for name in names_in(at_once(query.expr))}
    assert [one.name for one in METRICS if not shown & set(one.series_names)] == []


def test_what_a_deposed_leader_still_shows_is_not_counted_again() -> None:
    scope = Scope({"account": "account"})
    assert scope.now(trading.EQUITY, "currency", how="sum").expr == (
        'sum by (currency) (trading_equity{account=~"$account"} '
        "and on (account, instance) trading_leader == 1)"
    )
    assert "trading_leader" not in scope.now(node.LOOP_AGE, "account").expr


def test_a_metric_or_a_label_that_is_not_there_is_refused_when_it_is_asked_for() -> None:
    scope = Scope({"account": "account"})
    with pytest.raises(ValueError, match="no label"):
        scope.now(node.LEADER, "symbol")
    with pytest.raises(ValueError, match="no label"):
        scope.of(trading.ORDERS, 'state="filled"')
    with pytest.raises(ValueError, match="expected a histogram"):
        scope.quantile(0.95, trading.ORDERS)


@every_board
def test_variables_of_queries_and_links_are_the_dashboards_own(board: Board) -> None:
    own = {one.name for one in board.variables} | set(board.addresses)
    texts = [query.expr for panel in board.panels for query in panel.queries]
    texts += [panel.logs for panel in board.panels] + [panel.text for panel in board.panels]
    texts += [panel.link[1] for panel in board.panels if panel.link is not None]
    used = {name for text in texts for name in re.findall(r"\$\{?([a-z]+)\b", text)}
    assert used - own == set()
    for one in board.variables:
        assert one.label in {*one.metric.label_names, *promql.TARGET_LABELS}


def test_the_unit_of_each_panel_is_that_of_what_it_asks() -> None:
    """By the metrics' own units and by what is done to them, read from the finished expression."""
    wrong = [
        (board.title, panel.title, query.unit, expected)
        for board, panel, query in ASKED
        if (expected := unit_of(query)) is not None and query.unit != expected
    ]
    assert wrong == []


BY_NAME: dict[str, Metric] = {
    name: metric for metric in (*METRICS, *exporters.METRICS) for name in metric.series_names
}


def unit_of(query: Query) -> str | None:
    """What an expression yields; None where only its author knows: aliases, counts of series."""
    expr = at_once(query.expr.replace(promql.LED, ""))
    metrics = {BY_NAME[name] for name in names_in(expr) if name in BY_NAME}
    if not metrics or expr.startswith("count"):
        return None
    units = {metric.unit for metric in metrics}
    if " / " in expr:
        return "percentunit"
    if expr.startswith("time() - "):
        return "s"
    if "avg" in expr.split("(")[0]:
        return "percentunit"  # the share of those that are 1
    assert len(units) == 1, expr
    if "rate(" in expr and "histogram_quantile(" not in expr:
        return PER_SECOND[units.pop()]
    return SHOWN[units.pop()]


def test_queries_of_one_panel_must_agree_on_their_unit() -> None:
    queries = (Query(expr="a", unit="s"), Query(expr="b", unit="bytes"))
    with pytest.raises(ValueError, match="units"):
        _ = Panel(title="mixed", queries=queries).unit


# Where a panel and an alert look at the same, they change at the same value.
SAME_BOUND = {
    "Order latency": "HighOrderLatency",
    "Filled orders": "LowOrderFillRate",
    "Drawdown": "HighDrawdown",
    "Requests without a usable answer": "ExchangeAPIErrors",
    "Daily P&L": "ExcessiveLoss",
    "Oldest doubt": "OrderInDoubtTooLong",
    "Exits that failed": "PositionClosureFailure",
}


@pytest.mark.parametrize(("title", "name"), SAME_BOUND.items())
def test_panels_turn_red_where_alerts_begin(title: str, name: str) -> None:
    (alert,) = (one for one in alerts_of(GROUPS) if one.name == name)
    panel = next(panel for panel in BOARDS[0].panels if panel.title == title)
    bounds = {value for value, _ in panel.steps}
    in_alert = {float(number) for number in re.findall(r"[<>]=? (-?[\d.]+)", alert.expr)}
    assert bounds & in_alert, (bounds, in_alert)


def test_another_threshold_in_the_settings_is_another_one_in_the_panel() -> None:
    limits = msgspec.structs.replace(ALERTING.thresholds, order_latency_s=0.25)
    other = boards(msgspec.structs.replace(ALERTING, thresholds=limits), OBJECTIVES)
    latency = next(panel for panel in other[0].panels if panel.title == "Order latency")
    assert latency.steps == above(0.25)


def test_steps_ascend_from_the_first_that_has_no_beginning() -> None:
    assert above(2.0, 1.0) == ((None, "green"), (1.0, "orange"), (2.0, "red"))
    assert below(1.0, 2.0) == ((None, "red"), (1.0, "orange"), (2.0, "green"))
    for board, panel in PANELS:
        (first, *rest) = (value for value, _ in panel.steps)
        assert first is None, (board.title, panel.title)
        bounds = [value for value in rest if value is not None]
        assert bounds == sorted(bounds), (board.title, panel.title)


def test_every_picture_says_what_it_answers() -> None:
    needs_none = {"Threads", "Where scans are"}
    assert {panel.title for _, panel in PANELS if not panel.told} <= needs_none


@every_board
def test_panels_lie_on_the_grid_and_none_on_another(board: Board) -> None:
    placed = list(flat(document(board)["panels"]))
    assert len({one["id"] for one in placed}) == len(placed)
    taken: set[tuple[int, int]] = set()
    for one in placed:
        spot = one["gridPos"]
        cells = {
            (x, y)
            for x in range(spot["x"], spot["x"] + spot["w"])
            for y in range(spot["y"], spot["y"] + spot["h"])
        }
        assert max(x for x, _ in cells) < 24, one["title"]
        assert not cells & taken, one["title"]
        taken |= cells


def flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in panels:
        yield one
        yield from flat(one.get("panels", []))


def test_a_panel_that_is_wider_than_the_grid_is_refused() -> None:
    wide = Board(uid="x", title="x", told="x", rows=(Row("r", (Panel(title="p", width=25),)),))
    with pytest.raises(ValueError, match="at most 24"):
        document(wide)


# Of datasource plugins, which the types leave open.
OPEN = {".annotations.list[].step", ".annotations.list[].titleFormat", ".annotations.list[].textFormat"}  # noqa: E501


@every_board
def test_grafanas_own_types_know_every_key_and_keep_every_value(board: Board) -> None:
    plugins.register_default_plugins()
    ours = document(board)
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
    assert set(lost(ours, kept)) - OPEN == set()


def test_a_key_that_grafana_does_not_know_is_found() -> None:
    plugins.register_default_plugins()
    ours = document(BOARDS[0])
    ours["panels"][1]["fieldConfig"]["defaults"]["unitt"] = "s"
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
    assert ".panels[].fieldConfig.defaults.unitt" in set(lost(ours, kept))


def lost(ours: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Where something of `ours` is missing or another in `kept`, which may have more."""
    match ours, kept:
        case dict(), dict():
            for key, value in ours.items():
                if key in kept:
                    yield from lost(value, kept[key], f"{path}.{key}")
                else:
                    yield f"{path}.{key}"
        case list(), list() if len(ours) == len(kept):
            for one, other in zip(ours, kept, strict=True):
                yield from lost(one, other, f"{path}[]")
        case _:
            if ours != kept:
                yield path


def test_links_lead_to_pages_that_holdfasts_dashboard_has() -> None:
    app = (REPOSITORY / "dashboard" / "src" / "live" / "App.tsx").read_text(encoding="utf-8")
    pages = set(re.findall(r'<Route path="(/[^":]*)"', app))
    addresses = [panel.link[1] for _, panel in PANELS if panel.link is not None]
    led = {
        address.removeprefix("${holdfast}").partition("?")[0]
        for address in addresses if address.startswith("${holdfast}")
    }  # fmt: skip
    assert led <= pages
    assert "${runbooks}/${__data.fields.alertname}.md" in addresses


def test_what_grafana_is_provisioned_with_fits_the_dashboards() -> None:
    grafana = REPOSITORY / "deploy" / "observability" / "grafana"
    sources = yaml.safe_load((grafana / "provisioning/datasources/datasources.yml").read_text())
    known = {(one["type"], one["uid"]) for one in sources["datasources"]}
    files = sorted((REPOSITORY / "deploy" / "observability" / FOLDER).glob("*.json"))
    assert len(files) == len(BOARDS)
    for file in files:
        for found in re.findall(r'"datasource": \{[^}]*\}', file.read_text(encoding="utf-8")):
            asked = json.loads(f"{{{found}}}")["datasource"]
            assert (asked["type"], asked["uid"]) in known, file.name
    providers = yaml.safe_load((grafana / "provisioning/dashboards/dashboards.yml").read_text())
    assert [one["options"]["path"] for one in providers["providers"]] == ["/etc/grafana/dashboards"]


