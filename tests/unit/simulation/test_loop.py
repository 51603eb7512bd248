"""The virtual loop: time, order, pauses and ends of processes."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from holdfast.simulation.clock import FIRST_S, LIFE, WORLD, Life, Machine, wall_ns
from holdfast.simulation.loop import StuckError, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    WORLD.now_s = FIRST_S
    made = VirtualLoop()
    yield made
    made.close()


def process(machine: Machine) -> tuple[Life, contextvars.Context]:
    life = Life(machine, 1)
    context = contextvars.Context()
    context.run(LIFE.set, life)
    return life, context


def test_an_hour_of_sleep_takes_no_time(loop: VirtualLoop) -> None:
    loop.run_until_complete(asyncio.sleep(3600))
    assert pytest.approx(WORLD.now_s) == FIRST_S + 3600


def test_a_generator_that_was_left_behind_comes_to_its_end(loop: VirtualLoop) -> None:
    ended: list[int] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append(1)

    async def read_one() -> None:
        async for _number in numbers():
            break
        gc.collect()
        await asyncio.sleep(0.1)

    loop.run_until_complete(read_one())
    assert ended == [1]


def test_what_was_asked_for_later_can_be_kept_in_a_set_and_called_off(loop: VirtualLoop) -> None:
    called: list[int] = []
    kept = {loop.call_later(1, called.append, 1), loop.call_soon(called.append, 2)}
    one = loop.call_later(1, called.append, 1)
    assert one not in kept
    for handle in kept:
        handle.cancel()
    loop.run_until_complete(asyncio.sleep(2))
    assert called == [1]


def test_a_clock_that_runs_slow_sleeps_longer(loop: VirtualLoop) -> None:
    _, context = process(Machine("slow", rate=0.5))
    task = context.run(loop.create_task, asyncio.sleep(10))
    loop.run_until_complete(task)
    assert pytest.approx(WORLD.now_s) == FIRST_S + 20


def test_a_wall_clock_jumps_for_its_own_machine_alone(loop: VirtualLoop) -> None:
    machine = Machine("m")
    _, context = process(machine)
    machine.wall_off_ns = 60 * 10**9
    assert context.run(wall_ns) - wall_ns() == 60 * 10**9


def test_what_a_paused_process_would_have_done_it_does_in_order_when_it_goes_on(
    loop: VirtualLoop,
) -> None:
    life, context = process(Machine("m"))
    done: list[tuple[int, float]] = []

    async def work() -> None:
        for number in range(3):
            await asyncio.sleep(1)
            done.append((number, WORLD.now_s - FIRST_S))

    task = context.run(loop.create_task, work())
    loop.pause(life, 5)
    loop.run_until_complete(task)
    assert [number for number, _ in done] == [0, 1, 2]
    assert [at_s for _, at_s in done] == pytest.approx([6, 7, 8])


def test_nothing_of_a_dead_process_runs_again_not_even_to_clean_up(loop: VirtualLoop) -> None:
    life, context = process(Machine("m"))
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1)
            done.append("work")
        finally:
            done.append("cleaned")

    context.run(loop.create_task, work())
    loop.call_later(0.5, loop.kill, life)
    loop.run_until_complete(asyncio.sleep(3))
    assert done == []


def test_who_waits_for_nothing_is_found(loop: VirtualLoop) -> None:
    with pytest.raises(StuckError):
        loop.run_until_complete(loop.create_future())
