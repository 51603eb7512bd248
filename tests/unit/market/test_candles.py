"""Candles from trades: handed out once, when they are over, and equal to the exchange's own."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from holdfast import load
from holdfast.domain.market import Bar, Trade
from holdfast.market.candles import CandleBuilder, candles_of
from holdfast.market.read import open_recording
from holdfast.market.stamp import to_ns
from tests.support.recordings import recording

SECOND_NS = 10**9


def trade(at_s: float, price: str, quantity: str = "0.1", symbol: str = "BTC/USDT") -> Trade:
    return Trade(int(at_s * SECOND_NS), symbol, Decimal(price), Decimal(quantity), False)


def test_a_candle_is_handed_out_by_the_first_trade_after_it() -> None:
    builder = CandleBuilder("BTC/USDT", 60)
    handed = [builder.add(trade(at, price)) for at, price in
              [(60, "10"), (61, "12"), (119.9, "9"), (180, "11")]]  # fmt: skip
    assert handed[:3] == [None, None, None]
    assert handed[3] == Bar(
        "BTC/USDT", 60 * SECOND_NS, 120 * SECOND_NS,
        Decimal(10), Decimal(12), Decimal(9), Decimal(9), Decimal("0.3"),
    )  # fmt: skip


def test_a_clock_closes_it_once() -> None:
    builder = CandleBuilder("BTC/USDT", 60)
    builder.add(trade(60, "10"))
    assert builder.close(119 * SECOND_NS) is None
    closed = builder.close(120 * SECOND_NS)
    assert closed is not None
    assert builder.close(121 * SECOND_NS) is None
    assert builder.add(trade(130, "11")) is None


def test_a_trade_of_a_candle_that_was_handed_out_is_refused() -> None:
    builder = CandleBuilder("BTC/USDT", 60)
    builder.add(trade(60, "10"))
    builder.close(120 * SECOND_NS)
    with pytest.raises(ValueError, match="expected one of BTC/USDT, not before 120000000000 ns"):
        builder.add(trade(119, "10"))
    with pytest.raises(ValueError, match="seen a trade of ETH/USDT"):
        builder.add(trade(130, "10", symbol="ETH/USDT"))


def test_no_trades_make_no_candles() -> None:
    none = pl.DataFrame(schema={"time_ns": pl.Int64, "price": pl.Float64, "quantity": pl.Float64})
    assert len(candles_of(none, 60)) == 0


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_raw_trades_build_the_candle_that_another_recorder_wrote(asset: str) -> None:
    trades = open_recording(recording(f"ticks/binance-raw-ws/spot_{asset}usdt_20240808.gz"))
    bars = load(recording(f"ohlcv/binance-spot-2024/{asset.upper()}_USDT-5m.feather"))
    builder = CandleBuilder(trades.symbol, 300)
    handed = [bar for each in trades.trades() if (bar := builder.add(each))]
    last = builder.close(to_ns("2024-08-09"))
    (recorded,) = bars.between("2024-08-08T23:55", "2024-08-09").bars()
    assert recorded in [*handed, last]
    built = load(trades.path, timeframe="5m").between("2024-08-08T23:55", "2024-08-09")
    assert list(built.bars()) == [recorded]


def test_two_days_of_trades_build_every_candle_that_the_exchange_had() -> None:
    """An illiquid pair: 676 holes, where nothing traded."""
    built = load(recording("ticks/freqtrade-testdata/XRP_ETH-trades.feather"), timeframe="1m")
    recorded = load(recording("ohlcv/freqtrade-testdata/XRP_ETH-1m.feather"))
    assert built == recorded
    assert len(recorded.gaps()) == 676
