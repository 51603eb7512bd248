"""The keeper of a node that cannot lead: its process dies or does not begin, or it has no key.

Not here: an exchange that is not reached (test_keeper_cut_off).
"""

from __future__ import annotations

import asyncio
import time

from holdfast.cluster.board import LocalBoard, State, Wanted
from holdfast.cluster.port import ANY, Claim
from tests.support.exchange import on_loop
from tests.support.keepers import QUICK, TRIES, leads_one, nodes
from tests.support.waiting import until


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
