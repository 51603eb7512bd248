"""What Prometheus scrapes, how often, and whom it tells: one configuration for each way to run.

`scripts/observability.py` writes them. Not here: the rules (alerts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

TRADING_S: Final = 10
OTHERS_S: Final = 15
"""Between two scrapes: of nodes, and of everything else."""

TIMEOUT_S: Final = 5
"""For how long an answer is waited for."""

_NODES: Final = ("node-1:9090", "node-2:9090")
_SERVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "api": ("api-1:9090", "api-2:9090", "api-3:9090"),
    "worker": ("worker:9090",),
    "postgres": ("postgres-exporter:9187",),
    "redis": ("redis-exporter:9121",),
    "machine": ("node-exporter:9100",),
    "prometheus": ("127.0.0.1:9091",),
    "alertmanager": ("alertmanager:9093",),
    "loki": ("loki:3100",),
    "grafana": ("grafana:3000",),
}
# cAdvisor runs only where somebody asked for it, and a name that is not there is no target.
_CONTAINERS: Final[Mapping[str, Any]] = {
    "job_name": "containers",
    "scrape_interval": f"{OTHERS_S}s",
    "dns_sd_configs": [
        {"names": ["cadvisor"], "type": "A", "port": 8081, "refresh_interval": "5m"}
    ],
}
_BY_HAND: Final = ("api", "worker", "postgres", "redis", "machine")
"""Jobs whose targets are listed in files where nothing names them."""


def scrape_documents() -> dict[str, Any]:
    """By path below deploy/observability."""
    return {
        "prometheus/prometheus.yml": _document(
            [_job("trading", _NODES, TRADING_S)]
            + [_job(name, targets, OTHERS_S) for name, targets in _SERVICES.items()]
            + [_CONTAINERS],
            "alertmanager:9093",
        ),
        "prometheus/prometheus-by-hand.yml": _document(
            [_listed("trading", TRADING_S)]
            + [_listed(name, OTHERS_S) for name in _BY_HAND]
            + [_job("prometheus", ("127.0.0.1:9091",), OTHERS_S)],
            "127.0.0.1:9093",
        ),
    }


def _document(jobs: Sequence[Mapping[str, Any]], alertmanager: str) -> dict[str, Any]:
    return {
        "global": {
            "scrape_interval": f"{OTHERS_S}s",
            "evaluation_interval": f"{OTHERS_S}s",
            "scrape_timeout": f"{TIMEOUT_S}s",
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [dict(job) for job in jobs],
    }


def _job(name: str, targets: tuple[str, ...], every_s: int) -> dict[str, Any]:
    # More nodes than compose begins, or a canary, are listed beside.
    found = [{"targets": list(targets)}]
    if name == "trading":
        labelled = {"targets": list(targets), "labels": {"track": "main"}}
        return {**_listed(name, every_s), "static_configs": [labelled]}
    return {"job_name": name, "scrape_interval": f"{every_s}s", "static_configs": found}


def _listed(name: str, every_s: int) -> dict[str, Any]:
    """Of targets in files, which are read again when they change."""
    return {
        "job_name": name,
        "scrape_interval": f"{every_s}s",
        "file_sd_configs": [{"files": [f"targets/{name}*.yml"]}],
    }
