"""Indicators: fed bar by bar, O(1) each, equal on leader and standby bit for bit.

Not here: money. Indicators are floats, orders never are.
"""

from __future__ import annotations

from typing import Protocol

from holdfast.domain.market import Bar


class Indicator(Protocol):
    """What `on.bars().add(...)` accepts."""

    @property
    def value(self) -> float:
        """The latest value; undefined (nan) while not ready."""
        ...

    @property
    def ready(self) -> bool:
        """Whether enough bars were seen."""
        ...

    @property
    def warmup(self) -> int:
        """How many bars it needs before it is ready, >= 1."""
        ...

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        ...


class Sma:
    """Simple moving average of the close over `period` bars.

    The running sum is rebuilt once per period, so that rounding never accumulates.
    """

    __slots__ = ("_at", "_ring", "_sum", "period", "ready", "value", "warmup")

    def __init__(self, period: int) -> None:
        if period < 1:
            raise ValueError(f"seen: Sma({period}); expected: a period of at least 1")
        self.period = period
        self.warmup = period
        self.ready = False
        self.value = float("nan")
        self._ring: list[float] = []
        self._at = 0
        self._sum = 0.0

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        close = float(bar.close)
        ring = self._ring
        if len(ring) < self.period:
            ring.append(close)
            self._sum += close
            if len(ring) < self.period:
                return
            self.ready = True
        else:
            at = self._at
            self._sum += close - ring[at]
            ring[at] = close
            self._at = at + 1
        if self._at == self.period:
            self._at = 0
            self._sum = sum(ring)
        self.value = self._sum / self.period
