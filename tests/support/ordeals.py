"""Ordeals: faults in force over a node that trades, then lifted, and what it leaves behind.

Lives here: how a node is struck and judged. Not here: which faults, and at which routes (the
acceptance tests).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.support.ledger_check import Judgement
from tests.support.node import QUOTER, STRATEGIES, BotLine, flips, until_armed
from tests.support.pulse import SYMBOLS
from tests.support.scene import Answered, Scene, scene
from tests.support.waiting import PATIENCE_S, until

STRUCK_S = 4.0
BEGIN_ORDERS = 8
LOOK_S = 0.2
ORDER = "/api/v3/order"


class Strike(msgspec.Struct, frozen=True):
    """A fault, as `Scene.fault` takes it."""

    kind: str
    options: dict[str, Any] = {}
    path: str | None = ORDER

    @property
    def is_counted(self) -> bool:
        """Whether it is of single requests that place or cancel, and spent after some of them."""
        return self.path is not None and "count" in self.options


class Ordeal(msgspec.Struct, frozen=True):
    """What one node goes through.

    Attributes:
        for_s: how long the faults are in force at least; longer, until each has struck.
        lasts: they are in force until the end: the node must agree with the exchange all the same.
        goes_on: it orders again before it is judged.
        together: a fault joins those before it once they have struck, and is spent beside them,
            whatever the breakers do about it.
        strategies: source of the bots' strategies.
    """

    name: str
    strikes: tuple[Strike, ...]
    bots: tuple[BotLine, ...] = (*flips(SYMBOLS[1:]), QUOTER)
    for_s: float = STRUCK_S
    lasts: bool = False
    goes_on: bool = True
    together: bool = False
    strategies: str = STRATEGIES


def on_post(kind: str, count: int = 2, probability: float = 0.5, **params: Any) -> Strike:
    """A fault of requests that place."""
    return Strike(kind, {"method": "POST", "count": count, "probability": probability, **params})


def on_delete(kind: str, count: int = 2, **params: Any) -> Strike:
    """A fault of requests that cancel."""
    return Strike(kind, {"method": "DELETE", "count": count, "probability": 0.5, **params})


def anywhere(kind: str, **options: Any) -> Strike:
    """A fault that no route decides."""
    return Strike(kind, options, None)


def executed_or_not(kind: str, **params: Any) -> tuple[Strike, Strike]:
    """The same fault twice: the exchange has done what was asked, or has not."""
    return tuple(  # type: ignore[return-value]
        on_post(kind, 1, executed=executed, **params) for executed in (True, False)
    )


async def undergo(ordeal: Ordeal, folder: Path) -> Judgement:
    """One node through one ordeal; what it leaves behind."""
    async with scene(folder / ordeal.name.replace(" ", "-")) as at:
        node = at.node(ordeal.bots, strategies=ordeal.strategies)
        await node.start()
        await until_armed(node, BEGIN_ORDERS)
        await put_in_force(at, ordeal)
        await asyncio.sleep(ordeal.for_s)
        await all_struck(at)
        if not ordeal.lasts:
            await at.admin("DELETE", "faults")
        before = len(node.armed())
        found = await at.agreed(node)
        if not found.faults:
            if ordeal.goes_on:
                await until_armed(node, before + 1)
            found = await at.ended_well(node)
    return found


async def put_in_force(at: Scene, ordeal: Ordeal) -> None:
    """Put the faults in force in their order; a counted one is spent before the next begins.

    Between two of these a request gets through: so many failures in a row that the breaker opens
    would let nothing be tried for a minute.
    """
    calls = at.calls()
    before: Strike | None = None
    for strike in ordeal.strikes:
        if before is not None:
            await _got_through(calls, before.options["method"])
        await at.fault(strike.kind, strike.path, **strike.options)
        if strike.is_counted:
            await _struck(at, 1 if ordeal.together else strike.options["count"])
            before = None if ordeal.together else strike


async def _struck(at: Scene, count: int) -> None:
    """Return when the last fault that was put in force has struck so often."""

    async def left() -> list[Any]:
        last = (await _in_force(at))[-1]
        return [last["kind"], last["params"]] if last["struck"] < count else []

    await _until_none(left, f"not struck {count} times")


async def _got_through(calls: Sequence[Answered], method: str) -> None:
    """Return when a request that comes from now on has been answered well."""
    now_s = time.monotonic()
    await until(
        lambda: any(
            (call.method, call.status) == (method, 200) and call.came_s > now_s for call in calls
        ),
        f"a {method} that gets through",
        every_s=LOOK_S,
    )


async def all_struck(at: Scene) -> None:
    """An ordeal that did not happen proves nothing."""

    async def spared() -> list[Any]:
        rows = await _in_force(at)
        return [(row["kind"], row["params"]) for row in rows if not row["struck"]]

    await _until_none(spared, "never struck")


async def _in_force(at: Scene) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(await at.admin("GET", "faults"))["faults"]
    return found


async def _until_none(seen: Callable[[], Awaitable[list[Any]]], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while left := await seen():
        assert time.monotonic() < deadline_s, f"{what}: {left}"
        await asyncio.sleep(LOOK_S)


async def _told(ordeal: Ordeal, folder: Path) -> list[str]:
    """What is wrong after an ordeal; one that fails otherwise must not hide the others."""
    try:
        return (await undergo(ordeal, folder)).faults
    except AssertionError as error:
        return [f"{type(error).__name__}: {error}"]


def ordeal_faults(ordeals: Sequence[Ordeal], folder: Path) -> str:
    """All that is wrong after these ordeals, a line each; empty when nothing is."""

    async def every() -> list[list[str]]:
        return await asyncio.gather(*(_told(ordeal, folder) for ordeal in ordeals))

    found = zip(ordeals, asyncio.run(every()), strict=True)
    return "\n".join(f"{ordeal.name}: {fault}" for ordeal, faults in found for fault in faults)
