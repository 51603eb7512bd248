"""The keeper of an account that does not reach its exchange, or waits for a disk: who leads then.

Not here: the proof that a disk writes (test_proof), a store that does not answer
(test_keeper_store).
"""

from __future__ import annotations

import asyncio
import time

from holdfast.cluster.board import State, Wanted
from holdfast.cluster.memory import MemoryLeases
from tests.support.exchange import on_loop
from tests.support.keepers import QUICK, OneNode, nodes
from tests.support.leases import member
from tests.support.waiting import until


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
