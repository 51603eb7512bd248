"""What Prometheus is told to scrape: it loads, and asks where the compose files put things."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.operations.scrape import OTHERS_S, TRADING_S, scrape_documents
from scripts.observability import TARGET
from tests.support.operations_tools import operations_tool

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(TARGET / path for path in scrape_documents())
COST = str(TARGET / "textfile" / "cloud-cost.sh")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_prometheus_loads_it_with_all_rules(file: Path) -> None:
    done = subprocess.run(
        [operations_tool("promtool"), "check", "config", file],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


@pytest.mark.parametrize("words", [("aws", "500"), ("aws", "500", "None"), ('a"b', "500", "1")])
def test_what_is_no_bill_leaves_the_last_one(words: tuple[str, ...], tmp_path: Path) -> None:
    ran = subprocess.run(
        [COST, *words, *(() if len(words) < 3 else (str(tmp_path),))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.startswith("seen: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nodes_are_asked_more_often_than_the_rest(file: Path) -> None:
    jobs = {job["job_name"]: job for job in _read(file)["scrape_configs"]}
    assert jobs["trading"]["scrape_interval"] == f"{TRADING_S}s" == "10s"
    others = {job["scrape_interval"] for name, job in jobs.items() if name != "trading"}
    assert others == {f"{OTHERS_S}s"} == {"15s"}


def test_every_name_that_is_scraped_is_a_service_of_a_compose_file() -> None:
    found = REPOSITORY.glob("deploy/compose/*.yml")
    services = {name for file in found for name in _read(file).get("services", {})}
    if "node-1" not in services:
        pytest.skip("no compose file of the platform yet")
    jobs = _read(TARGET / "prometheus" / "prometheus.yml")["scrape_configs"]
    targets = [
        target
        for job in jobs
        for each in job.get("static_configs", [])
        for target in each["targets"]
    ]
    hosts = {target.partition(":")[0] for target in targets} - {"127.0.0.1"}
    assert sorted(hosts - services) == []


def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))
