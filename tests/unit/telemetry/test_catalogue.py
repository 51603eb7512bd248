"""The catalogue keeps the conventions that make metrics sum, compare and stay few."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from holdfast.telemetry.catalogue import (
    ALIASES,
    BY_NAME,
    METRICS,
    Kind,
    Metric,
    Unit,
    names_in,
    series_at_most,
    series_names,
)
from holdfast.telemetry.catalogue.metric import BUDGET

_UNITS = {
    Unit.SECONDS: ("_seconds", "_seconds_total"), Unit.BYTES: ("_bytes", "_bytes_total"),
    Unit.RATIO: ("_ratio",), Unit.TIMESTAMP: ("_timestamp_seconds", "_time_seconds"),
}  # fmt: skip
_NEVER_LABELS = {"cid", "order_id", "address", "ip", "user", "path", "url", "reason", "message"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_says_what_it_is(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.name.endswith(_UNITS.get(metric.unit, ("",)))
    assert "percent" not in metric.name
    assert metric.told.endswith(".")
    assert metric.emitters


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_labels_are_bounded_and_name_nobody(metric: Metric) -> None:
    names = metric.label_names
    assert len(set(names)) == len(names)
    assert not _NEVER_LABELS & set(names)
    assert all(label.most >= 1 for label in metric.labels)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_only_histograms_have_buckets_and_they_rise(metric: Metric) -> None:
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_name_is_given_twice_not_even_by_the_parts_of_a_histogram() -> None:
    named = Counter(name for metric in METRICS for name in metric.series_names)
    named.update(alias.name for alias in ALIASES)
    assert [name for name, count in named.items() if count > 1] == []


def test_all_series_together_stay_within_the_budget() -> None:
    assert series_at_most() < BUDGET


def test_aliases_ask_only_for_what_there_is() -> None:
    asked = {name for alias in ALIASES for name in names_in(alias.expr)}
    assert sorted(asked - series_names()) == []


def test_names_of_the_acceptance_list_are_there() -> None:
    """MT-01 to MT-23: emitted under their name, or recorded under it."""
    wanted = [
        "http_requests_total", "http_request_duration_seconds", "active_users_total",
        "trades_total", "trading_order_latency_seconds", "trading_orders_total",
        "trading_order_fill_rate", "trading_positions_current", "trading_position_pnl_usd",
        "exchange_api_latency_seconds", "exchange_api_errors_total",
        "exchange_websocket_disconnects_total", "trading_daily_pnl_usd",
        "trading_max_drawdown_percent", "trading_sharpe_ratio", "trading_current_price",
        "position_close_failures_total", "trading_volume_per_second", "api_requests_per_second",
        "api_response_time_p95", "market_volatility_index", "celery_queue_length",
    ]  # fmt: skip
    known = BY_NAME.keys() | {alias.name for alias in ALIASES}
    assert [name for name in wanted if name not in known] == []
    latency = BY_NAME["trading_order_latency_seconds"]
    assert {0.1, 0.25, 0.5, 1, 2.5, 5} <= set(latency.buckets)


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("up == 0", ["up"]),
        ("sum by (le, exchange) (rate(a_bucket{x=\"b_total\"}[5m]))", ["a_bucket"]),
        ("sum(a) by (b) / on (c) group_left (d) e_total offset 1d > 1e6", ["a", "e_total"]),
        ("a and on() b unless c or vector(0)", ["a", "b", "c"]),
        ("label_replace(a, 'x', '$1', 'y', '(.*)')", ["a"]),
        ("level:recorded:rate5m > 0.5", ["level:recorded:rate5m"]),
        ("absent(up{job=\"node\"}) == 1", ["up"]),
    ],
)
def test_the_metrics_of_an_expression_are_found(expr: str, names: list[str]) -> None:
    assert list(names_in(expr)) == names
