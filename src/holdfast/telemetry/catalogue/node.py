"""A node and its accounts: who leads, how fresh what it sees is, the exchange, the journal.

The label `account` is the node's to add.
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue import labels as of
from holdfast.telemetry.catalogue.metric import Emitter, Kind, Label, Metric, Unit

_NODE: Final = (Emitter.NODE,)
_LEADER: Final = (Emitter.LEADER,)
_CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_APPEND_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0)
_GAP_BUCKETS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 15.0, 30.0, 60.0, 300.0)


def _gauge(
    name: str, told: str, *labels: Label, unit: Unit = Unit.NONE,
    emitters: tuple[Emitter, ...] = _NODE,
) -> Metric:  # fmt: skip
    return Metric(
        name=name, kind=Kind.GAUGE, told=told, emitters=emitters, unit=unit,
        labels=(of.ACCOUNT, *labels),
    )  # fmt: skip


def _counter(
    name: str, told: str, *labels: Label, emitters: tuple[Emitter, ...] = _NODE
) -> Metric:
    return Metric(
        name=name, kind=Kind.COUNTER, told=told, emitters=emitters, labels=(of.ACCOUNT, *labels)
    )


def _latency(
    name: str, told: str, buckets: tuple[float, ...], *labels: Label,
    emitters: tuple[Emitter, ...] = _NODE,
) -> Metric:  # fmt: skip
    return Metric(
        name=name, kind=Kind.HISTOGRAM, told=told, emitters=emitters, unit=Unit.SECONDS,
        labels=(of.ACCOUNT, *labels), buckets=buckets,
    )  # fmt: skip


LEADER: Final = _gauge(
    "trading_leader", "1 while this node leads the account and its lease runs, else 0."
)
EPOCH: Final = _gauge("trading_epoch", "Epoch of the account's journal, as this node knows it.")
STANDBY_READY: Final = _gauge(
    "trading_standby_ready",
    "1 while the account is followed here, warm, and its exchange answers: it could be led at "
    "once.",
)
TAKEOVERS: Final = _counter(
    "trading_takeovers_total", "Times this node took the account over, by how the last one ended.",
    of.RESTED, emitters=_LEADER,
)  # fmt: skip
FAILOVER_GAP: Final = _latency(
    "cluster_failover_gap_seconds",
    "From the last sign of the leader before to the moment this one might trade, or first did.",
    _GAP_BUCKETS, of.PHASE, emitters=_LEADER,
)  # fmt: skip
LEASE_LEFT: Final = Metric(
    name="cluster_lease_left_seconds", kind=Kind.GAUGE, unit=Unit.SECONDS, emitters=_NODE,
    told="How long this node may lead without renewing its lease; 0 when it has run out.",
)  # fmt: skip

HEARTBEAT: Final = _gauge(
    "trading_heartbeat_timestamp_seconds", "When the account's process last told how it is.",
    unit=Unit.TIMESTAMP,
)  # fmt: skip
LOOP_AGE: Final = _gauge(
    "trading_loop_age_seconds", "How long ago the account's event loop was last seen to turn.",
    unit=Unit.SECONDS,
)  # fmt: skip
DATA_AGE: Final = _gauge(
    "trading_data_age_seconds", "How long ago the newest market data of a bot came.",
    of.BOT, unit=Unit.SECONDS,
)  # fmt: skip
DECISION_AGE: Final = _gauge(
    "trading_decision_age_seconds",
    "How long ago a bot's strategy was last asked, or, while nobody asked it, its process began.",
    of.BOT, unit=Unit.SECONDS, emitters=_LEADER,
)  # fmt: skip
RESTARTS: Final = _counter(
    "trading_process_restarts_total", "Times the account's process was begun again on this node."
)

API_REQUESTS: Final = _counter(
    "exchange_api_requests_total", "Requests to the exchange.",
    of.EXCHANGE, of.ENDPOINT, of.API_OUTCOME,
)  # fmt: skip
API_ERRORS: Final = _counter(
    "exchange_api_errors_total", "Requests to the exchange without a usable answer.",
    of.EXCHANGE, of.ERROR_TYPE,
)  # fmt: skip
API_LATENCY: Final = _latency(
    "exchange_api_latency_seconds", "From a request to the exchange to its whole answer.",
    _CALL_BUCKETS, of.EXCHANGE, of.ENDPOINT,
)  # fmt: skip
DISCONNECTS: Final = _counter(
    "exchange_websocket_disconnects_total", "Times a stream of the exchange went down.",
    of.EXCHANGE, of.STREAM,
)  # fmt: skip
STREAM_UP: Final = _gauge(
    "exchange_stream_up", "1 while the stream of the account's own events delivers.", of.EXCHANGE
)
KEY_TAKEN: Final = _gauge(
    "exchange_key_taken",
    "1 while the exchange takes the account's key, 0 from when it refused it until it takes it or "
    "another one.",
    of.EXCHANGE,
)  # fmt: skip
REACHABLE: Final = _gauge(
    "exchange_reachable",
    "1 while the exchange answers the account, else 0; none while the account is not run there.",
    of.EXCHANGE,
)  # fmt: skip
RATE_BUDGET: Final = _gauge(
    "exchange_rate_budget_ratio", "What is left of the tightest window of each rate limit.",
    of.EXCHANGE, of.LIMIT, unit=Unit.RATIO,
)  # fmt: skip
BREAKER_STATE: Final = _gauge(
    "exchange_breaker_state", "Circuit breaker: 0 closed, 1 half open, 2 open.",
    of.EXCHANGE, of.BREAKER, emitters=_LEADER,
)  # fmt: skip
MAINTENANCE: Final = _gauge(
    "exchange_maintenance", "1 while the exchange says that it is closed for a while.",
    of.EXCHANGE, emitters=_LEADER,
)  # fmt: skip
CLOCK_AGE: Final = _gauge(
    "exchange_clock_sample_age_seconds",
    "Age of what is known of the exchange's clock; no order is signed over 30 s.",
    of.EXCHANGE, unit=Unit.SECONDS,
)  # fmt: skip
CLOCK_UNCERTAINTY: Final = _gauge(
    "exchange_clock_uncertainty_seconds", "How closely the exchange's clock is known.",
    of.EXCHANGE, unit=Unit.SECONDS,
)  # fmt: skip
CLOCK_OFFSET: Final = _gauge(
    "exchange_clock_offset_seconds",
    "How far this host's clock is surely off the exchange's, ahead is positive; what the time of "
    "the question leaves open is left out.",
    of.EXCHANGE, unit=Unit.SECONDS,
)  # fmt: skip

APPEND: Final = _latency(
    "journal_append_seconds", "From facts to their commit.", _APPEND_BUCKETS, of.COMMIT,
    emitters=_LEADER,
)  # fmt: skip
FACTS: Final = _counter("journal_facts_total", "Facts committed.", emitters=_LEADER)
FENCED: Final = _counter(
    "journal_fence_refusals_total", "Commits refused because another node is the writer by now.",
    emitters=_LEADER,
)  # fmt: skip
SEQUENCE: Final = _gauge("journal_sequence", "Last record that this node has folded.")
COMMIT_AGE: Final = _gauge(
    "journal_commit_age_seconds",
    "For how long no commit that was tried has come about; 0 after one that has.",
    unit=Unit.SECONDS, emitters=_LEADER,
)  # fmt: skip

METRICS: Final = (
    LEADER, EPOCH, STANDBY_READY, TAKEOVERS, FAILOVER_GAP, LEASE_LEFT, HEARTBEAT, LOOP_AGE,
    DATA_AGE, DECISION_AGE, RESTARTS, API_REQUESTS, API_ERRORS, API_LATENCY, DISCONNECTS, STREAM_UP,
    KEY_TAKEN, REACHABLE, RATE_BUDGET, BREAKER_STATE, MAINTENANCE, CLOCK_AGE, CLOCK_UNCERTAINTY,
    CLOCK_OFFSET, APPEND, FACTS, FENCED, SEQUENCE, COMMIT_AGE,
)  # fmt: skip
