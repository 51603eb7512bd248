"""What a strategy author imports: the base class, wishes, indicators and what `decide` may see.

Not here: turning wishes into orders (engine).
"""

from holdfast.strategy.api import Setup, Strategy, View
from holdfast.strategy.check import check_strategy
from holdfast.strategy.indicators import Indicator, Sma
from holdfast.strategy.parameters import Range
from holdfast.strategy.play import play
from holdfast.strategy.wish import FLAT, KEEP, Level, Percent, Quotes, Target, Wish

__all__ = [
    "FLAT",
    "KEEP",
    "Indicator",
    "Level",
    "Percent",
    "Quotes",
    "Range",
    "Setup",
    "Sma",
    "Strategy",
    "Target",
    "View",
    "Wish",
    "check_strategy",
    "play",
]
