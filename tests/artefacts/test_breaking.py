"""The ten faults: each has an alert that exists, its runbook, and a line in the page.

Not here: striking them (`python -m scripts.breaking`, a quarter of an hour).
"""

from __future__ import annotations

import pytest
import yaml

from scripts.breaking.__main__ import PAGE, _row
from scripts.breaking.faults import TEN, Fault
from scripts.breaking.observers import BY_HAND, JOBS, PROMETHEUS, RULES
from scripts.breaking.watch import Noticed
from scripts.verify.runner import REPOSITORY

ALERTS = {
    rule["alert"]
    for path in RULES.glob("*.yml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def test_they_are_ten() -> None:
    assert len({fault.name for fault in TEN}) == 10


@pytest.mark.parametrize("fault", TEN, ids=lambda fault: fault.name)
def test_each_leads_to_a_runbook_and_stands_in_the_page_as_measured_and_with_what_to_do(
    fault: Fault,
) -> None:
    assert fault.alert in ALERTS
    assert (REPOSITORY / "docs" / "runbooks" / f"{fault.alert}.md").is_file()
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith(f"| {fault.name} |")]
    assert len(rows) == 2, "one that was measured, and one with what to do"
    assert f"../runbooks/{fault.alert}.md" in rows[0]


def test_a_row_tells_who_noticed_when_and_why_no_alert_fired() -> None:
    (redis,) = (fault for fault in TEN if fault.name == "Redis")
    noticed = Noticed(doctor=(3.2, "redis: it | does not answer"), health=(0.5, "redis"))
    row = _row(redis, noticed, frozenset({"redis_exporter"}))
    assert "redis: it \\| does not answer 3.2 s | – | redis 0.5 s | needs redis_exporter |" in row
    noticed.log = 0.2, "postgresql:///a?host=/b does not answer"
    assert "`postgresql://… does not answer` 0.2 s" in _row(redis, noticed, frozenset())
    noticed.alert_firing["RedisConnectionFailed"] = 83.6
    assert "| redis 0.5 s | 84 s | [RedisConnectionFailed]" in _row(redis, noticed, frozenset())


def test_exporters_are_scraped_by_jobs_of_the_committed_configuration_at_their_ports() -> None:
    jobs = {one["job_name"] for one in yaml.safe_load(BY_HAND.read_text())["scrape_configs"]}
    assert JOBS.keys() <= jobs
    assert PROMETHEUS in BY_HAND.read_text()
    composed = yaml.safe_load((BY_HAND.parent / "prometheus.yml").read_text())["scrape_configs"]
    ports = {
        one["job_name"]: int(one["static_configs"][0]["targets"][0].rpartition(":")[2])
        for one in composed
        if one["job_name"] in JOBS
    }
    assert ports == {job: port for job, (_, port) in JOBS.items()}
    assert {fault.exporter for fault in TEN} - {""} == {name for name, _ in JOBS.values()}
