"""The keeper: what it wants of a node's accounts, with others beside it, in real time but short.

Not here: who should lead (test_election), stores (test_lease_contract).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.cluster.board import LocalBoard, State, Wanted
from holdfast.cluster.keeper import Keeper
from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import ANY, Claim, ForgottenError, Member, TwinError, View
from holdfast.cluster.timing import Timing
from holdfast.errors import ConfigError, RetryableError
from tests.support.exchange import on_loop
from tests.support.leases import member
from tests.support.waiting import until

TRIES = 5
QUICK = Timing(renew_s=0.03, ttl_s=0.8, poll_s=0.005, call_s=0.3)


class FlakyLeases(MemoryLeases):
    """Leases whose store is away while `is_down`."""

    is_down = False

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        if self.is_down:
            raise RetryableError("seen: no store; expected: one")
        return await super().renew(boot_id)

    async def hand(self, claim: Claim, to: str) -> bool:
        if self.is_down:
            raise RetryableError("seen: no store; expected: one")
        return await super().hand(claim, to)


class RefusingLeases(MemoryLeases):
    """Leases whose store refuses the call `refused`, or all of them, as while it is restored."""

    refused = ""
    refusals = 0

    def _refuse(self, call: str) -> None:
        if self.refused in {call, "all"}:
            self.refusals += 1
            raise ConfigError("seen: permission denied; expected: the rights of a node")

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        self._refuse("renew")
        return await super().renew(boot_id)

    async def view(self) -> View:
        self._refuse("view")
        return await super().view()

    async def hand(self, claim: Claim, to: str) -> bool:
        self._refuse("hand")
        return await super().hand(claim, to)


class HeldUpLeases(MemoryLeases):
    """Leases in a host that gets no processor for `held_up_s`, once, while a renewal is asked."""

    held_up_s = 0.0

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        held_up_s, self.held_up_s = self.held_up_s, 0.0
        if held_up_s:
            time.sleep(held_up_s)
            await asyncio.sleep(QUICK.poll_s)
        return await super().renew(boot_id)


class StalledLeases(MemoryLeases):
    """Leases on a disk that takes nothing while `is_stalled`; renewals do not wait for it."""

    is_stalled = False

    async def sync(self) -> None:
        while self.is_stalled:
            await asyncio.sleep(QUICK.poll_s)


class SlowLeases(MemoryLeases):
    """Leases on a disk that needs a little longer than a call may take."""

    async def sync(self) -> None:
        await asyncio.sleep(1.3 * QUICK.call_s)


class ClosedLeases(MemoryLeases):
    """Leases whose store lets nobody in."""

    async def join(self, member: Member) -> None:
        raise ConfigError(f"seen: {member.node} is refused; expected: another password")


class LateLine:
    """A way to the store that is slow: a call that was given up takes effect all the same."""

    def __init__(self, store: MemoryLeases) -> None:
        self._store = store
        self.late_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def late(*args: Any) -> Any:
            await asyncio.sleep(self.late_s)
            return await getattr(self._store, name)(*args)

        return lambda *args: asyncio.shield(asyncio.ensure_future(late(*args)))


class OneNode:
    """A keeper, and an account process that does at once what is wanted of it."""

    def __init__(self, leases: MemoryLeases, who: Member, gone: set[str]) -> None:
        self.member = who
        self.board = LocalBoard(time.monotonic_ns)
        self.keeper = Keeper(
            store=leases, member=who, timing=QUICK, board=self.board, now_ns=time.monotonic_ns,
            is_gone=lambda other: other.boot_id in gone,
        )  # fmt: skip
        self.board.tell("main", State.FOLLOWING)
        self.keeping = asyncio.create_task(self.keeper.run())
        self.obeying = asyncio.create_task(self._obey())

    @property
    def leads(self) -> bool:
        """Whether it may arm."""
        return self.board.state("main") is State.LEADING and self.board.may_lead("main")

    async def _obey(self) -> None:
        while True:
            await self.board.until("main", Wanted.LEAD)
            self.board.tell("main", State.LEADING)
            await self.board.until("main", Wanted.FOLLOW, Wanted.YIELD)
            self.board.tell("main", State.DOWN)
            await asyncio.sleep(0)
            self.board.tell("main", State.FOLLOWING)

    async def vanish(self) -> None:
        """End without a word, as after kill -9."""
        for task in (self.obeying, self.keeping):
            task.cancel()
        await asyncio.wait([self.keeping, self.obeying])


@asynccontextmanager
async def nodes(
    *names: str, leases: MemoryLeases | None = None
) -> AsyncIterator[tuple[list[OneNode], MemoryLeases, set[str]]]:
    """Nodes that start one after the other, so that the first leads."""
    store, gone, made = leases or MemoryLeases(), set[str](), list[OneNode]()
    try:
        for name in names:
            made.append(OneNode(store, member(name), gone))
            await until(leads_one(made), f"{name} takes part")
            await asyncio.sleep(5 * QUICK.poll_s)
        yield made, store, gone
    finally:
        for node in made:
            await node.vanish()


def leads_one(made: list[OneNode]) -> Callable[[], bool]:
    """Whether exactly one may arm."""
    return lambda: [node.leads for node in made].count(True) == 1


@on_loop
async def test_a_node_alone_leads_what_is_nobody_s_as_soon_as_it_is_warm() -> None:
    async with nodes("one") as ([one], leases, _):
        view = await leases.view()
        assert [(claim.account, claim.boot_id) for claim in view.claims] == [("main", "one")]
        assert one.leads


@on_loop
async def test_an_account_that_is_not_warm_is_not_taken() -> None:
    leases, board = MemoryLeases(), LocalBoard(time.monotonic_ns)
    keeper = Keeper(
        store=leases, member=member("cold"), timing=QUICK, board=board, now_ns=time.monotonic_ns,
        is_gone=lambda _: False,
    )  # fmt: skip
    keeping = asyncio.create_task(keeper.run())
    await asyncio.sleep(10 * QUICK.poll_s)
    assert [claim.boot_id for claim in (await leases.view()).claims] == [""]
    board.tell("main", State.FOLLOWING)
    await until(lambda: board.wanted("main") is Wanted.LEAD, "it is warm now")
    keeping.cancel()


@on_loop
async def test_the_second_goes_on_when_the_first_vanishes_and_at_once_when_that_is_proven() -> None:
    for proven in (False, True):
        async with nodes("one", "two") as ([one, two], _, gone):
            await one.vanish()
            began_s = time.monotonic()
            if proven:
                gone.add("one")
            await until(lambda: two.leads, "the second leads")
            took_s = time.monotonic() - began_s
            assert took_s >= (0 if proven else QUICK.ttl_s - QUICK.renew_s)


@on_loop
async def test_a_plan_moves_an_account_while_its_leader_lives() -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        assert await leases.plan("main", "two")
        await until(lambda: two.leads, "the second leads")
        assert not one.leads
        assert one.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_who_is_cut_off_gives_its_account_away_unless_there_is_nobody() -> None:
    async with nodes("one") as ([one], _, _):
        one.board.reach("main", reaches=False)
        await asyncio.sleep(2 * QUICK.ttl_s)
        assert one.leads, "nobody else could trade it either"
    async with nodes("one", "two") as ([one, two], _, _):
        one.board.reach("main", reaches=False)
        await until(lambda: two.leads, "the second leads")
        await asyncio.sleep(2 * QUICK.ttl_s)
        assert two.leads, "it does not wander back"


@on_loop
async def test_who_waits_for_a_disk_that_takes_nothing_keeps_its_account() -> None:
    disk = StalledLeases()
    async with nodes("one", "two", leases=disk) as ([one, two], _, _):
        disk.is_stalled = True
        one.board.reach("main", reaches=False)
        await asyncio.sleep(2 * QUICK.ttl_s)
        assert one.leads, "another one would wait for it as well"
        disk.is_stalled = False
        one.board.reach("main", reaches=True)  # what waited is answered with what was asked
        await asyncio.sleep(QUICK.ttl_s)
        assert one.leads
        one.board.reach("main", reaches=False)
        await until(lambda: two.leads, "the second leads: the disk writes, and it does not reach")


@on_loop
async def test_a_disk_that_is_slow_keeps_nobody_from_an_account_that_is_cut_off() -> None:
    async with nodes("one", "two", leases=SlowLeases()) as ([one, two], _, _):
        one.board.reach("main", reaches=False)  # its exchange, and only from here
        await until(lambda: two.leads, "the second leads")


@on_loop
async def test_what_waited_for_the_disk_keeps_its_account_whatever_else_is_told_meanwhile() -> None:
    disk = StalledLeases()
    async with nodes("one", "two", leases=disk) as ([one, _], _, _):
        disk.is_stalled = True
        one.board.reach("main", reaches=False)
        await asyncio.sleep(5 * QUICK.poll_s)
        disk.is_stalled = False
        await until(lambda: bool(one.keeper._proof._since_ns), "the disk writes")
        one.board.reach("spare", reaches=False)  # another account, which wakes the keeper
        await asyncio.sleep(2 * QUICK.poll_s)
        one.board.reach("main", reaches=True)
        await asyncio.sleep(QUICK.ttl_s / 2)
        assert one.leads


@on_loop
async def test_who_was_to_give_an_account_away_when_nobody_was_there_keeps_it_once_it_is_well(
) -> None:
    async with nodes("one", "two") as ([one, two], leases, gone):
        one.obeying.cancel()  # it takes a while to come to rest
        one.board.reach("main", reaches=False)
        await until(lambda: one.keeper._tenures["main"].is_given_up, "it is to be given away")
        gone.add("two")
        await two.vanish()
        await until(lambda: one.keeper._live == {"one"}, "nobody is there to take it")
        one.board.reach("main", reaches=True)
        one.obeying = asyncio.create_task(one._obey())
        one.board.tell("main", State.FOLLOWING)  # it has come to rest
        await until(lambda: one.leads, "it goes on alone")
        three = OneNode(leases, member("three"), gone)
        try:
            await until(lambda: "main" in one.keeper._others, "a look at the third")
            await asyncio.sleep(5 * QUICK.poll_s)
            assert one.leads
        finally:
            await three.vanish()


@on_loop
async def test_who_is_cut_off_and_does_not_come_to_rest_is_gone_without() -> None:
    async with nodes("one", "two") as ([one, two], _, _):
        one.obeying.cancel()  # it waits for a journal that does not answer
        one.board.reach("main", reaches=False)
        await until(lambda: two.leads, "the second leads")
        assert one.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_an_account_whose_exchange_answers_nobody_wanders_ever_more_slowly() -> None:
    async with nodes("one", "two") as (made, leases, _):
        for node in made:
            node.board.reach("main", reaches=False)
        await asyncio.sleep(5 * QUICK.ttl_s)
        [claim] = (await leases.view()).claims
        assert 2 <= claim.turn <= 8


@on_loop
async def test_an_account_that_whoever_begins_to_lead_cannot_go_on_with_wanders_ever_more_slowly(
) -> None:
    """A disk may have room for a takeover, and for nothing after it."""
    async with nodes("one", "two") as (made, leases, _):
        until_s = time.monotonic() + 5 * QUICK.ttl_s
        while time.monotonic() < until_s:
            for node in made:
                node.board.reach("main", reaches=not node.leads)
            await asyncio.sleep(QUICK.poll_s / 2)
        [claim] = (await leases.view()).claims
        assert 4 <= claim.turn <= 13


@on_loop
async def test_what_died_here_goes_to_who_is_warm() -> None:
    async with nodes("one", "two") as ([one, two], _, _):
        one.obeying.cancel()
        one.board.tell("main", State.DOWN)
        await until(lambda: two.leads, "the second leads")


@on_loop
async def test_what_two_cannot_lead_goes_past_them_to_the_third() -> None:
    async with nodes("a", "b", "c") as (made, leases, _):
        for node in made[:2]:
            node.obeying.cancel()
            node.board.tell("main", State.UNFIT)
        await until(lambda: made[2].leads, "the third leads")
        assert (await leases.view()).claims[0].turn <= 6
    async with nodes("a", "b", "c") as (made, leases, _):
        for node in made[:2]:
            node.board.reach("main", reaches=False)
        await until(lambda: made[2].leads, "the third leads")
        assert (await leases.view()).claims[0].turn <= 6


@on_loop
async def test_who_gave_it_to_nobody_leaves_it_to_the_others_while_they_are_warm() -> None:
    async with nodes("one", "two", "three") as (made, _, _):
        for _ in range(6):
            [leader] = [node for node in made if node.leads]
            leader.board.tell("main", State.DOWN)  # its process ends, and is warm again at once
            board = leader.board
            await until(lambda at=board: at.wanted("main") is Wanted.FOLLOW, "it gave it up")  # type: ignore[misc]
            await until(leads_one(made), "another leads")
            assert not leader.leads


@on_loop
async def test_who_was_given_it_and_cannot_begin_gives_it_on() -> None:
    async with nodes("one", "two", "three") as ([one, two, three], leases, _):
        two.obeying.cancel()
        two.board.tell("main", State.DOWN)
        assert await leases.plan("main", "two")
        await until(lambda: not one.leads, "it hands over")
        began_s = time.monotonic()
        await until(lambda: one.leads or three.leads, "one that can")
        assert time.monotonic() - began_s < 4 * QUICK.ttl_s
        assert two.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_who_begins_again_and_again_and_never_leads_gives_it_on() -> None:
    for _ in range(TRIES):
        async with nodes("one", "two", "three") as ([one, two, three], leases, _):
            two.obeying.cancel()
            two.obeying = asyncio.create_task(begins_in_vain(two.board))
            assert await leases.plan("main", "two")
            await until(lambda: not one.leads, "it hands over")
            await until(lambda: one.leads or three.leads, "one that can")
            turn = (await leases.view()).claims[0].turn
            if await longest_turn_s(QUICK.ttl_s) > QUICK.ttl_s / 4:
                continue  # so busy a machine lets a lease run out, and that is another matter
            assert (await leases.view()).claims[0].turn == turn, "it does not try again"
            return
    raise AssertionError("the machine stood still at each try")


async def begins_in_vain(board: LocalBoard) -> None:
    """As an account's process that ends whenever it is to lead."""
    while True:
        await board.until("main", Wanted.LEAD)
        await asyncio.sleep(QUICK.ttl_s / 8)
        board.tell("main", State.DOWN)
        await asyncio.sleep(QUICK.ttl_s / 8)
        board.tell("main", State.FOLLOWING)


@on_loop
async def test_a_takeover_that_takes_its_time_is_let_end() -> None:
    for _ in range(TRIES):
        async with nodes("one", "two") as ([one, two], leases, _):
            two.obeying.cancel()
            assert await leases.plan("main", "two")
            await until(lambda: two.board.wanted("main") is Wanted.LEAD, "it is to lead")
            if await longest_turn_s(3 * QUICK.ttl_s) > QUICK.ttl_s / 4:
                continue  # so busy a machine lets a lease run out, and that is another matter
            assert two.board.wanted("main") is Wanted.LEAD, "it follows until it leads"
            assert not one.leads
            return
    raise AssertionError("the machine stood still at each try")


async def longest_turn_s(seconds: float) -> float:
    """Wait so long; how long the event loop's longest turn took meanwhile."""
    longest_s, began_s = 0.0, time.monotonic()
    while (now_s := time.monotonic()) - began_s < seconds:
        await asyncio.sleep(0.01)
        longest_s = max(longest_s, time.monotonic() - now_s)
    return longest_s


@on_loop
async def test_who_is_told_to_stop_hands_over_first_and_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        one.keeper.stop()
        await one.keeping
        assert "deposed" not in caplog.text, "it was planned"
        await until(lambda: two.leads, "the second leads")
        assert [seen.member.boot_id for seen in (await leases.view()).members] == ["two"]


@pytest.mark.parametrize("lacks", ["process", "key"])
@on_loop
async def test_who_stops_leaves_its_account_to_who_is_warm_whoever_comes_next(lacks: str) -> None:
    async with nodes("a", "b", "c") as ([a, b, c], leases, _):
        b.obeying.cancel()
        if lacks == "process":
            b.board.tell("main", State.DOWN)
        else:
            b.board.key("main", is_taken=False)
        await until(lambda: len(c.keeper._live) == 3, "the third has seen all")
        began_s = time.monotonic()
        a.keeper.stop()
        await until(lambda: c.leads, "the third leads")
        assert time.monotonic() - began_s < QUICK.ttl_s / 2
        assert (await leases.view()).claims[0].turn == 3, "nobody had it in between"


@on_loop
async def test_who_has_no_key_that_is_taken_leaves_what_is_nobody_s_to_who_has_one() -> None:
    for without in ("b", "c"):
        async with nodes("a", "b", "c") as ([a, *others], _, gone):
            [idle] = [node for node in others if node.member.boot_id == without]
            [able] = [node for node in others if node is not idle]
            idle.obeying.cancel()
            idle.board.key("main", is_taken=False)
            await until(lambda at=able: len(at.keeper._live) == 3, "it has seen all")  # type: ignore[misc]
            await a.vanish()
            gone.add("a")
            await until(lambda at=able: at.leads, "the one that has a key")  # type: ignore[misc]
            assert idle.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_a_leader_whose_key_is_refused_goes_on_until_somebody_has_one() -> None:
    async with nodes("a", "b", "c") as (made, leases, _):
        for node in made:
            node.board.key("main", is_taken=False)
        await asyncio.sleep(2 * QUICK.ttl_s)
        assert made[0].leads
        assert (await leases.view()).claims[0] == Claim("main", "a", 1, wanted=ANY)
        made[2].board.key("main", is_taken=True)
        await until(lambda: made[2].leads, "the one that has a key")
        await asyncio.sleep(5 * QUICK.poll_s)
        assert (await leases.view()).claims[0] == Claim("main", "c", 2)


@on_loop
async def test_a_plan_for_a_version_moves_an_account_to_one_of_its_nodes_that_is_warm() -> None:
    async with nodes("a", "b", "c", "d") as (made, leases, _):
        made[1].board.tell("main", State.DOWN)
        await until(lambda: len(made[2].keeper._live) == 4, "it has seen all")
        await leases.plan("main", ANY + "9.9.9")
        await asyncio.sleep(QUICK.ttl_s / 2)
        assert made[0].leads, "nobody is of that version"
        await leases.plan("main", ANY + made[0].member.version)
        await until(lambda: made[2].leads or made[3].leads, "one that is warm")


@on_loop
async def test_a_leader_whose_key_is_taken_again_is_asked_for_nothing() -> None:
    async with nodes("a", "b") as ([a, b], leases, _):
        for node in (b, a):
            node.board.key("main", is_taken=False)
        await until(lambda: a.keeper._held["main"].wanted == ANY, "it is offered")
        a.board.key("main", is_taken=True)
        await until(lambda: a.keeper._held["main"].wanted == "", "it is not offered any more")
        b.board.key("main", is_taken=True)
        await asyncio.sleep(QUICK.ttl_s / 2)
        assert a.leads
        assert (await leases.view()).claims[0].turn == 1


@on_loop
async def test_without_its_store_a_leader_arms_nothing_once_its_lease_has_run_out() -> None:
    leases = FlakyLeases()
    async with nodes("one", leases=leases) as ([one], _, _):
        leases.is_down = True
        await until(lambda: not one.board.may_lead("main"), "the lease ran out")
        assert one.board.wanted("main") is Wanted.LEAD, "nobody has taken it"
        leases.is_down = False
        await until(lambda: one.leads, "it goes on")


@on_loop
async def test_what_cannot_be_given_away_without_the_store_leaves_no_cancel_behind() -> None:
    leases = FlakyLeases()
    async with nodes("one", "two", leases=leases) as ([one, _], _, _):
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        leases.is_down = True
        await until(lambda: bool(one.keeper._let_go), "it gives away what it led")
        await until(lambda: not one.board.may_lead("main"), "the lease ran out")
        assert one.keeping.cancelling() == 0, "the next timeout would take itself for a cancel"


@on_loop
async def test_whose_renewals_arrive_too_late_to_be_told_lets_another_lead() -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        line = LateLine(leases)
        one.keeper._store = line  # type: ignore[assignment]
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        line.late_s = QUICK.call_s + 0.1
        await until(lambda: two.leads, "the one whose way is quick")
        assert not one.leads


@on_loop
async def test_who_was_held_up_itself_renews_before_it_lets_anybody_else_lead() -> None:
    leases = HeldUpLeases()
    async with nodes("one", "two", leases=leases) as ([one, _], _, _):
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        before = (await leases.view()).members[0].renewals
        leases.held_up_s = 0.9 * QUICK.ttl_s
        while (await leases.view()).members[0].renewals < before + TRIES:
            await asyncio.sleep(QUICK.poll_s)
        assert one.leads
        (claim,) = (await leases.view()).claims
        assert claim.turn == 1, "it was never given away"


@on_loop
async def test_who_is_held_up_at_each_renewal_lets_another_lead_in_the_end() -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        passed_ns = 0

        async def held_up(boot_id: str) -> None:
            nonlocal passed_ns
            await leases.renew(boot_id)  # so the others see it alive
            passed_ns += round((QUICK.call_s + 2 * QUICK.poll_s) * 1e9)
            raise RetryableError("seen: no answer in time")

        one.keeper._now_ns = lambda: time.monotonic_ns() + passed_ns
        store: Any = SimpleNamespace(renew=held_up, hand=leases.hand, view=leases.view)
        one.keeper._store = store
        await until(lambda: two.leads, "the one that is not held up")


@on_loop
async def test_whose_way_is_slow_keeps_its_account_where_nobody_else_could_lead() -> None:
    async with nodes("one") as ([one], leases, _):
        line = LateLine(leases)
        one.keeper._store = line  # type: ignore[assignment]
        line.late_s = QUICK.call_s + 0.1
        await until(lambda: not one.leads, "the end of the lease")
        line.late_s = 0.0
        await until(lambda: one.leads, "an answer in time")
        (claim,) = (await leases.view()).claims
        assert claim.turn == 1, "it was never given away"


@on_loop
async def test_a_member_that_was_forgotten_ends_what_it_leads() -> None:
    async with nodes("one") as ([one], leases, _):
        await leases.leave("one")
        with pytest.raises(ForgottenError):
            await one.keeping
        assert not one.board.may_lead("main")
        assert one.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_a_second_node_of_the_same_name_is_refused() -> None:
    async with nodes("one") as (_, leases, _):
        # Who has renewed less often is told; at the same pace on a busy machine that may be either.
        while (await leases.view()).members[0].renewals < 100:
            await asyncio.sleep(QUICK.renew_s)
        twin = OneNode(leases, member("other", node="one", pid=2), set())
        with pytest.raises(TwinError, match="node one runs already"):
            await asyncio.wait_for(asyncio.shield(twin.keeping), 30)
        await twin.vanish()


@on_loop
async def test_who_is_not_let_in_ends_in_another_way_than_a_twin() -> None:
    node = OneNode(ClosedLeases(), member("one"), set())
    with pytest.raises(ConfigError, match="another password") as caught:
        await asyncio.wait_for(asyncio.shield(node.keeping), 30)
    assert not isinstance(caught.value, TwinError)
    await node.vanish()


@pytest.mark.parametrize("call", ["renew", "view"])
@on_loop
async def test_a_refusal_that_passes_within_a_lease_costs_nothing(call: str) -> None:
    leases = RefusingLeases()
    async with nodes("one", leases=leases) as ([one], _, _):
        leases.refused = call
        await until(lambda: leases.refusals > TRIES, "refusals")
        leases.refused = ""
        await asyncio.sleep(QUICK.ttl_s)
        assert one.leads
        assert (await leases.view()).claims[0].turn == 1, "it was never given away"


@on_loop
async def test_who_is_refused_until_its_lease_has_run_out_ends_and_is_no_twin() -> None:
    leases = RefusingLeases()
    async with nodes("one", "two", leases=leases) as ([one, _], _, _):
        leases.refused = "all"
        with pytest.raises(ConfigError, match="permission denied") as caught:
            await asyncio.wait_for(asyncio.shield(one.keeping), 30)
        assert not isinstance(caught.value, TwinError)
        assert not one.board.may_lead("main")
