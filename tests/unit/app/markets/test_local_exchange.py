"""Which market a choice means, and what is refused."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.app.markets.local_exchange import LocalExchange, market
from holdfast.cli import main
from holdfast.errors import ConfigError
from holdfast.exchange.catalogue import LISTINGS
from holdfast.exchange.flow import Place
from holdfast.exchange.replay import ReplayFlow
from holdfast.exchange.synthetic import SyntheticFlow

TRADES = "time,price,qty,side\n1723118400000,100.125,0.5,sell\n1723118400001,100.5,0.25,buy\n"


def trades_file(folder: Path, name: str = "BTCUSDT.csv", text: str = TRADES) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_without_data_a_market_is_invented() -> None:
    flow = market(LocalExchange(seed=4, speed=2), 60)

    assert isinstance(flow, SyntheticFlow)
    assert flow.history_s == 120, "warm-up is in the exchange's seconds, history in the market's"


def test_a_recording_brings_the_grid_it_was_traded_on(tmp_path: Path) -> None:
    (instrument,) = market(LocalExchange(data=(trades_file(tmp_path),)), 0).instruments

    assert (instrument.symbol, instrument.venue_symbol) == ("BTC/USDT", "BTCUSDT")
    assert (instrument.price_tick, instrument.quantity_step) == (Decimal("0.001"), Decimal("0.01"))


def test_zeros_at_the_end_are_no_precision(tmp_path: Path) -> None:
    text = TRADES.replace("100.125", "100.120000").replace("0.5,", "0.50000000,")
    flow = market(LocalExchange(data=(trades_file(tmp_path, text=text),)), 0)

    assert flow.instruments == (LISTINGS["BTC/USDT"],)


def test_several_recordings_make_several_markets(tmp_path: Path) -> None:
    one, two = trades_file(tmp_path), trades_file(tmp_path, "two.csv")
    flow = market(LocalExchange(data=(one, two), symbols=("BTC/USDT", "ETH/USDT")), 0)

    assert isinstance(flow, ReplayFlow)
    assert [item.symbol for item in flow.instruments] == ["BTC/USDT", "ETH/USDT"]
    assert {event.symbol for event in flow.events()} == {"BTC/USDT", "ETH/USDT"}


def test_candles_and_trades_can_be_mixed(tmp_path: Path) -> None:
    candles = tmp_path / "ETH_USDT-1m.json.gz"
    candles.write_bytes(gzip.compress(json.dumps([[1723118400000, 10, 12, 9, 11, 5]]).encode()))
    flow = market(LocalExchange(data=(trades_file(tmp_path), candles)), 0)

    assert any(isinstance(e, Place) and e.symbol == "ETH/USDT" for e in flow.events())


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (LocalExchange(speed=0), "seen: speed 0 with an invented market"),
        (LocalExchange(symbols=("DOGE/USDT",)), "seen: symbol 'DOGE/USDT'"),
        (LocalExchange(data=(Path("a"), Path("b")), symbols=("A/B",)), "2 recordings and 1 symbol"),
    ],
)
def test_what_makes_no_sense_is_refused(choice: LocalExchange, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        market(choice, 0)


def test_the_same_symbol_twice_is_refused(tmp_path: Path) -> None:
    path = trades_file(tmp_path)

    with pytest.raises(ConfigError, match="each symbol once"):
        market(LocalExchange(data=(path, path)), 0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--synthetic", "--data", "x.csv"], "--synthetic and --data"),
        (["--timeframe", "5 minutes"], "--timeframe '5 minutes'"),
        (["--data", "nowhere.csv"], "nowhere.csv: No such file"),
        (["--limits", "nowhere.json"], "nowhere.json: No such file"),
    ],
)
def test_wrong_options_end_with_exit_code_2(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exchange", "serve", "--port", "0", *options]) == 2

    assert told in capsys.readouterr().err
