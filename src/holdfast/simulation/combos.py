"""Faults that belong together: links that are cut and healed one by one, storms of failovers, an
exchange that is slow to say what it did, or never says it.

Drawn apart from the weather, so that what else strikes a seed stays what it was; what they begin is
ended with all else (Weather.heal). Not here: single faults (faults).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from holdfast.exchange.faults import FaultKind
from holdfast.simulation.faults import ORDERS

if TYPE_CHECKING:
    from holdfast.simulation.node import SimNode
    from holdfast.simulation.weather import Weather

SHARE: Final = {"swizzle_clog": 0.15, "failover_storm": 0.15, "silent_engine": 0.5}
"""Of the seeds that have any faults. Doubts are what there is least of, and silence brings most."""
BEGINS_WITHIN_S: Final = 25.0
STORM_S: Final = 60.0
CHANGES: Final = (3, 5, 8, 12)
"""Of the leader, in a storm."""
NEXT_S: Final = (0.05, 1.5)
"""From one link to the next."""
SILENT_S: Final = (240, 540)
"""How long an exchange does what it is asked for and does not say so."""
SILENT_SHARE: Final = (0.1, 0.4)
"""Of its answers to orders; where more were missing breakers would hold back what comes next."""

Combo = Callable[["Weather", random.Random], None]


def swizzle_clog(w: Weather, source: random.Random) -> None:
    """Cut every node's ways to exchange and store one by one; heal them in another order."""
    ways = [(node.machine.name, to) for node in w.nodes for to in ("exchange", "store")]
    at_s = 0.0
    for name, to in source.sample(ways, len(ways)):
        at_s += source.uniform(*NEXT_S)
        w.later(at_s, _cut(w, name, to, source.choice(((1, 1), (1, 0), (0, 1)))))
    for name, to in source.sample(ways, len(ways)):
        at_s += source.uniform(*NEXT_S)
        w.later(at_s, _healed(w, name, to))


def failover_storm(w: Weather, source: random.Random) -> None:
    """Again and again somebody else has to lead: by plan, by a death, by a keeper that sleeps."""
    changes = source.choice(CHANGES)
    for number in range(changes):
        at_s = (number + source.random()) * STORM_S / changes
        w.later(at_s, lambda: _depose(w, source))


def silent_engine(w: Weather, source: random.Random) -> None:
    """For minutes the exchange executes many an order without saying so, and loses one or two."""
    for_s = source.uniform(*SILENT_S)

    def orders_are(kind: FaultKind, p: float, **params: Any) -> None:
        w.inject(kind, p=p, match=ORDERS, for_s=for_s, **params)

    orders_are(FaultKind.DROP_REQUEST, source.uniform(0, 0.02), hang_ms=source.uniform(1, 4000))
    kind, params = source.choice((
        (FaultKind.DROP_REPLY, {"hang_ms": source.uniform(1, 4000)}),
        (FaultKind.ERROR_CODE, {"code": source.choice((-1006, -1007)), "executed": True}),
        (FaultKind.HTTP_STATUS, {"status": source.choice((502, 503, 504)), "executed": True}),
        (FaultKind.RESET, {"when": "after"}),
    ))  # fmt: skip
    orders_are(kind, source.uniform(*SILENT_SHARE), **params)


COMBOS: dict[str, Combo] = {
    "swizzle_clog": swizzle_clog,
    "failover_storm": failover_storm,
    "silent_engine": silent_engine,
}


def draw_combos(source: random.Random) -> dict[str, float]:
    """Those of a seed, and when each begins, in seconds."""
    drawn = {name: (source.random(), source.uniform(1, BEGINS_WITHIN_S)) for name in sorted(COMBOS)}
    return {name: at_s for name, (chance, at_s) in drawn.items() if chance < SHARE[name]}


async def run_combos(w: Weather, source: random.Random) -> None:
    """Bring about those that the seed has; done when the last has begun."""
    began_s = 0.0
    for name, at_s in sorted(draw_combos(source).items(), key=lambda drawn: drawn[1]):
        await asyncio.sleep(at_s - began_s)
        began_s = at_s
        w.checker.on_fault(name)
        COMBOS[name](w, source)


def _cut(w: Weather, name: str, to: str, ways: tuple[int, int]) -> Callable[[], None]:
    def cut() -> None:
        if to == "store":
            w.backend.trouble(name).is_cut = True
        else:
            w.network.link(name).block(there=bool(ways[0]), back=bool(ways[1]))

    return cut


def _healed(w: Weather, name: str, to: str) -> Callable[[], None]:
    def heal() -> None:
        if to == "store":
            w.backend.trouble(name).is_cut = False
        else:
            w.network.link(name).heal()

    return heal


def _depose(w: Weather, source: random.Random) -> None:
    leads = [node for node in w.nodes if node.trader is not None]
    node: SimNode = source.choice(leads or w.nodes)
    others = [other for other in w.nodes if other is not node]
    how = source.choice(("plan", "kill", "power", "sleep"))
    if how == "plan" and others:
        w.leases.plan(node.config.account.name, source.choice(others).machine.name)
    elif how == "sleep":
        node.pause_keeper(source.uniform(1, 8))
    else:
        quiet = how == "power" and not w.plan.one_host
        node.power_off(quiet=quiet, down_s=source.uniform(0.2, 4))
