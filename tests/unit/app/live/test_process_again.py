"""How soon an account begins again that ended by itself."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.app.live import process
from holdfast.app.live.follower import OutgrownError
from holdfast.app.live.slate import Slate
from holdfast.app.live.telling import Telling
from holdfast.app.live.watch import Watch
from holdfast.cluster.board import LocalBoard
from holdfast.config import Config
from holdfast.errors import RetryableError
from holdfast.execution.points import pass_by
from tests.support.waiting import until


def waits(monkeypatch: pytest.MonkeyPatch, *ends: Exception) -> list[float]:
    """The waits between the lives that end like this, until one ends well."""
    left, waited = list(ends), list[float]()

    async def live(_life: object) -> None:
        if left:
            raise left.pop(0)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(process, "_live", live)
    monkeypatch.setattr(process, "asyncio", SimpleNamespace(sleep=sleep))
    life: Any = SimpleNamespace(account="main", board=SimpleNamespace(tell=lambda *_: None))
    asyncio.run(process._trade(life))
    return waited


def test_who_outgrew_what_it_followed_begins_again_at_once_but_not_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert waits(monkeypatch, OutgrownError("x")) == []
    assert waits(monkeypatch, *(OutgrownError("x") for _ in range(4))) == [0.4, 0.8, 1.6]


def test_what_does_not_answer_is_asked_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    again = [RetryableError("no answer") for _ in range(7)]
    assert waits(monkeypatch, *again) == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_an_end_after_a_long_life_is_a_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LIVED_S", -1.0)
    assert waits(monkeypatch, *(RetryableError("no answer") for _ in range(3))) == [0.2] * 3


def test_who_waits_for_journal_or_exchange_is_not_taken_for_hung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def live(_life: object) -> None:
        raise RetryableError("no answer")

    async def beats() -> None:
        account = asyncio.create_task(process._told(life))
        await until(lambda: watch.beats > 2, "its event loop shows that it turns")
        account.cancel()
        await asyncio.wait({account})

    monkeypatch.setattr(process, "_live", live)
    config, watch = Config(), Watch()
    told = Telling(config, Slate())
    life = process.Life(config, watch, {}, LocalBoard(lambda: 0), told, pass_by)
    asyncio.run(beats())
