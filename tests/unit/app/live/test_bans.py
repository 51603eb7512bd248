"""A ban of the address is waited out by whoever begins during it, and knocked at by nobody."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.app.live import bans, emergency, process
from holdfast.app.live.bans import Bans, bans_of
from holdfast.app.live.slate import Slate
from holdfast.app.live.telling import Telling
from holdfast.app.live.watch import Watch
from holdfast.cluster.board import LocalBoard
from holdfast.config import load
from holdfast.execution.points import pass_by
from holdfast.venues.port import ThrottledError
from tests.support.node import ACCOUNT, flips
from tests.support.scene import scene
from tests.support.waiting import until

SECOND_NS = 10**9


class Clock:
    """Both clocks of a host, which a test moves."""

    def __init__(self) -> None:
        self.wall_ns = 1_700_000_000 * SECOND_NS
        self.mono_s = 100.0

    def time_ns(self) -> int:
        return self.wall_ns

    def monotonic(self) -> float:
        return self.mono_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(bans, "time", made)
    return made


def test_who_begins_later_knows_of_it_until_it_is_over(tmp_path: Path, clock: Clock) -> None:
    Bans(tmp_path / "a.ban").keep(60.0)
    assert Bans(tmp_path / "a.ban").left_s() == 60
    assert Bans(tmp_path / "b.ban").left_s() == 0, "of another address"
    clock.wall_ns += 59 * SECOND_NS
    assert Bans(tmp_path / "a.ban").left_s() == 1
    clock.wall_ns += 2 * SECOND_NS
    assert Bans(tmp_path / "a.ban").left_s() == 0


@pytest.mark.usefixtures("clock")
def test_a_shorter_one_does_not_end_a_longer_one(tmp_path: Path) -> None:
    kept = Bans(tmp_path / "a.ban")
    kept.keep(60.0)
    kept.keep(5.0)
    assert kept.left_s() == 60
    kept.keep(600.0)
    assert kept.left_s() == 600


def test_a_clock_that_is_set_back_makes_none_longer_than_it_was(
    tmp_path: Path, clock: Clock
) -> None:
    kept = Bans(tmp_path / "a.ban")
    kept.keep(60.0)
    clock.wall_ns -= 86_400 * SECOND_NS
    assert kept.left_s() == 60
    clock.wall_ns += 45 * SECOND_NS
    assert Bans(tmp_path / "a.ban").left_s() == 15
    clock.wall_ns += 45 * SECOND_NS
    assert kept.left_s() == 0


def test_others_are_asked_about_once_a_second(tmp_path: Path, clock: Clock) -> None:
    mine, others = Bans(tmp_path / "a.ban"), Bans(tmp_path / "a.ban")
    assert mine.news_s() == 0
    others.keep(60.0)
    assert mine.news_s() == 0
    clock.mono_s += 1
    assert mine.news_s() == 60


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"said_ns": "x", "until_ns": 1}'])
def test_a_file_that_says_nothing_keeps_nobody_waiting(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a.ban").write_bytes(body)
    kept = Bans(tmp_path / "a.ban")
    assert kept.left_s() == 0
    kept.keep(60.0)
    assert kept.left_s() > 59


def test_where_nothing_can_be_kept_nothing_breaks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Bans(tmp_path / "file" / "a.ban")
    kept.keep(60.0)
    assert kept.left_s() == 0


def test_who_begins_during_a_ban_waits_it_out_and_does_not_knock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> tuple[int, int]:
        async with scene(tmp_path) as made:
            node = made.node(flips(("BTC/USDT",)))
            monkeypatch.setenv("NODE_KEY", node.key)
            monkeypatch.setenv("NODE_SECRET", "of-the-account")
            config = load(node.config, {}).for_account(ACCOUNT)
            calls = made.calls()
            await made.fault("ban", None, for_s=60)
            telling = Telling(config, Slate())
            life = process.Life(config, Watch(), {}, LocalBoard(lambda: 0), telling, pass_by)
            trading = asyncio.create_task(process._trade(life))
            await until(lambda: bans_of(config).left_s() > 0, "the first request that is refused")
            await asyncio.sleep(0.5)
            trading.cancel()  # as a stop does
            await asyncio.wait({trading}, timeout=0.5)
            assert trading.cancelled()
            before = len(calls)
            trading = asyncio.create_task(process._trade(life))  # as its next process does
            await asyncio.sleep(0.3)
            trading.cancel()
            await asyncio.wait({trading})
            return before, len(calls)

    assert asyncio.run(run()) == (1, 1)


def test_it_goes_on_when_the_ban_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bans, "AGAIN_S", 0.01)
    kept = Bans(tmp_path / "a.ban")
    kept.keep(0.6)
    assert asyncio.run(kept.over())
    assert not asyncio.run(kept.over())


def test_an_emergency_during_a_ban_does_not_knock_and_says_how_long_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with scene(tmp_path) as made:
            node = made.node(flips(("BTC/USDT",)))
            for name, value in node.secrets().items():
                monkeypatch.setenv(name, value)
            config = load(node.config, {}).for_account(ACCOUNT)
            calls = made.calls()
            bans_of(config).keep(7200.0)
            with pytest.raises(ThrottledError, match=r"another 2 h 0 min .*not before.*\.ban"):
                await emergency.flatten_without_journal(
                    config, ("BTC/USDT",), by="ana", why="", cap_pct=Decimal(3),
                    tell=lambda _text: None,
                )  # fmt: skip
            assert calls == []

    asyncio.run(run())
