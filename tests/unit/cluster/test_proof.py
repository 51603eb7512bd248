"""The proof that a store writes: what counts as one, and how long it takes to count.

Not here: what is done about it (test_keeper_cut_off), the disks of stores (test_sqlite_leases,
test_postgres_leases).
"""

from __future__ import annotations

import asyncio

import pytest

from holdfast.cluster.proof import Proof
from holdfast.cluster.timing import PROFILES
from holdfast.errors import RetryableError
from tests.support.exchange import on_loop

TIMING = PROFILES["fast"]
MAIN, BOTH = {"main"}, {"main", "spare"}


class World:
    """A keeper's clock, and a disk that answers what it is asked when it is told to."""

    def __init__(self) -> None:
        self.now_s, self.ends = 100.0, 0
        self.asked: list[asyncio.Future[None]] = []
        self.proof = Proof(self._sync, TIMING, lambda: round(self.now_s * 1e9), self._ended)

    async def _sync(self) -> None:
        self.asked.append(asyncio.get_running_loop().create_future())
        await self.asked[-1]

    def _ended(self) -> None:
        self.ends += 1

    async def look(
        self, cut_off: set[str], *, after_s: float = TIMING.poll_s, asks: bool = True
    ) -> None:
        """One look of the keeper's, so long after the one before, and what follows at once."""
        self.now_s += after_s
        self.proof.look(cut_off, asks=asks)
        await asyncio.sleep(0)

    async def writes(self, error: Exception | None = None) -> None:
        """The disk answers the last question."""
        if error is None:
            self.asked[-1].set_result(None)
        else:
            self.asked[-1].set_exception(error)
        await asyncio.sleep(0)

    async def looks_until_it_holds(self, cut_off: set[str], *, after_s: float) -> float:
        """How long that takes, with looks so far apart."""
        began_s = self.now_s
        while not self.proof.holds("main"):
            assert self.now_s - began_s < 100
            await self.look(cut_off, after_s=after_s)
        return self.now_s - began_s


async def proven() -> World:
    """A disk that has just been seen to write since `main` is cut off."""
    world = World()
    await world.look(MAIN)
    await world.writes()
    await world.look(MAIN)
    return world


@on_loop
async def test_a_disk_that_is_slow_has_written_all_the_same() -> None:
    world = World()
    await world.look(MAIN)
    for _ in range(1000):
        await world.look(MAIN)
    assert len(world.asked) == 1, "one that hangs is asked once"
    assert not world.proof.holds("main")
    await world.writes()
    assert world.ends == 1
    assert await world.looks_until_it_holds(MAIN, after_s=TIMING.poll_s) > 0


@on_loop
async def test_what_waited_for_the_disk_has_its_moment_however_often_the_keeper_looks() -> None:
    for after_s in (0.001, TIMING.poll_s):
        world = await proven()
        took_s = await world.looks_until_it_holds(MAIN, after_s=after_s)
        moment_s = TIMING.ttl_s / 8 + TIMING.poll_s
        assert moment_s - 1e-6 <= took_s <= moment_s + TIMING.poll_s


@on_loop
async def test_time_in_which_the_keeper_stood_still_is_no_such_moment() -> None:
    world = await proven()
    await world.look(MAIN, after_s=30)
    assert not world.proof.holds("main")
    world = await proven()
    assert await world.looks_until_it_holds(MAIN, after_s=0.5) == 1.0, "and the end is sure"


@on_loop
async def test_what_was_asked_before_an_account_was_cut_off_proves_nothing_for_it() -> None:
    world = World()
    await world.look(MAIN)
    await world.look(BOTH)
    await world.writes()
    await world.look(BOTH, after_s=TIMING.ttl_s)
    assert len(world.asked) == 2
    for _ in range(10):
        await world.look(BOTH)
    assert world.proof.holds("main")
    assert not world.proof.holds("spare")


@on_loop
async def test_that_the_disk_wrote_once_proves_nothing_of_the_next_time() -> None:
    world = await proven()
    await world.look(set())
    for _ in range(10):
        await world.look(MAIN)
    assert not world.proof.holds("main")
    assert len(world.asked) == 2
    await world.look(set())  # and so it is while a question is under way
    await world.look(MAIN)
    await world.writes()
    for _ in range(5):
        await world.look(MAIN)
    assert not world.proof.holds("main")


@on_loop
async def test_a_disk_that_takes_nothing_is_told_and_asked_again_after_a_while() -> None:
    world = World()
    await world.look(MAIN)
    await world.writes(RetryableError("the disk is full"))
    with pytest.raises(RetryableError, match="the disk is full"):
        await world.look(MAIN)
    await world.look(MAIN)
    assert len(world.asked) == 1
    await world.look(MAIN, after_s=TIMING.ttl_s / 2)
    assert len(world.asked) == 2
    assert not world.proof.holds("main")


@on_loop
async def test_where_there_is_nobody_to_give_an_account_to_the_disk_is_not_asked() -> None:
    world = World()
    await world.look(MAIN, asks=False)
    assert not world.asked


@on_loop
async def test_a_disk_that_hangs_keeps_no_keeper_from_its_end() -> None:
    world = World()
    await world.look(MAIN)
    world.proof.close()
    await asyncio.sleep(0)
    assert world.asked[0].cancelled()
    world.proof.close()
