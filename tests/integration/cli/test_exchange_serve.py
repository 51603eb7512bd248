"""`holdfast exchange serve` as a process of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from holdfast.cli import main
from tests.support.raw_server import unused_port
from tests.support.stand_in import playing
from tests.support.waiting import PATIENCE_S

CANDLES = "\n".join(
    ["time,open,high,low,close,volume"]
    + [f"{1_723_118_400_000 + n * 60_000},100,{110 + n},95,105,12.5" for n in range(5)]
)


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address, once it accepts connections; killed at the end."""
    command = [sys.executable, "-m", "holdfast", "exchange", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)["listening"]
        finally:
            process.kill()


def get(url: str, path: str) -> Any:
    with urllib.request.urlopen(f"{url}{path}", timeout=PATIENCE_S) as reply:
        return json.load(reply)


def post(url: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return json.load(reply)


def signed(
    url: str, keys: dict[str, str], method: str, path: str, params: dict[str, str]
) -> tuple[Any, float]:
    """The answer to a signed request, a refusal too, and the seconds that it took."""
    text = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
    signature = hmac.new(keys["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"{url}/api/v3/{path}?{text}&signature={signature}",
        headers={"X-MBX-APIKEY": keys["apiKey"]},
        method=method,
    )
    began_s = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            answer = json.load(reply)
    except urllib.error.HTTPError as refusal:
        with refusal:
            answer = json.load(refusal)
    return answer, time.perf_counter() - began_s


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command says when it refuses to start; it must do so with exit code 2."""

    def run(*options: str) -> str:
        assert main(["exchange", "serve", *options]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        return " ".join(told.err.split())

    return run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_invented_market_is_served_until_a_signal(number: signal.Signals) -> None:
    with serving("--seed", "3", "--warm-up", "300") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        info = get(url, "/api/v3/exchangeInfo")
        assert [item["symbol"] for item in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        candles = get(url, "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=10")
        assert len(candles) >= 5, "history is there from the start"
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "", "one line on stdout, not more"


def test_a_recording_is_replayed_and_stays_when_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "BTC_USDT-1m.csv"
    path.write_text(CANDLES)
    with serving("--data", str(path), "--speed", "0") as (_process, url):
        deadline = time.monotonic() + PATIENCE_S
        while not (trades := get(url, "/api/v3/trades?symbol=BTCUSDT&limit=1000"))[34:]:
            assert time.monotonic() < deadline, f"{len(trades)} trades"
            time.sleep(0.02)
        prices = [float(trade["price"]) for trade in trades]
        assert (prices[0], prices[-1], max(prices), min(prices)) == (100, 105, 114, 95)
        assert get(url, "/api/v3/ticker/bookTicker?symbol=BTCUSDT")["bidPrice"] != "0.00000000"


def test_faults_and_limits_are_in_force_from_the_start(tmp_path: Path) -> None:
    faults, limits = tmp_path / "faults.json", tmp_path / "limits.json"
    faults.write_text('[{"kind": "drop_reply", "match": {"method": "POST"}, "count": 2}]')
    limits.write_text('{"orders_per_10s": 7}')
    options = ("--warm-up", "0", "--faults", str(faults), "--limits", str(limits))
    with serving(*options) as (_process, url):
        (fault,) = get(url, "/admin/faults")["faults"]
        assert (fault["kind"], fault["count"]) == ("drop_reply", 2)
        limits_told = get(url, "/api/v3/exchangeInfo")["rateLimits"]
        assert 7 in [item["limit"] for item in limits_told if item["rateLimitType"] == "ORDERS"]


def test_orders_and_cancels_come_late_and_questions_do_not() -> None:
    with serving("--warm-up", "0", "--latency-ms", "150") as (_process, url):
        keys = post(url, "/admin/accounts", {"balances": {"USDT": "1000"}})
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
        open_orders, _ = signed(url, keys, "GET", "openOrders", {})
        placed, placed_s = signed(url, keys, "POST", "order", order)
        cancelled, cancelled_s = signed(url, keys, "DELETE", "openOrders", {"symbol": "BTCUSDT"})
        pair = {
            "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.001", "aboveType": "LIMIT_MAKER",
            "abovePrice": "1000000", "belowType": "STOP_LOSS", "belowStopPrice": "1000",
        }  # fmt: skip
        listed, listed_s = signed(url, keys, "POST", "orderList/oco", pair)
        unlisted, unlisted_s = signed(
            url, keys, "DELETE", "orderList", {"symbol": "BTCUSDT", "orderListId": "0"}
        )
        assert open_orders == []
        assert placed["status"] == "FILLED"
        assert cancelled["code"] == -2011, "nothing was open any more"
        assert "code" in listed, "no such price"
        assert unlisted["code"] == -2011, "so there is no list"
        assert min(placed_s, cancelled_s, listed_s, unlisted_s) >= 0.15
        late = {(r["method"], tuple(r["faults"])) for r in get(url, "/admin/requests")["requests"]}
        assert late == {
            ("GET", ()), ("POST", ("delay_request",)), ("DELETE", ("delay_request",))
        }  # fmt: skip


def test_chosen_symbols_are_the_only_ones() -> None:
    with serving("--warm-up", "0", "--symbol", "SOL/USDT") as (_process, url):
        info = get(url, "/api/v3/exchangeInfo")
        assert [item["symbol"] for item in info["symbols"]] == ["SOLUSDT"]


def test_accounts_outlive_a_kill(tmp_path: Path) -> None:
    options = ("--warm-up", "0", "--state", str(tmp_path))
    with serving(*options) as (process, url):
        made = post(url, "/admin/accounts", {"balances": {"USDT": "12.5"}})
        process.kill()
        process.wait(timeout=PATIENCE_S)

    with serving(*options) as (_process, url):
        balances = get(url, "/admin/ledger")["balances"]
        assert balances[made["apiKey"]]["USDT"] == {"free": "12.5", "locked": "0"}


def test_a_port_in_use_is_wrong_configuration(refused: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused("--port", str(port), "--warm-up", "0")

    assert f"seen: port {port} on 127.0.0.1: address already in use" in told
    assert "expected: a free one" in told
    assert "do: stop what listens there" in told


def test_mistakes_are_told_before_anything_is_served(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    broken = tmp_path / "BTC_USDT-1m.csv"
    broken.write_text(CANDLES.replace("110", "lots"))
    nonsense = tmp_path / "faults.json"
    nonsense.write_text('[{"kind": "gremlins"}]')

    assert "row 2: not a number: 'lots'" in refused("--port", "0", "--data", str(broken))
    assert "expected: a JSON list of faults" in refused("--port", "0", "--faults", str(nonsense))


def test_a_mirror_of_an_exchange_that_does_not_answer_says_so_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody = f"http://127.0.0.1:{unused_port()}"
    words = ["exchange", "serve", "--port", "0", "--mirror", "binance", "--mirror-url", nobody]
    code, told = main(words), capsys.readouterr()
    assert (code, told.out) == (4, "")
    assert "never more than the print" in told.err, "what is assumed is told before anything else"
    for label in (f"seen:     no answer from {nobody}", "expected:", "do:       check the network"):
        assert label in told.err


@pytest.mark.parametrize(
    "words",
    [
        ["--mirror", "binance", "--synthetic"],
        ["--mirror", "kraken"],
        ["--mirror", "binance", "--speed", "2"],
    ],
)
def test_a_mirror_that_makes_no_sense_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exchange", "serve", "--port", "0", *words]) == 2
    assert "expected:" in capsys.readouterr().err


def test_a_mirror_shows_the_other_market_and_keeps_accounts_and_orders(tmp_path: Path) -> None:
    with playing("BTCUSDT") as url:
        options = (
            "--mirror", "binance", "--mirror-url", url, "--symbol", "BTC/USDT",
            "--state", str(tmp_path),
        )  # fmt: skip
        with serving(*options) as (_, address):
            prices = get(address, "/api/v3/ticker/bookTicker?symbol=BTCUSDT")
            assert 50_000 < float(prices["bidPrice"]) < float(prices["askPrice"]) < 70_000
            keys = post(address, "/admin/accounts", {"balances": {"USDT": "10000"}})
            order = {
                "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                "quantity": "0.1", "price": "40000",
            }  # fmt: skip
            assert signed(address, keys, "POST", "order", order)[0]["orderId"] == 1
        with serving(*options) as (_, address):  # it was killed
            (row,) = get(address, "/admin/ledger")["orders"]
            assert (row["status"], row["executedQty"]) == ("NEW", "0")
