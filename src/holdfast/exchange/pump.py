"""Turns a flow's market time into exchange time, and lets its events happen.

Not here: what events there are (`synthetic`, `replay`) or what they do (`matching`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain

from holdfast.exchange.core import Exchange
from holdfast.exchange.flow import Flow, FlowEvent

_SECOND_NS = 1_000_000_000
# Sleeping is coarse: what is due within this time happens together.
_SLACK_NS = 2_000_000
# How many events may happen in a row before others get their turn.
_BATCH = 50


class Pump:
    """Applies a flow's events when they are due.

    Args:
        speed: market seconds per exchange second; 0 applies them as fast as the loop turns.
        warm_up_s: exchange seconds of history to have when the doors open.
    """

    def __init__(
        self, exchange: Exchange, flow: Flow, *, speed: float = 1.0, warm_up_s: float = 0.0
    ) -> None:
        if speed < 0 or warm_up_s < 0:
            raise ValueError(f"seen speed {speed}, warm-up {warm_up_s} s; expected both >= 0")
        self._exchange = exchange
        self._events: Iterator[FlowEvent] = flow.events()
        self._speed = speed
        self._warm_up_ns = int(warm_up_s * _SECOND_NS)
        self._origin_market_ns: int | None = None
        self._origin_ns = 0
        self.applied = 0

    def warm_up(self) -> int:
        """Apply all events of the warm-up at once, at their own times; returns how many."""
        now_ns = self._exchange.now_ns()
        for event in self._events:
            due_ns = self._due_ns(event, now_ns - self._warm_up_ns)
            if due_ns > now_ns or not self._warm_up_ns:
                self._events = chain([event], self._events)
                break
            self._exchange.apply(event, due_ns)
            self.applied += 1
        return self.applied

    async def run(self) -> None:
        """Apply all other events when they are due; returns when the flow ends."""
        in_a_row = 0
        for event in self._events:
            due_ns = self._due_ns(event, self._exchange.now_ns())
            wait_ns = due_ns - self._exchange.now_ns() if self._speed else 0
            if wait_ns > _SLACK_NS:
                await asyncio.sleep(wait_ns / _SECOND_NS)
                in_a_row = 0
            elif in_a_row >= _BATCH:
                await asyncio.sleep(0)
                in_a_row = 0
            self._exchange.apply(event)
            self.applied += 1
            in_a_row += 1

    def _due_ns(self, event: FlowEvent, origin_ns: int) -> int:
        """Exchange time of an event; the first event fixes where the flow begins."""
        if self._origin_market_ns is None:
            self._origin_market_ns = event.at_ns
            self._origin_ns = origin_ns
        passed_ns = event.at_ns - self._origin_market_ns
        return self._origin_ns + (int(passed_ns / self._speed) if self._speed else passed_ns)
