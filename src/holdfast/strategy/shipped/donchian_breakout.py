"""`donchian_breakout`: buy a new high, follow it with a stop."""

from __future__ import annotations

from typing import Annotated

from holdfast.strategy import FLAT, KEEP, Percent, Range, Setup, Strategy, Target, View, Wish


class DonchianBreakout(Strategy):
    """Buy a new high of many bars; leave at a new low of fewer, or at a stop that trails.

    After the stop it is flat for `pause_bars`, and then waits for the next new high.
    """

    entry_bars: Annotated[int, Range(2, 1000)] = 55
    exit_bars: Annotated[int, Range(2, 1000)] = 20
    weight: Annotated[float, Range(0.01, 1)] = 0.5
    trail_pct: Annotated[float, Range(0.1, 50)] = 5.0
    pause_bars: Annotated[int, Range(1, 1000)] = 1

    def __post_init__(self) -> None:
        if self.exit_bars >= self.entry_bars:
            raise ValueError(
                f"seen: exit_bars={self.exit_bars}, entry_bars={self.entry_bars}; expected: "
                "exit_bars below entry_bars"
            )

    def setup(self, on: Setup) -> None:
        self.entry = on.bars().donchian(self.entry_bars)
        self.exit = on.bars().donchian(self.exit_bars)

    def decide(self, now: View) -> Wish:
        # The newest bar is inside its channel: at the edge means that it made the edge.
        if float(now.bar.low) <= self.exit.lower:
            return FLAT
        last = now.last_exit
        if last is not None and last.reason == "stop" and last.bars_ago < self.pause_bars:
            return FLAT  # until this is said, the wish that was stopped counts as spent
        if float(now.bar.high) >= self.entry.upper:
            return Target(weight=self.weight, stop=Percent(self.trail_pct), trail=True)
        return KEEP
