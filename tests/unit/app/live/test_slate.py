"""Numbers outlive the process that wrote them; what it was does not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import msgspec
import pytest

from holdfast.app.live.board import SharedBoard, lease_clock_ns
from holdfast.app.live.slate import Slate
from holdfast.app.live.teller import NodeHealth, Sources
from holdfast.cluster.board import State, Wanted
from holdfast.telemetry.meter import Numbers
from tests.support.scraped import faults

NUMBERS: Numbers = {"trading_ghosts_total": {(): 3}, "trading_epoch": {(): 7}}
AT = {"main": "binance", "other": "binance"}


def forked(work: Callable[[], None]) -> int:
    """A child that does this, and stays until it is killed."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        work()
        os.write(told, b"!")
        while True:
            signal.pause()
    os.read(ready, 1)
    return pid


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_nothing_is_read_before_anything_was_written() -> None:
    assert Slate().read() is None


def test_what_was_written_last_is_read_and_how_old_it_is() -> None:
    slate = Slate()
    for count in range(5):
        slate.write({"trading_ghosts_total": {(): count}})
    left = slate.read()
    assert left is not None
    assert left.numbers == {"trading_ghosts_total": {(): 4}}
    assert left.is_alive
    assert 0 <= left.age_s < 60
    time.sleep(0.01)
    assert left.age_s > 0.01


def test_too_many_numbers_are_refused_and_what_was_there_stays() -> None:
    slate = Slate()
    slate.write(NUMBERS)
    numbers: Numbers = {
        "trading_refusals_total": {(f"{n:0100}",): 1.0 for n in range(10_000)}
    }
    with pytest.raises(ValueError, match="bytes of numbers"):
        slate.write(numbers)
    left = slate.read()
    assert left is not None
    assert left.numbers == NUMBERS


def test_a_reader_never_sees_half_of_what_is_being_written() -> None:
    slate = Slate()
    slate.write(NUMBERS)

    pid = os.fork()
    while pid == 0:
        for size in (1, 4000):
            slate.write({"trading_refusals_total": {(str(n),): size for n in range(size)}})
    seen = set[int]()
    while len(seen) < 2:
        left = slate.read()
        values = left.numbers.get("trading_refusals_total", {}) if left is not None else {}
        assert {len(values)} >= set(values.values())
        seen |= {len(values)} & {1, 4000}
    killed(pid)


def test_a_process_that_was_killed_keeps_its_counts_and_has_no_gauges() -> None:
    board, slate = SharedBoard(["main"]), Slate()
    told = Sources("a", board, {"main": slate}, AT)
    pid = forked(lambda: slate.write(NUMBERS))
    alive = told.metrics()[0].decode()
    killed(pid)
    dead = told.metrics()[0].decode()
    assert 'trading_epoch{account="main"} 7.0' in alive
    assert 'trading_heartbeat_timestamp_seconds{account="main"}' in alive
    assert 'trading_ghosts_total{account="main"} 3.0' in dead
    assert "trading_epoch{" not in dead
    assert "trading_heartbeat_timestamp_seconds{" not in dead
    assert 'trading_leader{account="main"} 0.0' in dead
    assert list(faults(alive + dead)) == []


def test_that_an_exchange_does_not_answer_outlives_the_process_that_asked_it() -> None:
    board, slate = SharedBoard(["main"]), Slate()
    told = Sources("a", board, {"main": slate}, AT)
    assert b"exchange_reachable{" not in told.metrics()[0], "nobody has asked it yet"

    def asks_in_vain() -> None:
        board.exchange_answers("main", answers=False)
        slate.write(NUMBERS)

    pid = forked(asks_in_vain)
    reachable = 'exchange_reachable{account="main",exchange="binance"}'
    assert f"{reachable} 0.0" in told.metrics()[0].decode()
    killed(pid)
    board.tell("main", State.DOWN)
    assert f"{reachable} 0.0" in told.metrics()[0].decode()
    board.exchange_answers("main", answers=True)
    assert f"{reachable} 1.0" in told.metrics()[0].decode()
    board.tell("main", State.UNFIT)
    assert reachable not in told.metrics()[0].decode(), "nobody asks it any more"


def test_a_leader_is_one_only_while_its_lease_runs() -> None:
    board = SharedBoard(["main"])
    told = Sources("a", board, {"main": Slate()}, AT)
    board.tell("main", State.LEADING)
    board.want("main", Wanted.LEAD)
    board.lease(lease_clock_ns() + 60_000_000_000)
    assert b'trading_leader{account="main"} 1.0' in told.metrics()[0]
    health = msgspec.json.decode(told.health(), type=NodeHealth)
    assert health.accounts["main"].leads
    assert told.is_ready()
    board.lease(lease_clock_ns() - 1)  # it hangs: nobody renews, and it says nothing new
    assert b'trading_leader{account="main"} 0.0' in told.metrics()[0]
    assert b"cluster_lease_left_seconds 0.0" in told.metrics()[0]
    assert not msgspec.json.decode(told.health(), type=NodeHealth).accounts["main"].leads


def test_what_only_a_leader_knows_ends_with_its_lease_though_its_process_hangs() -> None:
    board, slate = SharedBoard(["main"]), Slate()
    told = Sources("a", board, {"main": slate}, AT)
    slate.write({**NUMBERS, "trading_orders_in_doubt": {(): 2}})
    board.tell("main", State.LEADING)
    board.want("main", Wanted.LEAD)
    board.lease(lease_clock_ns() + 60_000_000_000)
    doubts = b'trading_orders_in_doubt{account="main"}'
    assert doubts + b" 2.0" in told.metrics()[0]
    assert msgspec.json.decode(told.health(), type=NodeHealth).accounts["main"].in_doubt == 2
    board.want("main", Wanted.YIELD)  # a handover: another may go on from now
    assert b'trading_leader{account="main"} 0.0' in told.metrics()[0]
    assert doubts not in told.metrics()[0]
    board.want("main", Wanted.LEAD)
    board.lease(lease_clock_ns() - 1)
    page = told.metrics()[0]
    assert doubts not in page
    assert b'trading_epoch{account="main"} 7.0' in page
    assert b'trading_ghosts_total{account="main"} 3.0' in page
    assert msgspec.json.decode(told.health(), type=NodeHealth).accounts["main"].in_doubt is None


def test_a_node_is_ready_while_each_account_could_be_led_there() -> None:
    board = SharedBoard(["main", "other"])
    told = Sources("a", board, {"main": Slate(), "other": Slate()}, AT)
    board.tell("main", State.FOLLOWING)
    assert not told.is_ready()
    board.tell("other", State.LEADING)
    assert told.is_ready()
    assert b'trading_standby_ready{account="main"} 1.0' in told.metrics()[0]
    board.reach("main", reaches=False)
    assert b'trading_standby_ready{account="main"} 0.0' in told.metrics()[0]
    board.tell("main", State.UNFIT)
    assert not told.is_ready()
