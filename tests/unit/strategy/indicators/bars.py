"""Bars for indicators: seeded walks, recordings, and each indicator with usual parameters.

Not here: what an indicator should say of them (the tests').
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from decimal import Decimal

from holdfast.domain.market import Bar, BarColumns
from holdfast.market.read import open_recording
from holdfast.strategy.indicators import (
    Adx,
    Atr,
    Bollinger,
    Donchian,
    Ema,
    Macd,
    Rsi,
    Shipped,
    Sma,
    Supertrend,
    Vwap,
)
from tests.support.recordings import recording

RECORDINGS = (
    "ohlcv/binance-spot-2024/BTC_USDT-1h.feather",
    "ohlcv/binance-spot-2021-04-05/DOGE_USDT-5m.json",
    "ohlcv/freqtrade-testdata/XRP_ETH-1m.feather",
    "ohlcv/lean/binance_hour_btcusdt_trade.zip",
)


def shipped() -> tuple[Shipped, ...]:
    """Fresh ones of every kind, with periods of all sorts."""
    return (
        Sma(1), Sma(3), Sma(20), Ema(1), Ema(9), Rsi(2), Rsi(14), Atr(1), Atr(14),
        Bollinger(2, 1), Bollinger(20, 2.0), Macd(2, 3, 1), Macd(12, 26, 9), Vwap(1), Vwap(7),
        Donchian(1), Donchian(5), Adx(2), Adx(14), Supertrend(1, 0.5), Supertrend(10, 3.0),
    )  # fmt: skip


class FloatBar:
    """A bar as far as indicators look at it: a real one takes longer to make than to use."""

    __slots__ = ("close", "high", "low", "volume")

    def __init__(self, high: float, low: float, close: float, volume: float) -> None:
        self.high, self.low, self.close, self.volume = high, low, close, volume


def float_bars(columns: BarColumns) -> Iterable[Bar]:
    """The bars of these columns, quick to make."""
    rows = zip(columns.high, columns.low, columns.close, columns.volume, strict=True)
    return (FloatBar(*row) for row in rows)  # type: ignore[misc]


def of_closes(closes: list[float]) -> BarColumns:
    """Bars that consist of a close, with volume 1."""
    return BarColumns(
        "BTC/USDT", 60, range(len(closes)), closes, closes, closes, closes, [1.0] * len(closes)
    )


def walk(bars: int, seed: int, *, price: float = 60_000.0, still: float = 0.1) -> BarColumns:
    """A seeded walk; a bar in which nothing trades comes with the chance of `still`."""
    chance = random.Random(seed)
    rows: list[tuple[float, float, float, float, float]] = []
    for _ in range(bars):
        before, wick = price, 0.0
        if chance.random() >= still:
            price, wick = price * (0.99 + 0.02 * chance.random()), 0.003 * chance.random()
        high, low = max(before, price) * (1 + wick), min(before, price) * (1 - wick)
        rows.append((before, high, low, price, 1000 * wick))
    opens, highs, lows, closes, volumes = (list(column) for column in zip(*rows, strict=True))
    return BarColumns("BTC/USDT", 60, range(bars), opens, highs, lows, closes, volumes)


def recorded(relative: str) -> BarColumns:
    """A recording as columns; skips the test when it is not on this machine."""
    bars = list(open_recording(recording(relative)).bars())

    def column(name: str) -> list[float]:
        return [float(getattr(bar, name)) for bar in bars]

    return BarColumns(
        bars[0].symbol, 60, [bar.open_ns for bar in bars], column("open"), column("high"),
        column("low"), column("close"), column("volume"),
    )  # fmt: skip


def fed(indicator: Shipped, bars: Iterable[Bar]) -> tuple[list[float], ...]:
    """What its outputs are after each bar, one list per output."""
    rows = []
    for bar in bars:
        indicator.update(bar)
        rows.append([getattr(indicator, name) for name in indicator.outputs])
    return tuple([row[at] for row in rows] for at in range(len(indicator.outputs)))


def bits(outputs: Iterable[Iterable[float]]) -> list[list[str]]:
    """To compare bit for bit; nan equals itself."""
    return [[value.hex() for value in output] for output in outputs]


def exact_bar(close: str) -> Bar:
    """A real bar that consists of a close."""
    price = Decimal(close)
    return Bar("BTC/USDT", 0, 1, price, price, price, price, Decimal(1))
