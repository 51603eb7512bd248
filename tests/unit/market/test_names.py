"""What file names tell."""

from __future__ import annotations

import pytest

from holdfast.market.names import bar_length_in, day_in, symbol_in, unified


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTC_USDT-5m.feather", "BTC/USDT"),
        ("XRP_ETH-trades.json.gz", "XRP/ETH"),
        ("XRP_USDT_USDT-1h-futures.feather", "XRP/USDT"),
        ("binance_btcusdt_day_2020.csv", "BTC/USDT"),
        ("20221213_btcusdt_minute_trade.csv", "BTC/USDT"),
        ("BCHEUR.csv", "BCH/EUR"),
        ("BTCUSDT-trades-2024-01.zip", "BTC/USDT"),
        ("recording.csv", None),
        ("my_trades.csv", None),
    ],
)
def test_symbol(name: str, symbol: str | None) -> None:
    assert symbol_in(name) == symbol


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("BTC_USDT-5m.feather", 300),
        ("BTC_USDT-1h.json", 3600),
        ("binance_btcusdt_day_2020.csv", 86_400),
        ("20221213_btcusdt_minute_trade.csv", 60),
        ("BTC_USDT.csv", None),
    ],
)
def test_bar_length(name: str, seconds: int | None) -> None:
    assert bar_length_in(name) == seconds


def test_day_is_eight_digits_of_their_own() -> None:
    assert day_in("20221213_btcusdt_minute_trade.csv") == "20221213"
    assert day_in("btcusdt_1723118400000.csv") is None


@pytest.mark.parametrize("text", ["BTC/USDT", "btc/usdt", "BTC_USDT", "BTC-USDT", "btcusdt"])
def test_all_spellings_of_a_pair_are_one_symbol(text: str) -> None:
    assert unified(text) == "BTC/USDT"


def test_what_is_no_pair_has_no_symbol() -> None:
    assert unified("bitcoin") is None
