"""Traces: off they are not there at all; on, every process finds the same ids by itself."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from holdfast.app import logs
from holdfast.config import Config
from holdfast.errors import ConfigError
from holdfast.telemetry import error_reports, log, trace
from tests.support.collectors import attributes, collecting

INTENT = "b9a2f1f0-0000-5000-8000-0000000000aa"


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    trace.stop()


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    told = subprocess.run(
        [sys.executable, "-c",
         "import sys; from holdfast.app.live import trader; from holdfast.app.web import serve\n"
         "from holdfast.app.logs import begin_exports; begin_exports('node', {})\n"
         "print([m for m in sys.modules if m.startswith(('opentelemetry', 'sentry', 'google'))])"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_switch_them_on(environ: dict[str, str], wanted: bool) -> None:
    assert trace.is_wanted(environ) is wanted


def test_a_collector_that_nothing_can_speak_to_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace, "is_installed", lambda: False)
    monkeypatch.setattr(error_reports, "is_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"holdfast\[otel\]"):
        logs.begin_logs(Config(), "node", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"})
    with pytest.raises(ConfigError, match=r"holdfast\[sentry\]"):
        logs.begin_logs(Config(), "node", {"SENTRY_DSN": "https://key@host/1"})


def test_a_dsn_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="SENTRY_DSN") as caught:
        logs.begin_exports("api", {"SENTRY_DSN": "https://hunter2hunter2@"})
    assert "hunter2" not in str(caught.value)


def test_spans_arrive_with_the_ids_that_others_find_them_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request, command = trace.of_request("r-12345678"), trace.of_command("c-1")
    order = trace.Place(trace.of_intent(INTENT), trace.span_of("cid"))
    with collecting() as heard:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", heard.otlp)
        log.hide("hunter2hunter2")
        traces = trace.begin("node", "1.2.3", process="main")
        about = {"holdfast.order": "cid", "note": "saw hunter2hunter2", "none": None}
        traces.tell(order, trace.Stretch("order", 1_000, 9_000, about, failed="no: token=abcdefgh"))
        part = trace.Place(order.trace_id, trace.span_of(order.span_id, "send"))
        moments = [("first byte", 3_000)]
        traces.tell(part, trace.Stretch("send", 2_000, 8_000, moments=moments), parent=order)
        give = trace.Place(request.trace_id, 7)
        traces.tell(give, trace.Stretch("give halt", 1, 2, links=(command,)), parent=request)
        trace.stop()
    (whole,), (send,), (halt,) = (heard.named(n) for n in ("order", "send", "give halt"))
    assert whole.trace_id == send.trace_id == uuid.UUID(INTENT).bytes
    assert send.parent_span_id == whole.span_id
    assert send.end_time_unix_nano - send.start_time_unix_nano == 6_000
    assert send.events[0].time_unix_nano - send.start_time_unix_nano == 1_000
    assert (halt.links[0].trace_id, halt.links[0].span_id) == (
        command.trace_id.to_bytes(16, "big"), command.span_id.to_bytes(8, "big"),
    )  # fmt: skip
    assert attributes(whole) == {"holdfast.order": "cid", "note": "saw ***"}
    assert "abcdefgh" not in whole.status.message
    assert heard.spans[0][0]["service.name"] == "node"
    assert "hunter2" not in heard.raw


def test_a_collector_that_is_gone_costs_the_end_of_a_process_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(trace, "END_S", 0.2)
    traces = trace.begin("node", "1.2.3")
    traces.tell(trace.of_request("r-12345678"), trace.Stretch("GET", 1, 2))
    trace.stop()  # it returns, and raises nothing
    assert trace.active() is None
