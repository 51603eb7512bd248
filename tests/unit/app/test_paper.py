"""What a paper run is begun with, and that it is gone on with just that."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.demo.home import Home, open_home
from holdfast.app.paper import BOT, Given, PaperPlan, paper_plan
from holdfast.config import load
from holdfast.errors import ConfigError

FIRST: dict[str, Any] = {"strategy": "sma_cross", "symbols": ("BTC/USDT",), "mirror": "binance"}


def opened(path: Path, **given: Any) -> AbstractContextManager[Home[PaperPlan]]:
    """A paper run's folder."""
    return open_home(path, PaperPlan, partial(paper_plan, given=Given(**given)), fresh=False)


def begin(path: Path, **given: Any) -> None:
    """A folder as a first run leaves it."""
    with opened(path, **{**FIRST, **given}) as home:
        home.exchange_state.mkdir()
        home.keep_keys("a-key", "a-secret")
        home.plan.is_open = True
        home.save()


def test_a_second_start_needs_to_be_told_nothing(tmp_path: Path) -> None:
    begin(tmp_path, params={"fast": "3"}, cash="500", timeframe="5m")
    with opened(tmp_path) as home:
        plan = home.plan
    assert (plan.strategy, plan.pairs, plan.params) == ("sma_cross", ("BTC/USDT",), {"fast": "3"})
    assert (plan.cash, plan.timeframe, plan.mirror) == ("500", "5m", "binance")
    assert plan.opening == {"USDT": "500"}


def test_a_latency_stays_until_another_is_said(tmp_path: Path) -> None:
    for mirror in ("binance", ""):
        folder = tmp_path / (mirror or "invented")
        begin(folder, latency_ms=120.0, mirror=mirror)
        for given, wanted in (({}, "120.0"), ({"latency_ms": 80.5}, "80.5"), ({}, "80.5")):
            with opened(folder, **given) as home:
                words = home.plan.exchange_words()
                home.save()
            assert words[words.index("--latency-ms") + 1] == wanted
        with opened(folder, latency_ms=0.0) as home:
            assert "--latency-ms" not in home.plan.exchange_words()


def test_where_the_exchange_is_is_kept_until_it_is_said_anew(tmp_path: Path) -> None:
    begin(tmp_path, mirror_url="http://127.0.0.1:1")
    with opened(tmp_path) as home:
        assert "http://127.0.0.1:1" in home.plan.exchange_words()
        home.save()
    with opened(tmp_path, mirror_url="http://127.0.0.1:2") as home:
        assert "http://127.0.0.1:2" in home.plan.exchange_words()


def test_the_node_is_told_of_the_bot(tmp_path: Path) -> None:
    begin(tmp_path, params={"fast": "3", "slow": "9"}, timeframe="5m")
    with opened(tmp_path) as home:
        home.write_config("http://127.0.0.1:4321")
        (bot,) = load(home.config, {}).bots
    assert (bot.name, bot.strategy, bot.symbols) == (BOT, "sma_cross", ("BTC/USDT",))
    assert (bot.timeframe, bot.params) == ("5m", {"fast": "3", "slow": "9"})


def test_a_strategy_of_the_user_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "from holdfast.strategy import FLAT, Strategy\n\n\n"
        "class Mine(Strategy):\n    def decide(self, now):\n        return FLAT\n"
    )
    monkeypatch.chdir(tmp_path)
    begin(tmp_path / "run", strategy="mine.py:Mine")
    monkeypatch.chdir("/")
    with opened(tmp_path / "run") as home:
        assert home.plan.strategy == f"{tmp_path}/mine.py:Mine"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"strategy": "donchian_breakout"}, "--strategy donchian_breakout"),
        ({"symbols": ("ETH/USDT",)}, "--symbol ETH/USDT"),
        ({"params": {"fast": "4"}}, "--param fast=4"),
        ({"cash": "9"}, "--cash 9"),
        ({"mirror": ""}, "--mirror"),
        ({"timeframe": "1h"}, "--timeframe 1h"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    begin(tmp_path)
    with opened(tmp_path, **FIRST, timeframe="1m", cash="10000"):
        pass
    with pytest.raises(ConfigError, match=told) as error, opened(tmp_path, **changed):
        pass
    assert "begun with" in str(error.value)
    assert "--fresh" in str(error.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "no --strategy"),
        ({"strategy": "sma_cross"}, "no --symbol"),
        ({**FIRST, "cash": "-1"}, "--cash"),
        ({**FIRST, "cash": "much"}, "--cash"),
        ({**FIRST, "symbols": ("BTCUSDT",)}, "BTCUSDT"),
        ({**FIRST, "symbols": ("BTC/USDT", "ETH/BTC")}, "BTC, USDT"),
        ({**FIRST, "timeframe": "5 minutes"}, "5 minutes"),
        ({**FIRST, "strategy": "no_such"}, "no_such"),
        ({**FIRST, "params": {"fats": "3"}}, "fats"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    tmp_path: Path, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as error, opened(tmp_path / "run", **given):
        pass
    assert "expected" in str(error.value)
    assert not (tmp_path / "run" / "paper.json").exists()
