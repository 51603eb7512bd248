"""The API, jobs, the database's pool, Redis, and the processes themselves."""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue import labels as of
from holdfast.telemetry.catalogue.metric import Emitter, Kind, Label, Metric, Unit

_API: Final = (Emitter.API,)
_WORKER: Final = (Emitter.WORKER,)
_EVERY: Final = (Emitter.NODE, Emitter.API, Emitter.WORKER)


HTTP_REQUESTS: Final = Metric(
    name="http_requests_total", kind=Kind.COUNTER, told="Requests answered.", emitters=_API,
    labels=(of.METHOD, of.ROUTE, of.HTTP_STATUS),
)  # fmt: skip
HTTP_DURATION: Final = Metric(
    name="http_request_duration_seconds", kind=Kind.HISTOGRAM, unit=Unit.SECONDS, emitters=_API,
    told="From the head of a request to the end of its answer.", labels=(of.METHOD, of.ROUTE),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0),
)  # fmt: skip
ACTIVE_USERS: Final = Metric(
    name="active_users", kind=Kind.GAUGE, emitters=_API,
    told="Users who asked this process within five minutes.",
)  # fmt: skip
AUTH_EVENTS: Final = Metric(
    name="auth_events_total", kind=Kind.COUNTER, emitters=_API, labels=(of.SIGN_IN,),
    told="Sign-ins, tokens, refusals and changes of users, as this process journaled them.",
)  # fmt: skip

JOBS_UP: Final = Metric(
    name="jobs_up", kind=Kind.GAUGE, emitters=_WORKER,
    told="1 while the database of jobs answers.",
)  # fmt: skip
JOBS: Final = Metric(
    name="jobs", kind=Kind.GAUGE, emitters=_WORKER, told="Background jobs, by state.",
    labels=(of.JOB_STATE,),
)  # fmt: skip
QUEUE_LENGTH: Final = Metric(
    name="celery_queue_length", kind=Kind.GAUGE, emitters=_WORKER,
    told="Jobs that wait for a worker.",
)  # fmt: skip

_NOTIFY: Final = "subscriptions to notifications"


def _notify(name: str, kind: Kind, told: str, unit: Unit = Unit.NONE) -> Metric:
    # Read from the database, so that it is told also while nobody delivers.
    told = f"{told} The same in every process of the API."
    return Metric(
        name=f"notify_{name}", kind=kind, told=told, emitters=_API, unit=unit, optional=_NOTIFY
    )


NOTIFY_SERVING: Final = _notify(
    "serving", Kind.GAUGE, "1 while a process tells people what happened."
)
NOTIFY_WAITING: Final = _notify("waiting", Kind.GAUGE, "Notices that are still to be delivered.")
NOTIFY_OLDEST: Final = _notify(
    "oldest_wait_seconds", Kind.GAUGE, "For how long the oldest of them has waited.", Unit.SECONDS
)
NOTIFY_SENT: Final = _notify("sent_total", Kind.COUNTER, "Notices that were delivered.")
NOTIFY_LOST: Final = _notify("lost_total", Kind.COUNTER, "Notices that never could be delivered.")

_POSTGRES: Final = "a PostgreSQL database"


def _pool(
    name: str, kind: Kind, told: str, *labels: Label, unit: Unit = Unit.NONE
) -> Metric:
    return Metric(
        name=f"db_pool_{name}", kind=kind, told=told, emitters=_API, unit=unit, labels=labels,
        optional=_POSTGRES,
    )  # fmt: skip


POOL_CONNECTIONS: Final = _pool(
    "connections", Kind.GAUGE, "Connections to the database now.", of.POOL
)
POOL_GAUGES: Final = {
    "min": _pool("min", Kind.GAUGE, "Connections that are kept."),
    "max": _pool("max", Kind.GAUGE, "Connections that are opened at most."),
    "waiting": _pool("waiting", Kind.GAUGE, "Callers that wait for a connection now."),
}
POOL_COUNTERS: Final = {
    "requests": _pool("requests_total", Kind.COUNTER, "Callers that asked for a connection."),
    "waits": _pool("waits_total", Kind.COUNTER, "Callers that had to wait for one."),
    "timeouts": _pool("timeouts_total", Kind.COUNTER, "Callers that waited in vain."),
    "connects": _pool("connects_total", Kind.COUNTER, "Connections opened."),
    "failed_connects": _pool(
        "failed_connects_total", Kind.COUNTER, "Connections that could not be opened."
    ),
    "lost": _pool("lost_total", Kind.COUNTER, "Connections that were found broken."),
}
POOL_WAIT: Final = _pool(
    "wait_seconds_total", Kind.COUNTER, "All waits together.", unit=Unit.SECONDS
)

_REDIS: Final = "a Redis server"
REDIS_OPERATIONS: Final = Metric(
    name="redis_operations_total", kind=Kind.COUNTER, emitters=_API, optional=_REDIS,
    told="Calls to Redis.", labels=(of.REDIS_USE, of.REDIS_OUTCOME),
)  # fmt: skip
REDIS_DURATION: Final = Metric(
    name="redis_operation_duration_seconds", kind=Kind.HISTOGRAM, unit=Unit.SECONDS, emitters=_API,
    told="How long calls to Redis took.", labels=(of.REDIS_USE,), optional=_REDIS,
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)  # fmt: skip


def _runtime(
    name: str, kind: Kind, told: str, *labels: Label, unit: Unit = Unit.NONE,
    emitters: tuple[Emitter, ...] = _EVERY,
) -> Metric:  # fmt: skip
    return Metric(
        name=name, kind=kind, told=told, emitters=emitters, unit=unit,
        labels=(of.PROCESS, of.ACCOUNT, *labels),
    )  # fmt: skip


MEMORY: Final = _runtime(
    "runtime_resident_memory_bytes", Kind.GAUGE, "Memory that a process holds.", unit=Unit.BYTES
)
CPU: Final = _runtime(
    "runtime_cpu_seconds_total", Kind.COUNTER, "Processor time that a process used.",
    unit=Unit.SECONDS,
)  # fmt: skip
THREADS: Final = _runtime("runtime_threads", Kind.GAUGE, "Threads of a process.")
FILES: Final = _runtime("runtime_open_files", Kind.GAUGE, "Files and sockets that a process has.")
STARTED: Final = _runtime(
    "runtime_start_time_seconds", Kind.GAUGE, "When a process began.", unit=Unit.TIMESTAMP
)
COLLECTIONS: Final = _runtime(
    "runtime_gc_collections_total", Kind.COUNTER, "Runs of the garbage collector.", of.GENERATION
)
LOOP_LAG: Final = _runtime(
    "runtime_event_loop_lag_seconds", Kind.GAUGE,
    "How much later than it was to the event loop last did what was due.", unit=Unit.SECONDS,
    emitters=(Emitter.NODE, Emitter.API),
)  # fmt: skip
BUILD: Final = Metric(
    name="holdfast_build_info", kind=Kind.GAUGE, emitters=_EVERY,
    told="Always 1; its labels say what runs.", labels=(of.VERSION, of.REVISION),
)  # fmt: skip

METRICS: Final = (
    HTTP_REQUESTS, HTTP_DURATION, ACTIVE_USERS, AUTH_EVENTS, JOBS_UP, JOBS, QUEUE_LENGTH,
    NOTIFY_SERVING, NOTIFY_WAITING, NOTIFY_OLDEST, NOTIFY_SENT, NOTIFY_LOST,
    POOL_CONNECTIONS, *POOL_GAUGES.values(), *POOL_COUNTERS.values(), POOL_WAIT, REDIS_OPERATIONS,
    REDIS_DURATION, MEMORY, CPU, THREADS, FILES, STARTED, COLLECTIONS, LOOP_LAG, BUILD,
)  # fmt: skip
