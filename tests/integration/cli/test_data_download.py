"""`holdfast data download` as a process: against a local exchange, stopped, resumed, refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast import load
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    """The address of a local exchange with two hours of an invented market behind it."""
    words = ["exchange", "serve", "--port", "0", "--warm-up", "7200", "--rate", "2"]
    with started(*words) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["listening"]


@contextmanager
def started(*words: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "holdfast", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def words(url: str, timeframe: str, symbol: str = "BTC/USDT") -> list[str]:
    since = datetime.now(UTC) - timedelta(minutes=100)
    return [
        "data", "download", "--exchange", "binance", "--symbol", symbol, "--timeframe", timeframe,
        "--since", f"{since:%Y-%m-%dT%H:%M:%S}", "--url", url, "--json",
    ]  # fmt: skip


def run(folder: Path, *told: str) -> tuple[int, dict[str, Any] | None, str]:
    with started(*told, cwd=folder) as process:
        out, err = process.communicate(timeout=2 * PATIENCE_S)
        return process.returncode, json.loads(out) if out else None, " ".join(err.split())


def test_candles_are_fetched_and_used(exchange: str, tmp_path: Path) -> None:
    code, document, err = run(tmp_path, *words(exchange, "1m"))
    assert (code, document is not None) == (0, True), err
    (entry,) = (document or {})["entries"]
    assert entry["path"] == ".holdfast/data/binance/BTC_USDT-1m.parquet"
    assert entry["rows"] in {99, 100, 101}
    assert "new candles" in err
    table = load(tmp_path / entry["path"], timeframe="5m")
    assert len(table) in {18, 19, 20}


def test_ctrl_c_keeps_what_came_and_the_same_command_goes_on(
    exchange: str, tmp_path: Path
) -> None:
    fault = {"kind": "delay_reply", "match": {"path": "/api/v3/klines"},
             "params": {"delay_ms": 1500}}  # fmt: skip
    post(exchange, "/admin/faults", fault)
    told = words(exchange, "1s")
    try:
        with started(*told, cwd=tmp_path) as process:
            wait_for_requests(exchange, 3)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=2 * PATIENCE_S)
    finally:
        urllib.request.urlopen(
            urllib.request.Request(f"{exchange}/admin/faults", method="DELETE"), timeout=PATIENCE_S
        ).close()
    assert process.returncode == 1, err
    assert "the same command goes on from there" in " ".join(err.split())
    (half,) = json.loads(out)["entries"]
    assert half["complete"] is False
    assert half["rows"] % 1000 == 0
    code, document, err = run(tmp_path, *told)
    assert code == 0, err
    (whole,) = (document or {})["entries"]
    assert (whole["complete"], whole["gaps"]) == (True, [])
    assert whole["added"] == whole["rows"] - half["rows"] > 0


def post(url: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return json.load(reply)


def wait_for_requests(url: str, count: int) -> None:
    """Return once the fault has delayed so many questions."""
    while True:
        with urllib.request.urlopen(f"{url}/admin/faults", timeout=PATIENCE_S) as reply:
            if json.load(reply)["faults"][0]["struck"] >= count:
                return


def test_an_exchange_that_cannot_be_reached_is_told_with_what_to_do(tmp_path: Path) -> None:
    code, document, err = run(tmp_path, *words("http://127.0.0.1:9", "1m"))
    assert (code, document) == (4, None), err
    assert "do: check the network" in err
    assert "Traceback" not in err
    assert not (tmp_path / ".holdfast").exists()
