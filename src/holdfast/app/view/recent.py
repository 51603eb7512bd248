"""What accounts were worth within the last hour, as this process saw it: the journal keeps an
account's worth every five minutes only, which is no line to look at.

Nothing of it is kept beyond the process. Not here: the journal's own marks (journal.reports).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final

from holdfast.app.view.model import Model
from holdfast.app.view.prices import by_asset
from holdfast.domain.money import ZERO
from holdfast.journal.reports import Point, Series

EVERY_S: Final = 5.0
KEPT: Final = 720
"""Points of an account: an hour."""


class Recent:
    """Points of every account of a model, newest last.

    Attributes:
        looks: how often it has looked.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._points: dict[str, deque[Point]] = {}
        self.looks = 0

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            self.look(time.time_ns())
            await asyncio.sleep(EVERY_S)

    def look(self, now_ns: int) -> None:
        """Keep what each account is worth now, where that is known."""
        self.looks += 1
        for name, followed in self._model.journals.accounts.items():
            state = followed.state
            equity = state.equity(by_asset(self._model.last, state.reporting))
            if equity is None or state.units.units <= ZERO:
                continue
            fall_pct = float(state.units.drawdown_pct(equity))
            points = self._points.setdefault(name, deque(maxlen=KEPT))
            points.append((now_ns, equity, fall_pct))

    def joined(
        self, name: str, series: Series, since_ns: int | None, until_ns: int | None, most: int
    ) -> Series:
        """A series of an account, with what was seen between and after its marks.

        Points are no closer than `most` of them would be over the whole time, so that an hour is
        drawn finely and a month is not made of its last hour.
        """
        seen = [
            one for one in self._points.get(name, ())
            if one[0] >= (since_ns or 0) and (until_ns is None or one[0] < until_ns)
        ]  # fmt: skip
        if not seen:
            return series
        begin_ns = min(at_ns for at_ns, *_ in (*series.points[:1], seen[0]))
        apart_ns, last_ns = (seen[-1][0] - begin_ns) // most, 0
        points = list(series.points)
        for one in seen:
            if one[0] - last_ns >= apart_ns:
                points.append(one)
                last_ns = one[0]
        worst = max(series.worst, *(fall_pct for *_, fall_pct in seen))
        return Series(tuple(sorted(points)[-most:]), worst)
