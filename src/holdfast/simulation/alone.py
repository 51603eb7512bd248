"""One fault at a time while all else is well, and how soon after it somebody trades again.

Lives here: runs that ask what a single fault costs (I9). Not here: faults that come on top of each
other (weather), what a fault does (faults).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.ledger.state import LiveOrder
from holdfast.simulation.clock import WORLD
from holdfast.simulation.faults import KINDS
from holdfast.simulation.outcome import UNTIMED

if TYPE_CHECKING:
    from holdfast.simulation.weather import Weather

BOUND_S = {"fast": 2.0, "standard": 6.0}
"""Within so long of any one fault, by profile, an order armed since then reaches the exchange."""
ALONE = (
    "crash", "crash_at_point", "crash_keeper", "kill_node", "power_off", "oom_kill", "stop_node",
    "hand_over", "pause", "pause_machine", "pause_keeper", "pause_at_point", "no_memory",
    "deposed_in_sleep", "clock_jump", "store_cut", "store_stall", "net_cut", "net_reset",
    "net_refuse", "net_slow",
)
"""What strikes one node, its way to the store or its way to the exchange; and for certain, since no
bound holds for what strikes one call in two."""
_LATER = frozenset({"crash", "no_memory", "deposed_in_sleep"})
_LOOK_S = 0.01
_RARE_LOOK_S = 0.1
_STRIKES_WITHIN_S = 4.0
_LASTS_S = 12.0
_ANSWERED_S = 5.0  # or in doubt: longer than any window
_WELL_WITHIN_S = 120.0
"""Doubts take up to 14 s, circuit breakers a minute after the last failure."""


class Alone:
    """Strikes a world that is well, waits until it is well again, and strikes once more.

    Args:
        symbols: what the bots trade.

    Attributes:
        gaps_s: from each fault to the first order that was armed after it, at the exchange.
    """

    def __init__(self, weather: Weather, symbols: frozenset[str]) -> None:
        self._w = weather
        self._symbols = symbols
        self._checker = weather.checker
        self.gaps_s: list[float] = []
        self._struck_s = 0.0
        self._patience_s = 0.0

    async def run(self) -> None:
        """One fault after the other, until cancelled."""
        w = self._w
        while True:
            await self._until_well()
            await asyncio.sleep(w.uniform(0.2, 3))
            kind = w.random.choice(ALONE)
            w.checker.on_fault(kind, "alone")
            begun_s = WORLD.now_s
            self._patience_s = max(node.patience_s for node in w.nodes)
            KINDS[kind](w)
            if await self._has_struck(kind, begun_s):
                await self._until_traded(kind)
                await asyncio.sleep(w.uniform(0, _LASTS_S))
            w.mend()

    async def _has_struck(self, kind: str, begun_s: float) -> bool:
        """Some faults wait for a process to pass a point; not every one of those is passed."""
        if not kind.endswith("_point") and kind not in _LATER:
            self._struck_s = begun_s
            return True
        while WORLD.now_s - begun_s < _STRIKES_WITHIN_S:
            self._struck_s = max(node.struck_s for node in self._w.nodes)
            if self._struck_s >= begun_s:
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    async def _until_traded(self, kind: str) -> None:
        """Time in which no symbol is free of doubts, or a circuit breaker is open, does not count:
        nothing may be armed then. And a node that gave the account away a moment ago bears with the
        next that does not answer, or it would wander for ever."""
        checker, struck_s = self._checker, self._struck_s
        since_s, bound_s = struck_s, BOUND_S[self._w.plan.profile]
        bound_s += self._patience_s
        while checker.acted_s <= struck_s:
            if self._checker.fold.breakers or all(map(self._is_doubtful, self._symbols)):
                since_s = WORLD.now_s
            if WORLD.now_s - since_s > bound_s:
                checker.violate("I9", f"no order within {bound_s:g} s of {kind} alone")
                return
            await asyncio.sleep(_LOOK_S)
        if since_s == struck_s:
            self.gaps_s.append(WORLD.now_s - struck_s)
        else:
            checker.counts[UNTIMED] += 1

    def _is_doubtful(self, symbol: str) -> bool:
        return any(order.is_unresolved for order in self._checker.fold.orders(symbol))

    async def _until_well(self) -> None:
        begun_s = WORLD.now_s
        while not self._is_well():
            if WORLD.now_s - begun_s > _WELL_WITHIN_S:
                self._checker.violate("I9", f"not well {_WELL_WITHIN_S:g} s after a single fault")
                return
            await asyncio.sleep(_RARE_LOOK_S)

    def _is_well(self) -> bool:
        fold = self._checker.fold
        leads = [
            node
            for node in self._w.nodes
            if node.trader is not None
            and node.trader.stream.writer.head.epoch == self._checker.epoch
        ]
        return (
            len(leads) == 1
            and all(node is leads[0] or node.stands_by for node in self._w.nodes)
            and not (fold.breakers or fold.halted)
            and not any(map(self._is_open, fold.live.values()))
            and WORLD.now_s - self._checker.acted_s < 1.0
        )

    def _is_open(self, order: LiveOrder) -> bool:
        """Whether it is in doubt, or should be by now."""
        armed_s = self._checker.armed_at_s(order.armed)
        return order.in_doubt or (order.is_under_way and WORLD.now_s - armed_s > _ANSWERED_S)
