"""Numbers are counted, read, handed on; as Prometheus reads them they mean what was counted."""

from __future__ import annotations

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.telemetry.catalogue import node, services, trading
from holdfast.telemetry.exposition import Source, page, text
from holdfast.telemetry.meter import Meter, Numbers
from holdfast.telemetry.metrics import AuthMetrics, RedisMetrics
from holdfast.telemetry.runtime import Runtime, tell_build
from tests.support.numbers import number

BY_ACCOUNT = ("account",)


def samples(*sources: Source) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text(sources).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_histogram_counts_its_bounds_inclusively_and_cumulatively() -> None:
    meter = Meter()
    for took_s in (0.001, 0.005, 0.0051, 99.0):
        meter.histogram(services.HTTP_DURATION).observe(took_s, ("GET", "/x"))
    route = {"method": "GET", "endpoint": "/x"}
    name = "http_request_duration_seconds"
    assert number(meter, f"{name}_bucket", **route, le="0.001") == 1
    assert number(meter, f"{name}_bucket", **route, le="0.005") == 2
    assert number(meter, f"{name}_bucket", **route, le="0.01") == 3
    assert number(meter, f"{name}_bucket", **route, le="10.0") == 3
    assert number(meter, f"{name}_bucket", **route, le="+Inf") == 4
    assert number(meter, f"{name}_count", **route) == 4
    assert number(meter, f"{name}_sum", **route) == pytest.approx(99.0111)


def test_a_gauge_that_nobody_sets_any_more_is_gone_and_a_counter_stays() -> None:
    meter = Meter()
    wanted = ["BTC/USDT", "ETH/USDT"]
    gauge = meter.gauge(trading.PRICE)

    def look() -> None:
        for symbol in wanted:
            gauge.set(1, ("main", symbol))

    meter.on_collect(look)
    meter.counter(trading.GHOSTS).add(("main",))
    assert len(meter.collected()["trading_current_price"]) == 2
    wanted.pop()
    numbers = meter.collected()
    assert list(numbers["trading_current_price"]) == [("main", "BTC/USDT")]
    assert numbers["trading_ghosts_total"] == {("main",): 1}


def test_what_one_process_counted_the_next_one_goes_on_with() -> None:
    """Through bytes, as between processes; gauges are what they are, not what they were."""
    first, second = Meter(BY_ACCOUNT), Meter(BY_ACCOUNT)
    first.counter(trading.GHOSTS).add()
    first.histogram(node.APPEND).observe(0.002, ("arming",))
    first.on_collect(lambda: first.gauge(node.EPOCH).set(7))
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.collected()), type=Numbers)
    second.go_on_with(kept, (*trading.METRICS, *node.METRICS))
    second.counter(trading.GHOSTS).add()
    second.histogram(node.APPEND).observe(0.002, ("arming",))
    assert second.collected()["trading_ghosts_total"] == {(): 2}
    assert sum(second.collected()["journal_append_seconds"]["arming",][1:]) == 2
    assert "trading_epoch" not in second.collected()


def test_what_was_counted_with_other_buckets_begins_anew() -> None:
    meter = Meter(BY_ACCOUNT)
    meter.go_on_with({"journal_append_seconds": {("arming",): [1.0, 1]}}, node.METRICS)
    meter.go_on_with({"trading_ghosts_total": {("old", "labels"): 3}}, trading.METRICS)
    assert meter.collected() == {}


def test_processes_of_one_node_share_a_family_and_are_told_apart_by_their_account() -> None:
    found = samples(
        Source({"trading_ghosts_total": {(): 1}}, {"account": "a"}),
        Source({"trading_ghosts_total": {(): 2}}, {"account": "b"}),
    )
    assert found == {
        ("trading_ghosts_total", frozenset({("account", "a")})): 1,
        ("trading_ghosts_total", frozenset({("account", "b")})): 2,
    }
    assert text([Source({"trading_ghosts_total": {(): 1}}, {"account": "a"})]).count(b"# HELP") == 1


def test_labels_other_than_those_of_the_catalogue_are_a_mistake() -> None:
    meter = Meter()
    meter.counter(trading.GHOSTS).add(("main", "BTC/USDT"))
    with pytest.raises(ValueError, match="trading_ghosts_total"):
        meter.collected()


def test_a_name_that_is_not_in_the_catalogue_is_not_exposed() -> None:
    with pytest.raises(ValueError, match="no_such_total"):
        text([Source({"no_such_total": {(): 1}})])


def test_this_process_is_told_in_numbers() -> None:
    meter = Meter()
    Runtime(meter, "api")
    tell_build(meter)
    me = {"process": "api", "account": ""}
    assert (number(meter, "runtime_resident_memory_bytes", **me) or 0) > 10_000_000
    assert (number(meter, "runtime_threads", **me) or 0) >= 1
    assert (number(meter, "runtime_open_files", **me) or 0) >= 3
    began_s = number(meter, "runtime_start_time_seconds", **me)
    cpu_s = number(meter, "runtime_cpu_seconds_total", **me)
    assert began_s is not None
    assert (cpu_s or 0) > 0
    assert (number(meter, "runtime_cpu_seconds_total", **me) or 0) >= (cpu_s or 0)
    assert number(meter, "runtime_gc_collections_total", **me, generation="0") is not None
    assert len(meter.collected()["holdfast_build_info"]) == 1


def test_a_process_that_has_ended_has_no_numbers() -> None:
    meter = Meter()
    Runtime(meter, "supervisor", pid=2**22 + 1)
    assert meter.collected() == {}


def test_calls_that_raise_are_failures() -> None:
    meter = Meter()
    calls = RedisMetrics(meter, "cache")
    with calls.call():
        pass
    with pytest.raises(ConnectionError), calls.call():
        raise ConnectionError
    counted = meter.collected()["redis_operations_total"]
    assert counted == {("cache", "answered"): 1, ("cache", "failed"): 1}


def test_facts_are_counted_by_their_kind() -> None:
    class SignInFailed:
        pass

    meter = Meter()
    AuthMetrics(meter).heard([SignInFailed(), SignInFailed()])
    assert number(meter, "auth_events_total", event="sign_in_failed") == 2


def test_the_last_example_of_a_bucket_is_told_where_openmetrics_is_accepted() -> None:
    meter = Meter(BY_ACCOUNT)
    latency = meter.histogram(trading.ORDER_LATENCY)
    for took_s, trace_id in ((0.03, "a" * 32), (0.031, "b" * 32), (0.3, "c" * 32), (0.001, "")):
        latency.observe(took_s, ("binance",), trace_id)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(meter.collected()), type=Numbers)
    source = Source(kept, {"account": "main"})
    told, kind = page([source], "application/openmetrics-text; version=1.0.0")
    lines = [line for line in told.decode().splitlines() if "# {" in line]
    assert kind.startswith("application/openmetrics-text")
    assert ['le="0.05"' in lines[0], 'le="0.5"' in lines[1]] == [True, True]
    assert f'# {{trace_id="{"b" * 32}"}} 0.031 ' in lines[0]
    assert len(lines) == 2
    plain, kind = page([source], "text/plain")
    assert kind.startswith("text/plain")
    assert b"trace_id" not in plain
