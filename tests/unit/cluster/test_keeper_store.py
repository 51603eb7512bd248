"""The keeper of a node whose lease store is away, is reached too late, or refuses.

Not here: stores (test_lease_contract), who is not let in to begin with (test_keeper).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.cluster.board import Wanted
from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import Claim, TwinError, View
from holdfast.errors import ConfigError, RetryableError
from tests.support.exchange import on_loop
from tests.support.keepers import QUICK, TRIES, nodes
from tests.support.waiting import until


class FlakyLeases(MemoryLeases):
    """Leases whose store is away while `is_down`."""

    is_down = False

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        if self.is_down:
            raise RetryableError("seen: no store; expected: one")
        return await super().renew(boot_id)

    async def hand(self, claim: Claim, to: str) -> bool:
        if self.is_down:
            raise RetryableError("seen: no store; expected: one")
        return await super().hand(claim, to)


class RefusingLeases(MemoryLeases):
    """Leases whose store refuses the call `refused`, or all of them, as while it is restored."""

    refused = ""
    refusals = 0

    def _refuse(self, call: str) -> None:
        if self.refused in {call, "all"}:
            self.refusals += 1
            raise ConfigError("seen: permission denied; expected: the rights of a node")

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        self._refuse("renew")
        return await super().renew(boot_id)

    async def view(self) -> View:
        self._refuse("view")
        return await super().view()

    async def hand(self, claim: Claim, to: str) -> bool:
        self._refuse("hand")
        return await super().hand(claim, to)


class HeldUpLeases(MemoryLeases):
    """Leases in a host that gets no processor for `held_up_s`, once, while a renewal is asked."""

    held_up_s = 0.0

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        held_up_s, self.held_up_s = self.held_up_s, 0.0
        if held_up_s:
            time.sleep(held_up_s)
            await asyncio.sleep(QUICK.poll_s)
        return await super().renew(boot_id)


class LateLine:
    """A way to the store that is slow: a call that was given up takes effect all the same."""

    def __init__(self, store: MemoryLeases) -> None:
        self._store = store
        self.late_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def late(*args: Any) -> Any:
            await asyncio.sleep(self.late_s)
            return await getattr(self._store, name)(*args)

        return lambda *args: asyncio.shield(asyncio.ensure_future(late(*args)))


@on_loop
async def test_without_its_store_a_leader_arms_nothing_once_its_lease_has_run_out() -> None:
    leases = FlakyLeases()
    async with nodes("one", leases=leases) as ([one], _, _):
        leases.is_down = True
        await until(lambda: not one.board.may_lead("main"), "the lease ran out")
        assert one.board.wanted("main") is Wanted.LEAD, "nobody has taken it"
        leases.is_down = False
        await until(lambda: one.leads, "it goes on")


@on_loop
async def test_what_cannot_be_given_away_without_the_store_leaves_no_cancel_behind() -> None:
    leases = FlakyLeases()
    async with nodes("one", "two", leases=leases) as ([one, _], _, _):
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        leases.is_down = True
        await until(lambda: bool(one.keeper._let_go), "it gives away what it led")
        await until(lambda: not one.board.may_lead("main"), "the lease ran out")
        assert one.keeping.cancelling() == 0, "the next timeout would take itself for a cancel"


@on_loop
async def test_whose_renewals_arrive_too_late_to_be_told_lets_another_lead() -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        line = LateLine(leases)
        one.keeper._store = line  # type: ignore[assignment]
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        line.late_s = QUICK.call_s + 0.1
        await until(lambda: two.leads, "the one whose way is quick")
        assert not one.leads


@on_loop
async def test_who_was_held_up_itself_renews_before_it_lets_anybody_else_lead() -> None:
    leases = HeldUpLeases()
    async with nodes("one", "two", leases=leases) as ([one, _], _, _):
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        before = (await leases.view()).members[0].renewals
        leases.held_up_s = 0.9 * QUICK.ttl_s
        while (await leases.view()).members[0].renewals < before + TRIES:
            await asyncio.sleep(QUICK.poll_s)
        assert one.leads
        (claim,) = (await leases.view()).claims
        assert claim.turn == 1, "it was never given away"


@on_loop
async def test_who_is_held_up_at_each_renewal_lets_another_lead_in_the_end() -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        await until(lambda: "main" in one.keeper._others, "a look at the other one")
        passed_ns = 0

        async def held_up(boot_id: str) -> None:
            nonlocal passed_ns
            await leases.renew(boot_id)  # so the others see it alive
            passed_ns += round((QUICK.call_s + 2 * QUICK.poll_s) * 1e9)
            raise RetryableError("seen: no answer in time")

        one.keeper._now_ns = lambda: time.monotonic_ns() + passed_ns
        store: Any = SimpleNamespace(renew=held_up, hand=leases.hand, view=leases.view)
        one.keeper._store = store
        await until(lambda: two.leads, "the one that is not held up")


@on_loop
async def test_whose_way_is_slow_keeps_its_account_where_nobody_else_could_lead() -> None:
    async with nodes("one") as ([one], leases, _):
        line = LateLine(leases)
        one.keeper._store = line  # type: ignore[assignment]
        line.late_s = QUICK.call_s + 0.1
        await until(lambda: not one.leads, "the end of the lease")
        line.late_s = 0.0
        await until(lambda: one.leads, "an answer in time")
        (claim,) = (await leases.view()).claims
        assert claim.turn == 1, "it was never given away"


@pytest.mark.parametrize("call", ["renew", "view"])
@on_loop
async def test_a_refusal_that_passes_within_a_lease_costs_nothing(call: str) -> None:
    leases = RefusingLeases()
    async with nodes("one", leases=leases) as ([one], _, _):
        leases.refused = call
        await until(lambda: leases.refusals > TRIES, "refusals")
        leases.refused = ""
        await asyncio.sleep(QUICK.ttl_s)
        assert one.leads
        assert (await leases.view()).claims[0].turn == 1, "it was never given away"


@on_loop
async def test_who_is_refused_until_its_lease_has_run_out_ends_and_is_no_twin() -> None:
    leases = RefusingLeases()
    async with nodes("one", "two", leases=leases) as ([one, _], _, _):
        leases.refused = "all"
        with pytest.raises(ConfigError, match="permission denied") as caught:
            await asyncio.wait_for(asyncio.shield(one.keeping), 30)
        assert not isinstance(caught.value, TwinError)
        assert not one.board.may_lead("main")
