"""Indicators: fed bar by bar, O(1) each, equal on leader and standby bit for bit.

`docs/indicators.md` has them in one table. Not here: money: indicators are floats, orders never.
"""

from holdfast.strategy.indicators.averages import Ema, Sma
from holdfast.strategy.indicators.base import Columns, Indicator, Outputs, Shipped, State
from holdfast.strategy.indicators.channel import Donchian
from holdfast.strategy.indicators.momentum import Macd, Rsi
from holdfast.strategy.indicators.trend import Adx, Supertrend
from holdfast.strategy.indicators.volatility import Atr, Bollinger
from holdfast.strategy.indicators.volume import Vwap

__all__ = [
    "Adx",
    "Atr",
    "Bollinger",
    "Columns",
    "Donchian",
    "Ema",
    "Indicator",
    "Macd",
    "Outputs",
    "Rsi",
    "Shipped",
    "Sma",
    "State",
    "Supertrend",
    "Vwap",
]
