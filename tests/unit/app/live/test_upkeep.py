"""The side tasks of an account: when the exchange is asked for filters and balances again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from holdfast.app.live import upkeep
from holdfast.app.live.upkeep import Upkeep
from holdfast.domain.instrument import TradingStatus
from holdfast.errors import RetryableError
from holdfast.journal.commands import Command
from holdfast.ledger.state import AccountState
from tests.support.exchange import BTC_USDT, on_loop

HALTED = msgspec.structs.replace(BTC_USDT, status=TradingStatus.HALTED)


@on_loop
async def test_a_market_that_was_halted_for_a_moment_is_not_left_alone_for_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "HALTED_S", 0.01)
    account = AccountState(account="main")
    account.instruments[BTC_USDT.symbol] = BTC_USDT
    asked: list[TradingStatus] = []

    async def learn_instruments() -> None:
        """Halted when an order was refused, and when it is asked for the second time; not later."""
        found = HALTED if len(asked) < 2 else BTC_USDT
        asked.append(found.status)
        account.instruments[BTC_USDT.symbol] = found

    nothing: Any = None
    side_tasks = Upkeep(
        stream=SimpleNamespace(account=account),  # type: ignore[arg-type]
        commands=nothing, reconciler=nothing,
        take=nothing, learn_instruments=learn_instruments, configure=nothing, hear=nothing,
        merge_emergency=nothing,
    )  # fmt: skip
    *others, refreshing = side_tasks.parts()
    for other in others:
        other.close()
    side_tasks.suspect_filters()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await refreshing
    assert asked == ["HALTED", "HALTED", "TRADING"], "and then it has time again"


@on_loop
async def test_what_a_comparison_leaves_open_is_looked_at_soon_and_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within 30 s of a takeover balances are right or known to be wrong, doubts included."""
    reconciler = Looks("????--?x-" + "?" * 20)
    nothing: Any = None
    side_tasks = Upkeep(
        stream=nothing, commands=nothing, reconciler=reconciler,  # type: ignore[arg-type]
        take=nothing, learn_instruments=nothing, configure=nothing, hear=nothing,
        merge_emergency=nothing,
    )  # fmt: skip
    waited: list[float] = []

    async def passes(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", passes)
    with pytest.raises(IndexError):
        await side_tasks._compare()
    assert waited[:5] == [3, 3, 4.5, 6.75, 10.125]
    assert sum(waited[:5]) < 30
    assert waited[5:10] == [60, 60, 3, 4.5, 60], "settled; open; not answered; settled"
    assert waited[10:] == sorted(waited[10:])
    assert (waited[10], waited[-1]) == (3, 60)


@on_loop
async def test_what_binds_the_first_order_is_taken_before_it_as_it_was_asked_for() -> None:
    """Limits that were tightened while no node ran, and the halt that was lifted behind them."""
    waiting = tuple(
        Command(number, name, "main", name, "{}", "ana", 0)
        for number, name in enumerate(("reconcile", "limits", "create", "resume", "signal"), 1)
    )
    commands = SimpleNamespace(newest=lambda _account: 5, pending=lambda *_args, **_rest: waiting)
    nothing: Any = None
    side_tasks = Upkeep(
        stream=SimpleNamespace(account=AccountState(account="main")),  # type: ignore[arg-type]
        commands=commands,  # type: ignore[arg-type]
        reconciler=nothing, take=nothing, learn_instruments=nothing, configure=nothing,
        hear=nothing, merge_emergency=nothing,
    )  # fmt: skip
    assert [asked.name for asked in await side_tasks.asked_before()] == ["limits", "resume"]


class Looks:
    """Comparisons that leave something open (?), or nothing (-), or are not answered (x)."""

    def __init__(self, script: str) -> None:
        self._script = list(script)
        self.asks_again = True

    async def in_passing(self) -> list[str]:
        look = self._script.pop(0)
        self.asks_again = look != "-"
        if look == "x":
            raise RetryableError("no answer")
        return []
