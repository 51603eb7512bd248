"""`rebalance`: hold fixed parts of the account, and trade back what has drifted."""

from __future__ import annotations

import math
from typing import Annotated

from holdfast.strategy import Range, Setup, Strategy, Target, View, Wish


class Rebalance(Strategy):
    """Keep each symbol at its weight of the equity, traded back when it has left `band`.

    `weights` is `BTC/USDT=0.6,ETH/USDT=0.3`, one for each of the bot's symbols; what they leave of
    1 stays cash. Empty, the symbols share everything in equal parts. While a symbol's bar is
    missing nothing is traded: its price, and so everybody's share, is not known well enough.
    """

    weights: str = ""
    band: Annotated[float, Range(0, 0.5)] = 0.05

    def __post_init__(self) -> None:
        total = math.fsum(parsed(self.weights).values())
        if total > 1 + 1e-9:
            raise ValueError(f"seen: weights that add up to {total:g}; expected: at most 1")

    def setup(self, on: Setup) -> None:
        weights = parsed(self.weights) or dict.fromkeys(on.symbols, 1 / len(on.symbols))
        if set(weights) != set(on.symbols):
            raise ValueError(
                f"seen: weights of {', '.join(weights)}; expected: one for each of the bot's "
                f"symbols, {', '.join(on.symbols)}"
            )
        self.targets = {
            symbol: Target(weight=weights[symbol], band=self.band) for symbol in on.symbols
        }

    def decide(self, now: View) -> Wish:
        return {} if now.stale else self.targets


def parsed(text: str) -> dict[str, float]:
    """Weights by symbol, from `SYMBOL=WEIGHT,…`; none in an empty text.

    Raises:
        ValueError: it is not of that form, a symbol comes twice, or a weight is not from 0 to 1.
    """
    weights: dict[str, float] = {}
    for part in filter(str.strip, text.split(",")):
        symbol, _, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not symbol or symbol in weights or not 0 <= weight <= 1:
            raise ValueError(
                f"seen: {part.strip()!r} in weights; expected: SYMBOL=WEIGHT, each symbol once, "
                "weights from 0 to 1, such as BTC/USDT=0.6,ETH/USDT=0.4"
            )
        weights[symbol] = weight
    return weights
