"""Elections among members whose clocks differ, whose calls are late or lost, and who die.

A whole cluster of `Election`s on one store in memory, in virtual time. What the holder believes
about its own lease, on its own clock, is compared with what others take from it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.cluster.election import Election, Take
from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import Claim, Member, Seen, View
from holdfast.cluster.timing import DRIFT, PROFILES, Timing
from tests.support.leases import member

T = TypeVar("T")

ACCOUNTS = ("one", "two", "three")
FAST, STANDARD = PROFILES["fast"], PROFILES["standard"]


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a call that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waited")


class Node:
    """A member with a clock of its own, and what it believes about its lease."""

    def __init__(self, name: str, host: str, offset_s: float, rate: float) -> None:
        self.member = member(name, host=host, accounts=ACCOUNTS)
        self.offset_s, self.rate = offset_s, rate
        self.election: Election | None = None
        self.lease_until_s = -1e18
        self.dead_since_s: float | None = None
        self.cut_until_s = 0.0  # nothing of it reaches the store before

    def clock_s(self, time_s: float) -> float:
        return self.offset_s + self.rate * time_s

    def believes_to_lead(self, time_s: float) -> bool:
        return self.dead_since_s is None and self.clock_s(time_s) < self.lease_until_s


class World:
    """Nodes, one store, and events in the order of their time.

    Args:
        latency_s: how long each half of a call may take.
        loss: how often a request, or an answer, is lost.
    """

    def __init__(
        self, nodes: list[Node], timing: Timing, chance: Random, latency_s: float, loss: float
    ) -> None:
        self.nodes = {node.member.boot_id: node for node in nodes}
        self.timing, self.chance, self.latency_s, self.loss = timing, chance, latency_s, loss
        self.store = MemoryLeases()
        self.time_s = 0.0
        self.taken: list[tuple[float, str, str, str]] = []  # when, account, from, to
        self._events: list[tuple[float, int, Any]] = []
        self._numbers = count()
        for node in nodes:
            node.election = Election(node.member, timing)
            at_once(self.store.join(node.member))
            self.after(chance.uniform(0, timing.renew_s), lambda node=node: self.renew(node))
            self.after(chance.uniform(0, timing.poll_s), lambda node=node: self.look(node))

    def after(self, wait_s: float, event: Any) -> None:
        heappush(self._events, (self.time_s + wait_s, next(self._numbers), event))

    def run(self, until_s: float) -> None:
        while self._events and self._events[0][0] <= until_s:
            self.time_s, _, event = heappop(self._events)
            event()
        self.time_s = until_s

    def kill(self, node: Node) -> None:
        node.dead_since_s = self.time_s

    def cut(self, every_s: float) -> None:
        """Cut some node off for about the time after which it is followed, again and again."""
        node = self.chance.choice(list(self.nodes.values()))
        node.cut_until_s = self.time_s + self.timing.ttl_s * self.chance.uniform(0.7, 1.3)
        self.after(every_s, lambda: self.cut(every_s))

    def half(self) -> float | None:
        """How long one way takes; None when it is lost."""
        return None if self.chance.random() < self.loss else self.chance.uniform(0, self.latency_s)

    def call(self, node: Node, do: Any, then: Any) -> None:
        """Run `do` at the store and `then` with its answer, each after its way."""
        there = self.half()
        if there is None or self.time_s < node.cut_until_s:
            return

        def arrived() -> None:
            answer, back = do(), self.half()
            if back is not None and there + back <= self.timing.call_s:
                self.after(back, lambda: then(answer))

        self.after(there, arrived)

    def renew(self, node: Node) -> None:
        if node.dead_since_s is not None:
            return
        sent_s = node.clock_s(self.time_s)

        def answered(_: object) -> None:
            node.lease_until_s = max(node.lease_until_s, sent_s + self.timing.lease_s)

        self.call(node, lambda: at_once(self.store.renew(node.member.boot_id)), answered)
        self.after(self.timing.renew_s / node.rate, lambda: self.renew(node))

    def look(self, node: Node) -> None:
        if node.dead_since_s is not None:
            return
        self.call(node, lambda: at_once(self.store.view()), lambda view: self.judge(node, view))
        self.after(self.timing.poll_s / node.rate, lambda: self.look(node))

    def judge(self, node: Node, view: View) -> None:
        if node.dead_since_s is not None:
            return
        assert node.election is not None
        now_ns = round(node.clock_s(self.time_s) * 1e9)
        for take in node.election.look(view, now_ns, self.is_gone):
            self.call(node, lambda take=take: self.take(node, take), lambda _: None)

    def take(self, node: Node, take: Take) -> None:
        accounts = at_once(self.store.take(node.member.boot_id, take.claims, take.of))
        for claim in take.claims:
            if claim.account in accounts:
                self.taken.append((self.time_s, claim.account, claim.boot_id, node.member.boot_id))
                if claim.boot_id:
                    holder = self.nodes[claim.boot_id]
                    assert not holder.believes_to_lead(self.time_s), (self.time_s, take)

    def is_gone(self, other: Member) -> bool:
        return self.nodes[other.boot_id].dead_since_s is not None

    def holders(self) -> dict[str, str]:
        return {claim.account: claim.boot_id for claim in at_once(self.store.view()).claims}


chances = st.builds(Random, st.integers(0, 2**32))


@st.composite
def clusters(draw: st.DrawFn, *, one_host: bool | None = None) -> list[Node]:
    """Two to four nodes; no clock runs more than `DRIFT` faster than another."""
    hosts = st.sampled_from(["h1", "h1" if one_host else "h2"])
    return [
        Node(
            f"n{number}", draw(hosts) if one_host is not False else f"h{number}",
            offset_s=draw(st.floats(0, 1e6)), rate=draw(st.sampled_from([1.0, 1 + DRIFT])),
        )
        for number in range(draw(st.integers(2, 4)))
    ]  # fmt: skip


@settings(max_examples=40)
@given(clusters(), st.sampled_from([FAST, STANDARD]), chances,
       st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([0.0, 0.05, 0.3]))  # fmt: skip
def test_no_live_member_that_believes_in_its_lease_is_ever_robbed(
    nodes: list[Node], timing: Timing, chance: Random, slow: float, loss: float
) -> None:
    """Checked in `World.take`, whatever is late, lost, cut off for a while, or dies."""
    world = World(nodes, timing, chance, slow * timing.call_s, loss)
    world.cut(every_s=1.7 * timing.ttl_s)
    world.run(20 * timing.ttl_s)
    world.kill(chance.choice(nodes))
    world.run(25 * timing.ttl_s)
    assert set(world.holders()) == set(ACCOUNTS)


@settings(max_examples=40)
@given(clusters(), chances)
def test_who_renews_in_time_keeps_what_it_holds(nodes: list[Node], chance: Random) -> None:
    """With calls that are answered, nothing changes hands once it has been taken."""
    world = World(nodes, FAST, chance, latency_s=FAST.call_s / 4, loss=0.0)
    world.run(60.0)
    assert len(world.taken) == len(ACCOUNTS)


@settings(max_examples=40)
@given(clusters(one_host=False), st.sampled_from([FAST, STANDARD]),
       chances)  # fmt: skip
def test_what_a_dead_member_held_is_taken_within_its_ttl_and_two_looks(
    nodes: list[Node], timing: Timing, chance: Random
) -> None:
    world = World(nodes, timing, chance, latency_s=0.0, loss=0.0)
    world.run(4 * timing.ttl_s + chance.uniform(0, timing.renew_s))
    victim = world.nodes[world.holders()["one"]]
    lost = {account for account, who in world.holders().items() if who == victim.member.boot_id}
    world.kill(victim)
    world.run(world.time_s + (timing.ttl_s + 2 * timing.poll_s) * (1 + DRIFT))
    assert victim.member.boot_id not in world.holders().values()
    assert {account for _, account, was, _ in world.taken if was == victim.member.boot_id} == lost


@settings(max_examples=40)
@given(clusters(one_host=True), chances)
def test_on_one_host_two_looks_are_enough(nodes: list[Node], chance: Random) -> None:
    for node in nodes:
        node.member = member(node.member.boot_id, host="h1", accounts=ACCOUNTS)
    world = World(nodes, STANDARD, chance, latency_s=0.0, loss=0.0)
    world.run(4 * STANDARD.ttl_s)
    victim = world.nodes[world.holders()["one"]]
    world.kill(victim)
    world.run(world.time_s + 2 * STANDARD.poll_s * (1 + DRIFT))
    assert victim.member.boot_id not in world.holders().values()


@settings(max_examples=40)
@given(clusters(one_host=False), chances)
def test_one_survivor_of_several_deaths_leads_everything(
    nodes: list[Node], chance: Random
) -> None:
    world = World(nodes, FAST, chance, latency_s=0.0, loss=0.0)
    world.run(4 * FAST.ttl_s)
    for victim in nodes[1:]:
        world.kill(victim)
    world.run(world.time_s + (FAST.ttl_s + 3 * FAST.poll_s) * (1 + DRIFT))
    assert set(world.holders().values()) == {nodes[0].member.boot_id}


# -- tables that somebody edited -------------------------------------------------------------------

_ids = st.sampled_from(["", "me", "a", "b", "\x00", "ü"])
_numbers = st.integers(-(2**63), 2**63 - 1)
_accounts = st.sampled_from(["main", "spare", "", "x,y"])
_members = st.builds(
    Member, boot_id=_ids, node=_ids, host=st.sampled_from(["", "here", "there"]), pid=_numbers,
    started=_numbers, version=st.text(max_size=3), accounts=st.lists(_accounts).map(tuple),
)  # fmt: skip
_views = st.builds(
    View,
    members=st.lists(
        st.builds(Seen, _members, _numbers, st.sampled_from([None, True, False])), max_size=4
    ).map(tuple),
    claims=st.lists(st.builds(Claim, _accounts, _ids, _numbers, _ids), max_size=4).map(tuple),
)


@given(st.lists(st.tuples(_views, st.integers(0, 10**11), st.booleans()), max_size=6))
def test_no_list_of_members_whoever_wrote_it_raises(views: list[tuple[View, int, bool]]) -> None:
    me = member("me", accounts=("main", ""))
    election, now_ns = Election(me, FAST), 0
    for view, wait_ns, gone in views:
        now_ns += wait_ns

        def is_gone(_: Member, gone: bool = gone) -> bool:
            return gone

        for take in election.look(view, now_ns, is_gone):
            assert all(claim.account in me.accounts for claim in take.claims)
            assert all(claim.boot_id != "me" for claim in take.claims)
        election.forgettable(view, now_ns, is_gone)
        election.live(view, now_ns, is_gone)
        election.twin(view, is_gone)
