"""What is asked of exporters beside us, typed as our own metrics are.

Names are those of the versions that deploy/compose/observability.yml runs. Debian's older ones tell
the same of machines and Redis, and less of PostgreSQL (tests/artefacts/test_exporters.py). Not
here: what processes of ours emit (telemetry.catalogue).
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue import Kind, Metric, Unit
from holdfast.telemetry.catalogue.metric import Label

VERSIONS: Final = {
    "node-exporter": "1.12.1", "redis-exporter": "1.89.0", "postgres-exporter": "0.20.1",
    "cadvisor": "0.55.1",
}  # fmt: skip
"""Whose names these are, by service of the compose file; a newer one may have renamed some."""


def _foreign(kind: Kind, name: str, told: str, *labels: str, unit: Unit = Unit.NONE) -> Metric:
    # How many values a label of theirs has is not ours to bound.
    return Metric(
        name=name, kind=kind, told=told, emitters=(), unit=unit,
        labels=tuple(Label(label, 0, "") for label in labels),
    )  # fmt: skip


def _gauge(name: str, told: str, *labels: str, unit: Unit = Unit.NONE) -> Metric:
    return _foreign(Kind.GAUGE, name, told, *labels, unit=unit)


def _counter(name: str, told: str, *labels: str, unit: Unit = Unit.NONE) -> Metric:
    return _foreign(Kind.COUNTER, name, told, *labels, unit=unit)


UP: Final = _gauge("up", "1 while a target answers Prometheus.")
ALERTS: Final = _gauge(
    "ALERTS", "1 while an alert is pending or fires.",
    "alertname", "alertstate", "severity", "account", "bot",
)  # fmt: skip

PG_UP: Final = _gauge("pg_up", "1 while PostgreSQL answers.")
PG_CONNECTIONS: Final = _gauge(
    "pg_stat_activity_count", "Connections by what they do.", "datname", "state"
)
PG_TRANSACTION_AGE: Final = _gauge(
    "pg_stat_activity_max_tx_duration", "Age of the oldest transaction.", "datname", "state",
    unit=Unit.SECONDS,
)  # fmt: skip
PG_MAX_CONNECTIONS: Final = _gauge("pg_settings_max_connections", "Connections at most.")
PG_COMMITS: Final = _counter("pg_stat_database_xact_commit", "Commits.", "datname")
PG_ROLLBACKS: Final = _counter("pg_stat_database_xact_rollback", "Rollbacks.", "datname")
PG_HITS: Final = _counter("pg_stat_database_blks_hit", "Blocks found in memory.", "datname")
PG_READS: Final = _counter("pg_stat_database_blks_read", "Blocks read from disk.", "datname")
PG_DEADLOCKS: Final = _counter("pg_stat_database_deadlocks", "Deadlocks.", "datname")
PG_SIZE: Final = _gauge(
    "pg_database_size_bytes", "Size of a database.", "datname", unit=Unit.BYTES
)
PG_LOCKS: Final = _gauge("pg_locks_count", "Locks held, by mode.", "datname", "mode")
PG_TABLE_SIZE: Final = _gauge(
    "pg_stat_user_tables_table_size_bytes", "Size of a table or a partition.",
    "datname", "schemaname", "relname", unit=Unit.BYTES,
)  # fmt: skip
PG_TABLE_ROWS: Final = _gauge(
    "pg_stat_user_tables_n_live_tup", "Rows, estimated.", "datname", "schemaname", "relname"
)
PG_DEAD_ROWS: Final = _gauge(
    "pg_stat_user_tables_n_dead_tup", "Rows to be vacuumed.", "datname", "schemaname", "relname"
)
PG_STATEMENTS: Final = _counter(
    "pg_stat_statements_seconds_total", "Time spent in a statement.", "datname", "user", "queryid",
    unit=Unit.SECONDS,
)  # fmt: skip
PG_REPLICA_LAG: Final = _gauge(
    "pg_replication_lag_seconds", "How far a replica is behind.", unit=Unit.SECONDS
)
PG_WAL_BEHIND: Final = _gauge(
    "pg_stat_replication_pg_wal_lsn_diff", "Log that a replica has not confirmed.",
    "application_name", "client_addr", "state", unit=Unit.BYTES,
)  # fmt: skip
PG_WAL: Final = _gauge("pg_wal_size_bytes", "Size of the log on disk.", unit=Unit.BYTES)
PG_ARCHIVE_FAILURES: Final = _counter(
    "pg_stat_archiver_failed_count", "Segments of the log that could not be archived."
)

REDIS_UP: Final = _gauge("redis_up", "1 while Redis answers.")
REDIS_CLIENTS: Final = _gauge("redis_connected_clients", "Clients of Redis.")
REDIS_MEMORY: Final = _gauge("redis_memory_used_bytes", "Memory of Redis.", unit=Unit.BYTES)
REDIS_COMMANDS: Final = _counter("redis_commands_processed_total", "Commands to Redis.")
REDIS_HITS: Final = _counter("redis_keyspace_hits_total", "Keys that were there.")
REDIS_MISSES: Final = _counter("redis_keyspace_misses_total", "Keys that were not there.")
REDIS_EVICTED: Final = _counter("redis_evicted_keys_total", "Keys that had to make room.")

CPU: Final = _counter(
    "node_cpu_seconds_total", "Time of the processors.", "cpu", "mode", unit=Unit.SECONDS
)
LOAD: Final = _gauge("node_load1", "Tasks that run or wait, over a minute.")
MEMORY_FREE: Final = _gauge(
    "node_memory_MemAvailable_bytes", "Memory that can be had.", unit=Unit.BYTES
)
MEMORY: Final = _gauge("node_memory_MemTotal_bytes", "Memory of the machine.", unit=Unit.BYTES)
DISK_FREE: Final = _gauge(
    "node_filesystem_avail_bytes", "Room on a file system.", "mountpoint", "fstype", "device",
    unit=Unit.BYTES,
)  # fmt: skip
DISK: Final = _gauge(
    "node_filesystem_size_bytes", "Size of a file system.", "mountpoint", "fstype", "device",
    unit=Unit.BYTES,
)  # fmt: skip
DISK_BUSY: Final = _counter(
    "node_disk_io_time_seconds_total", "Time a disk was busy.", "device", unit=Unit.SECONDS
)
RECEIVED: Final = _counter(
    "node_network_receive_bytes_total", "Bytes received.", "device", unit=Unit.BYTES
)
SENT: Final = _counter(
    "node_network_transmit_bytes_total", "Bytes sent.", "device", unit=Unit.BYTES
)
CLOCK_SYNCED: Final = _gauge("node_timex_sync_status", "1 while the clock is kept by a server.")

COST: Final = _gauge(
    "cloud_cost_month_to_date", "This month's bill so far.", "provider", unit=Unit.MONEY
)
COST_BUDGET: Final = _gauge(
    "cloud_cost_budget", "What a month may cost.", "provider", unit=Unit.MONEY
)

CONTAINER_CPU: Final = _counter(
    "container_cpu_usage_seconds_total", "Time of the processors.", "name", unit=Unit.SECONDS
)
CONTAINER_MEMORY: Final = _gauge(
    "container_memory_working_set_bytes", "Memory that cannot be given back.", "name",
    unit=Unit.BYTES,
)  # fmt: skip
CONTAINER_LIMIT: Final = _gauge(
    "container_spec_memory_limit_bytes", "Memory at most; 0 where there is no limit.", "name",
    unit=Unit.BYTES,
)  # fmt: skip
CONTAINER_STARTED: Final = _gauge(
    "container_start_time_seconds", "When a container began.", "name", unit=Unit.TIMESTAMP
)

METRICS: Final = (
    UP, ALERTS, PG_UP, PG_CONNECTIONS, PG_TRANSACTION_AGE, PG_MAX_CONNECTIONS, PG_COMMITS,
    PG_ROLLBACKS, PG_HITS, PG_READS, PG_DEADLOCKS, PG_SIZE, PG_LOCKS, PG_TABLE_SIZE, PG_TABLE_ROWS,
    PG_DEAD_ROWS, PG_STATEMENTS, PG_REPLICA_LAG, PG_WAL_BEHIND, PG_WAL, PG_ARCHIVE_FAILURES,
    REDIS_UP, REDIS_CLIENTS, REDIS_MEMORY, REDIS_COMMANDS, REDIS_HITS, REDIS_MISSES, REDIS_EVICTED,
    CPU, LOAD, MEMORY_FREE, MEMORY, DISK_FREE, DISK, DISK_BUSY, RECEIVED, SENT, CLOCK_SYNCED,
    CONTAINER_CPU, CONTAINER_MEMORY, CONTAINER_LIMIT, CONTAINER_STARTED,
)  # fmt: skip
