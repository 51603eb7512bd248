"""The metric catalogue: every name that a process of ours exposes, typed, and what others call it.

Code counts by it, rules and panels ask by it, the reference page is written from it. Not here:
counting (telemetry.emit).
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue import node, services, trading
from holdfast.telemetry.catalogue.aliases import ALIASES
from holdfast.telemetry.catalogue.metric import INSTANCES, Alias, Emitter, Kind, Metric, Unit
from holdfast.telemetry.catalogue.promql import names_in

METRICS: Final[tuple[Metric, ...]] = (*trading.METRICS, *node.METRICS, *services.METRICS)

BY_NAME: Final[dict[str, Metric]] = {metric.name: metric for metric in METRICS}

# Of exporters beside us, and of Prometheus itself; with the labels that our rules go by.
FOREIGN: Final[dict[str, str]] = {
    "up": "Prometheus: 1 while the target answers",
    "ALERTS": "Prometheus: alerts that are pending or firing",
    "scrape_duration_seconds": "Prometheus: how long a scrape took",
    "prometheus_rule_evaluation_failures_total": "Prometheus: rules that could not be evaluated",
    "prometheus_notifications_alertmanagers_discovered": "Prometheus: Alertmanagers it knows",
    "alertmanager_notifications_failed_total": "Alertmanager: notifications that did not arrive",
    "redis_up": "redis_exporter",
    "redis_connected_clients": "redis_exporter",
    "redis_memory_used_bytes": "redis_exporter",
    "pg_up": "postgres_exporter",
    "pg_stat_activity_count": "postgres_exporter",
    "pg_stat_database_xact_commit": "postgres_exporter",
    "pg_stat_database_blks_hit": "postgres_exporter",
    "pg_stat_database_blks_read": "postgres_exporter",
    "pg_settings_max_connections": "postgres_exporter",
    "container_memory_working_set_bytes": "cAdvisor",
    "container_spec_memory_limit_bytes": "cAdvisor",
    "container_cpu_usage_seconds_total": "cAdvisor",
    "container_network_receive_bytes_total": "cAdvisor",
    "container_network_transmit_bytes_total": "cAdvisor",
    "node_filesystem_avail_bytes": "node_exporter",
    "node_filesystem_size_bytes": "node_exporter",
    "node_cpu_seconds_total": "node_exporter",
    "node_memory_MemAvailable_bytes": "node_exporter",
    "node_memory_MemTotal_bytes": "node_exporter",
    "node_network_receive_bytes_total": "node_exporter",
    "node_network_transmit_bytes_total": "node_exporter",
    "node_textfile_mtime_seconds": "node_exporter: when a file beside it was written",
    "cloud_cost_month_to_date": "billing exporter, or cloud-cost.sh: this month's bill so far",
    "cloud_cost_budget": "billing exporter, or cloud-cost.sh: what a month may cost",
}


def series_names() -> frozenset[str]:
    """Every name that a rule or a panel may ask for: emitted, recorded as an alias, or foreign."""
    own = {name for metric in METRICS for name in metric.series_names}
    return frozenset({*own, *(alias.name for alias in ALIASES), *FOREIGN})


def series_at_most() -> int:
    """Series of one deployment with every label at its bound, all processes together."""
    return sum(
        metric.series * INSTANCES[emitter] for metric in METRICS for emitter in metric.emitters
    )


__all__ = [
    "ALIASES", "BY_NAME", "FOREIGN", "METRICS", "Alias", "Emitter", "Kind", "Metric", "Unit",
    "names_in", "series_at_most", "series_names",
]  # fmt: skip
