"""Faults that belong together: what they cut is healed, and they strike as often as they say."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.simulation.combos import (
    CHANGES,
    COMBOS,
    SHARE,
    SILENT_S,
    STORM_S,
    draw_combos,
    failover_storm,
    silent_engine,
    swizzle_clog,
)
from holdfast.simulation.network import Link
from holdfast.simulation.store import Trouble

NAMES = ("n1", "n2", "n3")


class World:
    """As much of the weather as a combination asks for; what is to come is kept until `pass_by`."""

    def __init__(self) -> None:
        self.deposed: list[str] = []
        self.links = {name: Link() for name in NAMES}
        self.troubles = {name: Trouble() for name in NAMES}
        self.network = SimpleNamespace(link=self.links.__getitem__)
        self.backend = SimpleNamespace(trouble=self.troubles.__getitem__)
        self.leases = SimpleNamespace(plan=lambda _account, name: self.deposed.append(name))
        self.plan = SimpleNamespace(one_host=False)
        self.nodes = [self._node(name) for name in NAMES]
        self.to_come: list[tuple[float, Callable[[], object]]] = []
        self.injected: list[Fault] = []

    def _node(self, name: str) -> Any:
        def struck(*_args: object, **_options: object) -> None:
            self.deposed.append(name)

        return SimpleNamespace(
            machine=SimpleNamespace(name=name), trader=None, power_off=struck, pause_keeper=struck,
            config=SimpleNamespace(account=SimpleNamespace(name="main")),
        )  # fmt: skip

    def later(self, after_s: float, action: Callable[[], object]) -> None:
        self.to_come.append((after_s, action))

    def inject(
        self, kind: FaultKind, *, p: float, match: dict[str, str], for_s: float, **params: Any
    ) -> None:
        params["for_ms"] = for_s * 1000
        self.injected.append(Fault(kind, Match(**match), probability=p, params=params))

    def cut(self) -> frozenset[str]:
        ways = {f"{n} exchange" for n, link in self.links.items()
                if link.there_blocked or link.back_blocked}  # fmt: skip
        return frozenset(ways | {f"{n} store" for n, one in self.troubles.items() if one.is_cut})

    def pass_by(self) -> list[frozenset[str]]:
        """What is cut after each event, one after the other."""
        seen = []
        for _, action in sorted(self.to_come, key=lambda event: event[0]):
            action()
            seen.append(self.cut())
        return seen


def test_links_are_cut_one_by_one_until_none_is_left_and_healed_in_another_order() -> None:
    world: Any = World()
    swizzle_clog(world, random.Random(7))
    seen = world.pass_by()
    assert [len(cut) for cut in seen] == [1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0]
    cut = [min(now - before) for before, now in itertools.pairwise([frozenset(), *seen[:6]])]
    healed = [min(before - now) for before, now in itertools.pairwise(seen[5:])]
    assert sorted(cut) == sorted(healed)
    assert cut not in (healed, healed[::-1])


def test_a_storm_changes_the_leader_some_times_within_a_minute() -> None:
    world: Any = World()
    failover_storm(world, random.Random(7))
    times = [at_s for at_s, _ in world.to_come]
    assert len(times) in CHANGES
    assert 0 <= min(times) <= max(times) <= STORM_S
    world.pass_by()
    assert len(world.deposed) == len(times)
    assert len(set(world.deposed)) > 1


def test_an_exchange_is_silent_about_orders_for_minutes_and_executes_nearly_all_of_them() -> None:
    kinds = set()
    for seed in range(30):
        world: Any = World()
        silent_engine(world, random.Random(seed))
        lost, untold = world.injected
        for fault in world.injected:
            assert fault.match == Match(method="POST", path="/api/v3/order*")
            assert SILENT_S[0] <= fault.params["for_ms"] / 1000 <= SILENT_S[1]
        assert lost.kind is FaultKind.DROP_REQUEST
        assert lost.probability < untold.probability / 4
        kinds.add(untold.kind)
    assert len(kinds) == 4


def test_some_seeds_have_no_combination_and_each_has_its_share() -> None:
    drawn = [draw_combos(random.Random(f"combos {seed}")) for seed in range(1, 201)]
    assert SHARE.keys() == COMBOS.keys()
    for name, share in SHARE.items():
        assert abs(sum(name in one for one in drawn) / len(drawn) - share) < 0.1
    assert sum(not one for one in drawn) >= 50
