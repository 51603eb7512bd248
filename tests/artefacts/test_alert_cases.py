"""Every alert by promtool: it fires with its sentence, not before its time, and not just below.

Not here: the situations (alert_cases), a module for each of the rules.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from holdfast.operations.alerts.alertmanager import WATCHDOG
from tests.artefacts.alert_cases import critical, infrastructure, slo, trading
from tests.artefacts.alert_cases.notation import Case, Said
from tests.artefacts.test_alert_rules import ALERTING, ALERTS
from tests.support.operations_tools import operations_tool

RULES = Path(__file__).parents[2] / "deploy" / "observability" / "prometheus" / "rules"
COMMITTED = [
    group
    for path in sorted(RULES.glob("*.yml"))
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
]
CASES = [*critical.CASES, *trading.CASES, *infrastructure.CASES, *slo.CASES]
BY_NAME = {
    name: list(cases)
    for name, cases in groupby(sorted(CASES, key=lambda case: case.name), lambda case: case.name)
}
ALWAYS = {
    WATCHDOG: Said({}, "Always fires: where it stops arriving, alerting is broken."),
    "TradingBotDown": Said(
        {}, "No trading node answers: nothing trades, and nothing watches the positions."
    ),
}
"""What fires where there are no series at all; everything else needs evidence."""


def test_every_alert_has_situations_in_which_it_fires_and_in_which_it_just_does_not() -> None:
    names = {alert.name for alert in ALERTS} - {WATCHDOG}
    assert names - {case.name for case in CASES if case.fires} == set()
    assert names - {case.name for case in CASES if not case.fires} == set()
    assert {case.name for case in CASES} - names == set()


def test_alerts_fire_and_stay_silent_as_the_situations_say(tmp_path: Path) -> None:
    _promtool(tmp_path, {name: [_unit(case) for case in cases] for name, cases in BY_NAME.items()})


def test_without_any_series_only_the_loss_of_everything_is_told(tmp_path: Path) -> None:
    units = {}
    for name in sorted({alert.name for alert in ALERTS}):
        fires = [ALWAYS[name]] if name in ALWAYS else []
        units[name] = [_unit(Case(name, "nothing at all", {}, fires, "90s", "10s"))]
    _promtool(tmp_path, units)


def test_no_alert_fires_before_its_time(tmp_path: Path) -> None:
    """The series of a firing case cannot have held for longer than they are there."""
    waits = {alert.name: alert.for_s for alert in ALERTS if alert.for_s and not alert.labels}
    early = {
        name: [
            {**_unit(case), "alert_rule_test": [_expected(f"{wait_s - 10}s", name, [])]}
            for case in BY_NAME[name]
            if case.fires
        ]
        for name, wait_s in waits.items()
    }
    _promtool(tmp_path, early)


def _unit(case: Case) -> dict[str, Any]:
    return {
        "name": f"{case.name}: {case.what}",
        "interval": case.step,
        "input_series": [{"series": k, "values": v} for k, v in case.series.items()],
        "alert_rule_test": [_expected(case.at, case.name, list(case.fires))],
    }


def _expected(at: str, name: str, fires: list[Said]) -> dict[str, Any]:
    return {"eval_time": at, "alertname": name, "exp_alerts": [_alert(name, one) for one in fires]}


def _alert(name: str, said: Said) -> dict[str, Any]:
    window = said.labels.get("window")
    (severity,) = {
        str(alert.severity)
        for alert in ALERTS
        if alert.name == name and alert.labels.get("window") == window
    }
    return {
        "exp_labels": {"severity": severity, **said.labels},
        "exp_annotations": {
            "summary": said.summary,
            "runbook_url": f"{ALERTING.runbooks}/{name}.md",
        },
    }


def _promtool(folder: Path, units: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Run them, each beside the rules of its alert only: all rules at once take minutes."""
    files = []
    for name, found in units.items():
        rules, file = folder / f"{name}.rules.yml", folder / f"{name}.yml"
        rules.write_text(json.dumps(_rules_of(name)))  # JSON is YAML
        document = {
            "rule_files": [str(rules)],
            "evaluation_interval": found[0]["interval"],
            "tests": found,
        }
        file.write_text(json.dumps(document))
        files.append(str(file))
    command = [str(operations_tool("promtool")), "test", "rules", *files]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _rules_of(name: str) -> dict[str, Any]:
    """The rules of an alert as they are committed, with the series recorded for them."""
    for group in COMMITTED:
        if any(rule.get("alert") == name for rule in group["rules"]):
            rules = [rule for rule in group["rules"] if rule.get("alert", name) == name]
            return {"groups": [{**group, "rules": rules}]}
    raise LookupError(name)
