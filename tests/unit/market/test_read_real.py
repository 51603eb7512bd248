"""Reading what real recorders wrote, against the facts known of these files."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from holdfast.errors import ConfigError
from holdfast.market.read import open_recording
from tests.support.recordings import recording

HOUR_NS = 3600 * 10**9

BAR_FILES = [
    ("ohlcv/binance-spot-2021-04-05/BTC_USDT-5m.json", "BTC/USDT", 300, 8583, "2021-05-20 20:35"),
    ("ohlcv/binance-spot-2024/BTC_USDT-1h.feather", "BTC/USDT", 3600, 5980, "2024-09-06 03:00"),
    ("ohlcv/freqtrade-testdata/XRP_ETH-1m.feather", "XRP/ETH", 60, 2469, "2019-10-13 11:19"),
    ("ohlcv/basana/binance_btcusdt_day_2020.csv", "BTC/USDT", 86400, 366, "2020-12-31 00:00"),
    ("ohlcv/basana/bitstamp_btcusd_min_2020_01_01.csv", "BTC/USD", 60, 1440, "2020-01-01 23:59"),
    ("ohlcv/lean/binance_hour_btcusdt_trade.zip", "BTC/USDT", 3600, 120, "2018-05-05 23:00"),
    ("ohlcv/lean/bybit_minute_btcusdt_20221213_trade.zip", "BTC/USDT", 60, 1440,
     "2022-12-13 23:59"),
]  # fmt: skip

TRADE_FILES = [
    ("ticks/binance-raw-ws/spot_btcusdt_20240808.gz", "BTC/USDT", 9757),
    ("ticks/binance-raw-ws/spot_ethusdt_20240808.gz", "ETH/USDT", 6106),
    ("ticks/freqtrade-testdata/XRP_ETH-trades.feather", "XRP/ETH", 12477),
    ("ticks/freqtrade-testdata/kraken_BCHEUR.csv", "BCH/EUR", 148),
    ("ticks/nautilus/btcusdt-trades.parquet", "BTC/USDT", 2001),
]

NO_TRADES_OR_BARS = [
    "ohlcv/lean/bybit_minute_btcusdt_20221213_quote.zip",
    "ticks/nautilus/btcusdt-quotes.parquet",
    "ticks/nautilus/btcusdt-depth-snap.csv",
]


@pytest.mark.parametrize(("name", "symbol", "bar_s", "count", "last"), BAR_FILES)
def test_bars(name: str, symbol: str, bar_s: int, count: int, last: str) -> None:
    found = open_recording(recording(name))
    bars = list(found.bars())

    assert (found.symbol, found.bar_s, len(bars)) == (symbol, bar_s, count)
    assert f"{_utc(bars[-1].open_ns)}" == last


@pytest.mark.parametrize(("name", "symbol", "count"), TRADE_FILES)
def test_trades(name: str, symbol: str, count: int) -> None:
    found = open_recording(recording(name))
    trades = list(found.trades())

    assert (found.symbol, len(trades)) == (symbol, count)


def test_the_crash_of_may_2021_is_read_to_the_cent() -> None:
    found = open_recording(recording("ohlcv/binance-spot-2021-04-05/BTC_USDT-1m.json"))
    day = [bar for bar in found.bars() if _utc(bar.open_ns).startswith("2021-05-19")]
    lowest = min(day, key=lambda bar: bar.low)

    assert max(bar.high for bar in day) == Decimal("43584.90")
    assert lowest.low == Decimal("30000.00")
    assert _utc(lowest.open_ns) == "2021-05-19 13:10"


def test_raw_trades_add_up_to_the_bar_that_another_recorder_wrote() -> None:
    trades = open_recording(recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz")).trades()
    inside = [trade for trade in trades if "2024-08-08 23:55" <= _utc(trade.at_ns) < "2024-08-09"]
    bars = open_recording(recording("ohlcv/binance-spot-2024/BTC_USDT-5m.feather")).bars()
    bar = next(bar for bar in bars if _utc(bar.open_ns) == "2024-08-08 23:55")

    prices = [trade.price for trade in inside]
    assert (bar.open, bar.high, bar.low, bar.close) == (
        prices[0], max(prices), min(prices), prices[-1],
    )  # fmt: skip
    assert sum(trade.quantity for trade in inside) == bar.volume == Decimal("199.42863")


def test_the_same_trades_in_two_formats_are_the_same() -> None:
    raw = open_recording(recording("ticks/freqtrade-testdata/XRP_OLD-trades.json.gz"))
    normal = open_recording(recording("ticks/freqtrade-testdata/XRP_ETH-trades.feather"))

    assert list(raw.trades()) == list(normal.trades())


@pytest.mark.parametrize("name", NO_TRADES_OR_BARS)
def test_books_and_quotes_are_not_taken_for_trades(name: str) -> None:
    with pytest.raises(ConfigError, match="expected: candles"):
        open_recording(recording(name))


def test_a_funding_file_is_not_taken_for_prices() -> None:
    name = "ohlcv/freqtrade-testdata/futures/XRP_USDT_USDT-8h-funding_rate.feather"

    with pytest.raises(ConfigError, match=r"row 1: open 0\.0001, high 0\.0"):
        list(open_recording(recording(name)).bars())


def _utc(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return moment.strftime("%Y-%m-%d %H:%M")
