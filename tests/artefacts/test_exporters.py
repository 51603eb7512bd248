"""What rules and dashboards ask exporters for is what exporters tell, tried on those of Debian.

They are older than those of the compose files; what came since is named. PostgreSQL's is tried
where the server with our roles is (test_postgres_settings). Not here: our own metrics.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from holdfast.operations.dashboards.exporters import VERSIONS
from tests.support.exporters import exporter_running, faults
from tests.support.redis import redis_url

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose" / "observability.yml"


def test_the_catalogue_means_the_versions_that_compose_runs() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    runs = {
        name: services[name]["image"].partition("@")[0].partition(":v")[2]
        for name in ("node-exporter", "redis-exporter", "postgres-exporter", "cadvisor")
    }
    assert runs == VERSIONS


def test_the_machine_is_told_as_claimed() -> None:
    with exporter_running("node") as told:
        assert list(faults(told, "node_")) == []


def test_redis_is_told_as_claimed() -> None:
    with exporter_running("redis", f"--redis.addr={redis_url()}") as told:
        assert "\nredis_up 1\n" in told
        assert list(faults(told, "redis_")) == []
