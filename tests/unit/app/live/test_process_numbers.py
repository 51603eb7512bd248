"""What an account's process tells of itself ends with what it told it of, also within one life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.app.live import process
from holdfast.app.live.slate import Slate
from holdfast.app.live.telling import Telling
from holdfast.app.live.watch import Watch
from holdfast.cluster.board import LocalBoard, State
from holdfast.config import Config
from holdfast.errors import RetryableError
from holdfast.execution.points import pass_by


def follower(run: Callable[[], Any]) -> Any:
    """One whose exchange answers, as far as its process looks at it."""
    one = SimpleNamespace(
        keys=SimpleNamespace(is_taken=True, serves=lambda leads: True), is_leading=False,
        account=SimpleNamespace(seq=9, epoch=7), config=Config(), stream_is_up=True, bots=(),
        venue=SimpleNamespace(gate=SimpleNamespace(left=dict)),
        clock=SimpleNamespace(sample_ms=0), run=run, on_reach=None,
    )  # fmt: skip
    one.tell_reach = lambda: one.on_reach(True)
    return one


def test_a_follower_that_ends_leaves_no_gauge_and_the_next_one_no_doubt_of_its_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board, slate, seen = LocalBoard(lambda: 0), Slate(), list[tuple[bool, State]]()
    told = Telling(Config(), slate)
    life = process.Life(Config(), Watch(), {}, board, told, pass_by)

    def epochs() -> dict[Any, Any]:
        left = slate.read()
        assert left is not None
        return left.numbers.get("trading_epoch", {})

    async def run() -> None:
        told.tell()
        assert epochs() == {(): 7.0}
        seen.append((board.reaches("main"), board.state("main")))
        raise RetryableError("no answer")

    @asynccontextmanager
    async def following(*_: object) -> AsyncIterator[Any]:
        yield follower(run)

    monkeypatch.setattr(process, "following", following)
    monkeypatch.setattr(process, "keep_symbols", lambda *_: None)
    board.reach("main", reaches=False)  # as the one before had told
    with pytest.raises(ExceptionGroup, match="unhandled"):
        asyncio.run(process._live(life))
    assert seen == [(True, State.FOLLOWING)]
    assert epochs() == {}
