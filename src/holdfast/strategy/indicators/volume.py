"""What was paid on average: VWAP.

Not here: averages that do not look at volume (averages).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from holdfast.domain.market import Bar
from holdfast.strategy.indicators.base import NAN, Columns, Outputs, Shipped, checked_bars, tails


class Vwap(Shipped):
    """Volume-weighted average price of the last `period` bars, each at (high + low + close) / 3.

    TA-Lib has none. This is the moving form: no day begins anew in a market that never closes, and
    a start at any bar agrees. While a window has no volume at all, it is the last bar's price.
    Sums run as in `Bollinger`, so that nothing drifts, however large a volume has passed.
    """

    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = (
        "_origin", "_paid", "_paid_tails", "_prices", "_volume", "_volume_tails", "_volumes",
        "value",
    )  # fmt: skip

    __slots__ = (
        "_origin", "_paid", "_paid_tails", "_prices", "_volume", "_volume_tails", "_volumes",
        "period", "value",
    )  # fmt: skip

    value: float

    def __init__(self, period: int) -> None:
        self.period = self.warmup = checked_bars("Vwap", "period", period)
        self.ready = False
        self.value = NAN
        self._prices: list[float] = []  # of the bars since the last block was full
        self._volumes: list[float] = []
        self._origin = NAN  # the last price of that block
        self._paid_tails: list[float] = []  # its tails that windows will need, longest last
        self._volume_tails: list[float] = []
        self._paid = self._volume = 0.0  # of the new block: volume × price from the origin, volume

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        price = (float(bar.high) + float(bar.low) + float(bar.close)) / 3.0
        volume = float(bar.volume)
        self._prices.append(price)
        self._volumes.append(volume)
        if self._volume_tails:
            self._paid += volume * (price - self._origin)
            self._volume += volume
        elif len(self._prices) == self.period:
            self._origin, self._paid_tails, self._volume_tails = _tails(self._prices, self._volumes)
            self._prices, self._volumes = [], []
            self._paid = self._volume = 0.0
            self.ready = True
        else:
            return
        paid = self._paid_tails.pop() + self._paid
        traded = self._volume_tails.pop() + self._volume
        self.value = self._origin + paid / traded if traded else price

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        period, length = self.period, len(columns.close)
        prices = [
            (high + low + close) / 3.0
            for high, low, close in zip(columns.high, columns.low, columns.close, strict=True)
        ]
        volumes = columns.volume
        out = [NAN] * min(period - 1, length)
        for start in range(period, length + 1, period):
            block = slice(start - period, start)
            origin, paid_tails, volume_tails = _tails(prices[block], volumes[block])
            news = slice(start, start + period - 1)
            # The full block itself is the window whose new part is empty: no volume.
            paid = traded = 0.0
            for price, volume, paid_tail, volume_tail in zip(
                (origin, *prices[news]),
                (0.0, *volumes[news]),
                reversed(paid_tails),
                reversed(volume_tails),
                strict=False,
            ):
                paid += volume * (price - origin)
                traded += volume
                whole = volume_tail + traded
                out.append(origin + (paid_tail + paid) / whole if whole else price)
        return (out,)


def _tails(
    prices: Sequence[float], volumes: Sequence[float]
) -> tuple[float, list[float], list[float]]:
    """The origin of a full block, and what was paid from there and traded in its tails."""
    origin = prices[-1]
    paid = [volume * (price - origin) for price, volume in zip(prices, volumes, strict=True)]
    return origin, tails(paid), tails(volumes)
