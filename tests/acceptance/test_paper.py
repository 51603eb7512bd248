"""`holdfast paper` as a user starts it: on recorded prices as if they were live, over kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from holdfast.cli import main
from tests.support.raw_server import unused_port
from tests.support.stand_in import playing
from tests.support.waiting import PATIENCE_S

HOLD = '''
"""Buys once and keeps it."""

from decimal import Decimal

from holdfast.strategy import Strategy, Target, View, Wish


class Hold(Strategy):
    """Long, whatever happens."""

    def decide(self, now: View) -> Wish:
        return Target(quantity=Decimal("0.01"))
'''
COMMAND = [sys.executable, "-m", "holdfast", "paper", "--headless", "--json"]


def run_paper(
    *options: str, until: Callable[[str], bool], by: signal.Signals = signal.SIGTERM
) -> tuple[dict[str, Any], str]:
    """Run it until its progress says so, then send the signal; what it says at its end, and told.

    Killed, it says nothing.
    """
    told = ""
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(2 * PATIENCE_S, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                told += line
                if until(line):
                    process.send_signal(by)
                    break
            out, rest = process.communicate()
        finally:
            watchdog.cancel()
            process.kill()
    told += rest
    if by is signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL, told
        return {}, told
    assert process.returncode == 0, told + out
    document: dict[str, Any] = json.loads(out)
    return document, told


def bought(line: str) -> bool:
    return " 1 orders, 1 fills" in line


def checked(line: str) -> bool:
    return " orders, " in line


def test_a_paper_run_keeps_its_position_over_kill_9_and_buys_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text(HOLD)
    directory = tmp_path / "run"
    with playing("BTCUSDT") as url:
        where = ("--dir", str(directory), "--mirror-url", url)
        _, told = run_paper(
            *where, "--strategy", f"{tmp_path}/hold.py:Hold", "--symbol", "BTC/USDT",
            "--timeframe", "1s", "--cash", "5000", "--mirror", "binance",
            until=bought, by=signal.SIGKILL,
        )  # fmt: skip
        assert "never more than the print" in told

        summary, told = run_paper(*where, until=checked)
    assert (summary["run"], summary["epoch"], summary["orders"]) == (2, 2, 1)
    assert summary["positions"] == {"BTC/USDT": "0.00999"}, "0.01 less the fee"
    assert (summary["market"], summary["findings"]) == ("live prices of binance", [])
    # The recording stays between 61,000 and 62,000.
    spent = Decimal(5000) - Decimal(summary["final_equity"])
    assert Decimal(-10) < spent < Decimal(10)
    assert summary["assumption"] in told


def test_without_a_network_it_says_what_to_do(tmp_path: Path, capsys: Any) -> None:
    nobody = f"http://127.0.0.1:{unused_port()}"
    words = [
        "paper", "--strategy", "sma_cross", "--symbol", "BTC/USDT", "--mirror", "binance",
        "--mirror-url", nobody, "--dir", str(tmp_path / "run"), "--headless",
    ]  # fmt: skip
    assert main(words) == 4
    told = capsys.readouterr().err
    for part in (f"seen:     no answer from {nobody}", "expected: ", "do:       check the network"):
        assert part in told


def test_a_symbol_that_is_not_listed_is_told(tmp_path: Path, capsys: Any) -> None:
    with playing("BTCUSDT") as url:
        words = [
            "paper", "--strategy", "sma_cross", "--symbol", "DOGE/USDT", "--mirror", "binance",
            "--mirror-url", url, "--dir", str(tmp_path / "run"), "--headless",
        ]  # fmt: skip
        assert main(words) == 2
    assert "DOGE/USDT, not listed by" in capsys.readouterr().err


def test_without_a_mirror_it_trades_on_an_invented_market(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text(HOLD)
    summary, told = run_paper(
        "--dir", str(tmp_path / "run"), "--strategy", f"{tmp_path}/hold.py:Hold",
        "--symbol", "ETH/USDT", "--timeframe", "1s", until=bought,
    )  # fmt: skip
    assert summary["positions"] == {"ETH/USDT": "0.00999"}
    assert "invented market, seed 7" in told
