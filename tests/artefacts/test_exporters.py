"""What rules and dashboards ask exporters for is what exporters tell, tried on those of Debian.

They are older than those of the compose files; what came since is named. PostgreSQL's is tried
where the server with our roles is (test_postgres_settings). Not here: our own metrics.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from holdfast.operations.dashboards.exporters import VERSIONS
from tests.support.exporters import exporter_running, faults
from tests.support.redis import redis_url

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose" / "observability.yml"
COST = DEPLOY / "observability" / "textfile" / "cloud-cost.sh"


def test_the_catalogue_means_the_versions_that_compose_runs() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    runs = {
        name: services[name]["image"].partition("@")[0].partition(":v")[2]
        for name in ("node-exporter", "redis-exporter", "postgres-exporter", "cadvisor")
    }
    assert runs == VERSIONS


def test_the_machine_and_a_bill_that_was_told_to_it_are_told_as_claimed(tmp_path: Path) -> None:
    subprocess.run([COST, "aws", "500", "405.25", str(tmp_path)], check=True)
    with exporter_running("node", f"--collector.textfile.directory={tmp_path}") as told:
        assert list(faults(told, "node_")) == []
        assert list(faults(told, "cloud_cost_")) == []
        assert f'mtime_seconds{{file="{tmp_path}/aws.cloud_cost.prom"}}' in told


def test_redis_is_told_as_claimed() -> None:
    with exporter_running("redis", f"--redis.addr={redis_url()}") as told:
        assert "\nredis_up 1\n" in told
        assert list(faults(told, "redis_")) == []
