"""Logs: one line per event, with its keys, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.telemetry import log
from holdfast.telemetry.context import market_time


@pytest.fixture(autouse=True)
def _nothing_known_to_be_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process hid would be masked here as well."""
    monkeypatch.setattr(log, "_hidden", ())


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the root logger as it was, whatever a test configured."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before, level


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_sentence_action_ids_level_logger_and_utc_time(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    log.get_logger("holdfast.execution").info("Order %s armed", "7", action="arm", epoch=3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "Order 7 armed",
        "action": "arm",
        "epoch": 3,
        "level": "info",
        "logger": "holdfast.execution",
    }


def test_money_is_text(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    log.get_logger("x").info("filled", price=Decimal("0.10"))
    assert lines(stream)[0]["price"] == "0.10"


def test_below_the_level_nothing_is_written(stream: io.StringIO) -> None:
    log.configure("warning", stream=stream)
    log.get_logger("x").info("hello")
    logging.getLogger("another.module").info("hello")
    assert stream.getvalue() == ""


def test_other_libraries_speak_the_same_json(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    logging.getLogger("aiohttp.client").warning("closing %d", 3)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == (
        "closing 3", "aiohttp.client", "warning",
    )  # fmt: skip


def test_an_exception_is_one_line_with_its_traceback(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    try:
        raise ValueError("boom")
    except ValueError:
        log.get_logger("x").exception("it broke", action="boom")
    (line,) = lines(stream)
    assert "ValueError: boom" in line["exception"]


@pytest.mark.parametrize(
    "fields",
    [
        {"api_secret": "hunter2hunter2"},
        {"nested": {"password": "hunter2hunter2"}},
        {"headers": [{"X-MBX-APIKEY": "hunter2hunter2"}]},
        {"url": "https://x/api/v3/order?symbol=A&signature=hunter2hunter2"},
        {"database_url": "postgresql://user:hunter2hunter2@host/db"},
        {"body": '{"listenKey": "hunter2hunter2"}'},
        {"error": ValueError("apiKey=hunter2hunter2&x=1")},
    ],
)
def test_secrets_are_masked_by_key_and_by_pattern(
    stream: io.StringIO, fields: dict[str, Any]
) -> None:
    log.configure("info", stream=stream)
    log.get_logger("x").info("sent", **fields)
    assert "hunter2" not in stream.getvalue()
    assert log.MASK in stream.getvalue()


def test_a_hidden_value_is_masked_everywhere_even_in_a_traceback(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    log.hide("0p3n-s3same-0p3n")
    try:
        raise OSError("cannot use 0p3n-s3same-0p3n here")
    except OSError:
        log.get_logger("x").exception("failed with %s", "0p3n-s3same-0p3n")
    logging.getLogger("other").error("saw 0p3n-s3same-0p3n")
    assert "s3same" not in stream.getvalue()
    assert len(lines(stream)) == 2


def test_of_two_hidden_values_the_longer_one_leaves_no_rest(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_hidden", ())
    log.configure("info", stream=stream)
    for secret in ("s3same-0", "s3same-0p3n-0p3n", "0p3n-0p3"):
        log.hide(secret)
    log.get_logger("x").info("saw %s", "s3same-0p3n-0p3n")
    assert lines(stream)[0]["event"] == "saw ***"


def test_handlers_of_others_get_the_line_masked_already(stream: io.StringIO) -> None:
    heard: list[logging.LogRecord] = []

    class Other(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record)

    log.configure("info", stream=stream)
    logging.getLogger().addHandler(Other())
    try:
        raise OSError("token=hunter2hunter2")
    except OSError:
        log.get_logger("x").exception("failed", password="hunter2hunter2", body=b"secret=hunter2")
    (record,) = heard
    told: Any = record.msg
    assert "hunter2" not in str(told)
    assert (record.levelname, record.name, told["body"]) == ("ERROR", "x", "secret=***")
    assert record.exc_info is not None  # which is the handler's to mask


def test_a_line_with_its_stack_begins_at_the_caller(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    log.get_logger("x").info("here", stack_info=True)
    stack = lines(stream)[0]["stack"]
    assert __file__ in stack
    assert log.__file__ not in stack


@pytest.mark.parametrize("method", ["debug", "info", "warning", "error", "critical"])
def test_each_method_has_its_level(method: str, stream: io.StringIO) -> None:
    log.configure("debug", stream=stream)
    getattr(log.get_logger("x"), method)("hello")
    assert lines(stream)[0]["level"] == method


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hf_0123456789abcdef_hunter2hunter2hunter2-_x", "hf_0123456789abcdef_***"),
        ("hfr_hunter2hunter2hunter2hunter2", "hfr_***"),
        ("see http://127.0.0.1:8080/#invitation=hfc_hunter2hunter2hunter2 now", "hfc_*** now"),
        ("eyJhunter2.eyJzdWIi.hunter2_-", "eyJ***"),
        ("eyJhunter2.hunter2.", "eyJ***"),
    ],
)
def test_bearers_are_masked_wherever_they_stand(
    text: str, shown: str, stream: io.StringIO
) -> None:
    log.configure("info", stream=stream)
    log.get_logger("x").info("saw %s", text, about=[text], path=f"/x/{text}")
    assert "hunter2" not in stream.getvalue()
    assert shown in stream.getvalue()


def test_what_is_no_secret_stays_readable(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    log.get_logger("x").info("sent", url="https://x/api/v3/order?symbol=BTCUSDT", seq=7, ok=True)
    (line,) = lines(stream)
    assert (line["url"], line["seq"], line["ok"]) == (
        "https://x/api/v3/order?symbol=BTCUSDT", 7, True,
    )  # fmt: skip


def test_configuring_again_replaces_and_does_not_double(stream: io.StringIO) -> None:
    log.configure("info", stream=io.StringIO())
    log.configure("info", stream=stream)
    log.get_logger("x").info("once")
    assert len(lines(stream)) == 1


def test_a_terminal_gets_readable_lines(stream: io.StringIO) -> None:
    log.configure("info", stream=stream, form="console")
    log.get_logger("x").info("hello there", action="greet")
    assert "hello there" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of debug"):
        log.configure("loud")


def test_words_about_secrets_that_are_none_stay(stream: io.StringIO) -> None:
    log.configure("info", stream=stream)
    log.get_logger("x").info("revoked", token_id="0123456789abcdef", token="hunter2hunter2")
    (line,) = lines(stream)
    assert (line["token_id"], line["token"]) == ("0123456789abcdef", log.MASK)


def test_lines_over_recorded_markets_carry_the_markets_time_and_say_so(
    stream: io.StringIO,
) -> None:
    log.configure("info", stream=stream)
    with market_time(lambda: 1_704_067_200_000_000_000):
        logging.getLogger("mine").info("crossed")
    logging.getLogger("mine").info("today")
    past, now = lines(stream)
    assert (past["timestamp"], past["simulated"]) == ("2024-01-01T00:00:00.000000Z", True)
    assert now["timestamp"] > "2024-02"
    assert "simulated" not in now


@pytest.mark.parametrize(
    ("form", "is_json"), [("json", True), ("console", False), ("auto", True)]
)
def test_a_form_that_is_asked_for_wins(form: str, is_json: bool, stream: io.StringIO) -> None:
    log.configure("info", stream=stream, form=form)
    log.get_logger("x").info("hello", action="hi")
    assert stream.getvalue().startswith("{") is is_json


def test_a_file_that_was_moved_away_is_opened_anew_and_no_line_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "node.log"
    log.configure("info", file=file)
    spoken = log.get_logger("x")
    spoken.info("one")
    file.rename(tmp_path / "node.log-1")
    spoken.info("two")
    log.configure("info", stream=io.StringIO())  # which closes the file
    told = [json.loads(path.read_text()) for path in (tmp_path / "node.log-1", file)]
    assert [line["event"] for line in told] == ["one", "two"]
