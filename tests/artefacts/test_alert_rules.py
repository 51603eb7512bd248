"""The rules as they are written: from the settings of this checkout, over metrics that exist.

Not here: when each alert fires (test_alert_cases), who is told (test_alertmanager).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import scripts.observability as written
from holdfast.errors import ConfigError
from holdfast.operations.alerts import artefacts, promql
from holdfast.operations.alerts.alertmanager import WATCHDOG
from holdfast.operations.alerts.model import Alert, Recorded, alerts_of
from holdfast.operations.alerts.rules import slo
from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.telemetry.catalogue import names_in, node, series_names, trading
from tests.support.operations_tools import operations_tool

ALERTING = written.settings("alerting.yaml", Alerting)
OBJECTIVES = written.settings("slo.yaml", Objectives)
GROUPS = [group for found in artefacts.groups(ALERTING, OBJECTIVES).values() for group in found]
ALERTS = alerts_of(GROUPS)
SCRAPE_S = 10
"""Of the trading job; the others are scraped every 15 s."""

# The acceptance list's, each in its corrected form.
REQUIRED = {
    "TradingBotDown": "P0", "ExcessiveLoss": "P0", "PositionClosureFailure": "P0",
    "HighOrderLatency": "P1", "ExchangeAPIErrors": "P1", "LowOrderFillRate": "P2",
    "HighDrawdown": "P2", "HighMemoryUsage": "P1", "LowDiskSpace": "P1",
    "RedisConnectionFailed": "P1", "TradingBotCantConnect": "P0", "HighErrorRate": "P1",
    "PositionMismatch": "P0", "CircuitBreakerOpen": "P1", "CostBudget": "P2",
}  # fmt: skip


def test_what_is_committed_is_what_the_settings_make() -> None:
    assert list(written.differences()) == [], "do: scripts/observability.py"


def test_a_file_that_was_changed_and_one_that_nobody_makes_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(written, "TARGET", tmp_path)
    monkeypatch.setattr(written, "REPOSITORY", tmp_path)
    assert written.main([]) == 0
    assert written.main(["--check"]) == 0
    changed, stray = tmp_path / "prometheus/rules/slo.yml", tmp_path / "prometheus/rules/old.yml"
    changed.write_text(changed.read_text().replace("0.0072", "0.5"))
    stray.write_text("groups: []\n")
    assert written.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "slo.yml" in said
    assert "old.yml" in said
    assert written.main([]) == 0
    assert not stray.exists()
    assert written.main(["--check"]) == 0


def test_every_metric_of_a_rule_is_in_the_catalogue_or_recorded_by_another() -> None:
    rules = [rule for group in GROUPS for rule in group.rules]
    known = series_names() | {rule.name for rule in rules if isinstance(rule, Recorded)}
    asked = {(rule.name, name) for rule in rules for name in names_in(rule.expr)}
    assert sorted(one for one in asked if one[1] not in known) == []


def test_a_label_a_bound_or_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="account"):
        promql.series(node.LEADER, exchange="binance")
    with pytest.raises(ValueError, match="histogram"):
        promql.series(trading.ORDER_LATENCY)
    with pytest.raises(ValueError, match=r"no bound 0\.3"):
        promql.buckets(trading.ORDER_LATENCY, le="0.3")
    with pytest.raises(ValueError, match="no buckets"):
        promql.buckets(node.LEADER)
    with pytest.raises(ValueError, match="nonsense"):
        promql.foreign("nonsense")


def test_an_objective_that_cannot_be_measured_is_refused() -> None:
    within = OBJECTIVES.objectives["order_latency"]
    other = {**OBJECTIVES.objectives, "order_latency": type(within)(
        target=0.95, within_s=0.3, page=within.page, ticket=within.ticket
    )}  # fmt: skip
    with pytest.raises(ConfigError, match=r"within_s 0\.3.*a bound of trading_order_latency"):
        slo.indicators(other)
    other = {k: v for k, v in OBJECTIVES.objectives.items() if k != "api_availability"}
    with pytest.raises(ConfigError, match="name each of them once"):
        slo.indicators(other)


def test_the_required_alerts_are_there_with_their_severity() -> None:
    severities = {alert.name: str(alert.severity) for alert in ALERTS}
    assert {name: severities.get(name) for name in REQUIRED} == REQUIRED
    by_name = {group.name: group for group in GROUPS}
    assert by_name["trading_critical"].interval_s == 10
    assert "infrastructure" in by_name


def test_a_name_means_one_thing() -> None:
    names = [alert.name for alert in ALERTS if "slo" not in alert.labels]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_waits_for_two_scrapes_or_not_at_all_and_says_who_is_concerned(
    alert: Alert,
) -> None:
    assert alert.for_s == 0 or alert.for_s >= 2 * SCRAPE_S
    assert re.fullmatch(r"[A-Z][A-Za-z]+", alert.name)
    assert alert.summary.endswith(".")
    if "by (account" in alert.expr and alert.name != WATCHDOG:
        assert "$labels.account" in alert.summary


def test_inhibitions_name_alerts_that_exist() -> None:
    named = {n for one in artefacts.INHIBITIONS for n in (*one.sources, *one.targets)}
    assert sorted(named - {alert.name for alert in ALERTS}) == []


def test_promtool_accepts_the_rules() -> None:
    folder = written.TARGET / "prometheus" / "rules"
    files = [str(path) for path in sorted(folder.glob("*.yml"))]
    command = [str(operations_tool("promtool")), "check", "rules", *files]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
