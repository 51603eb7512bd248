"""Commands that configure, taken one after the other: a change is made to what is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from holdfast.app.live.configuring.take import Configurator
from holdfast.domain.event import OperatorAsked
from holdfast.domain.fact import AnyFact, BotConfigured, CommandTaken, LimitsSet
from holdfast.domain.limits import Limits
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState

SYMBOL = "BTC/USDT"


class Leader:
    """An account whose records are durable a moment after they are written."""

    def __init__(self) -> None:
        self.account = AccountState(account="main")
        self.facts: list[AnyFact] = []
        follower = SimpleNamespace(
            account=self.account, bots=(), in_file={},
            engine=SimpleNamespace(bots={}, limits=Limits()),
        )  # fmt: skip
        writer = SimpleNamespace(head=SimpleNamespace(format=1_000))
        self._take = Configurator(
            cast(Any, follower), cast(Any, self), cast(Any, self), cast(Any, writer)
        ).take

    async def instruments(self, symbols: Collection[str]) -> tuple[Any, ...]:
        await asyncio.sleep(0.01)
        return tuple(SimpleNamespace(symbol=symbol) for symbol in symbols)

    async def record(self, *facts: AnyFact) -> None:
        await asyncio.sleep(0.01)
        for fact in facts:
            self.facts.append(fact)
            apply(self.account, len(self.facts), 1, len(self.facts), fact)

    async def take(self, *asked: OperatorAsked) -> None:
        """All of them at once, as they wait when a node begins to lead."""
        async with asyncio.TaskGroup() as group:
            for one in asked:
                group.create_task(self._take(one))

    def refused(self) -> list[str]:
        """Why each command that was taken came to nothing; empty of what took effect."""
        return [fact.refused for fact in self.facts if isinstance(fact, CommandTaken)]


def led(work: Callable[[Leader], Any]) -> Leader:
    """A leader, when `work` with it is done."""

    async def run() -> Leader:
        leader = Leader()
        await work(leader)
        return leader

    return asyncio.run(run())


def limits(most: str, version: int | None, name: str = "limits") -> OperatorAsked:
    text = msgspec.json.encode({"max_order_notional": most}).decode()
    told = {"limits": text} | ({} if version is None else {"version": str(version)})
    return OperatorAsked(f"{name}-{most}", "limits", "user:ada", told)


def bot(most: str, version: int | None, name: str = "configure") -> OperatorAsked:
    """A bot as it is to be; only its limits change."""
    written = {
        "name": "cross", "strategy": "sma_cross", "symbols": [SYMBOL],
        "limits": {"max_order_notional": most},
    }  # fmt: skip
    told = {"bot": "cross", "config": msgspec.json.encode(written).decode()}
    told |= {} if version is None else {"version": str(version)}
    return OperatorAsked(f"{name}-{most}", name, "user:ada", told)


async def _made(leader: Leader) -> None:
    with suppress(ExceptionGroup):  # it is another bot from here on
        await leader.take(bot("500", None, "create"))


def test_of_two_changes_that_were_made_from_the_same_limits_one_is_refused() -> None:
    leader = led(lambda leader: leader.take(limits("10", 1), limits("100", 1)))
    first, second = leader.refused()
    assert first == ""
    assert "configuration 2 of the account's limits" in second
    assert [fact.limits for fact in leader.facts if isinstance(fact, LimitsSet)] == [
        leader.account.limits
    ]
    assert '"10"' in leader.account.limits


def test_limits_that_were_changed_from_those_in_force_take_effect_in_order() -> None:
    leader = led(lambda leader: leader.take(limits("10", 1), limits("100", 2)))
    assert leader.refused() == ["", ""]
    assert '"100"' in leader.account.limits


def test_limits_that_name_no_version_take_effect_whatever_was_there() -> None:
    leader = led(lambda leader: leader.take(limits("10", 1), limits("100", None)))
    assert leader.refused() == ["", ""]


def test_of_two_changes_that_were_made_from_the_same_configuration_one_is_refused() -> None:
    async def work(leader: Leader) -> None:
        await _made(leader)
        await leader.take(bot("10", 1), bot("100", 1))

    leader = led(work)
    assert [bool(why) for why in leader.refused()] == [False, False, True]
    assert leader.account.bot("cross").config_version == 2
    assert '"10"' in leader.account.bot("cross").config


def test_changes_at_the_same_moment_that_name_no_version_are_two_versions() -> None:
    async def work(leader: Leader) -> None:
        await _made(leader)
        await leader.take(bot("10", None), bot("100", None))

    leader = led(work)
    configured = [fact for fact in leader.facts if isinstance(fact, BotConfigured)]
    assert [fact.config_version for fact in configured] == [1, 2, 3]
