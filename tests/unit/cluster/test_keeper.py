"""The keeper: what it wants of a node's accounts, with others beside it, and who may take part.

Not here: who should lead (test_election), what it does when this node cannot (test_keeper_cut_off,
test_keeper_unfit) or its store does not answer (test_keeper_store), stores (test_lease_contract).
"""

from __future__ import annotations

import asyncio
import time

import pytest

from holdfast.cluster.board import LocalBoard, State, Wanted
from holdfast.cluster.keeper import Keeper
from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import ANY, ForgottenError, Member, TwinError
from holdfast.errors import ConfigError
from tests.support.exchange import on_loop
from tests.support.keepers import QUICK, OneNode, nodes
from tests.support.leases import member
from tests.support.waiting import until


class ClosedLeases(MemoryLeases):
    """Leases whose store lets nobody in."""

    async def join(self, member: Member) -> None:
        raise ConfigError(f"seen: {member.node} is refused; expected: another password")


@on_loop
async def test_a_node_alone_leads_what_is_nobody_s_as_soon_as_it_is_warm() -> None:
    async with nodes("one") as ([one], leases, _):
        view = await leases.view()
        assert [(claim.account, claim.boot_id) for claim in view.claims] == [("main", "one")]
        assert one.leads


@on_loop
async def test_an_account_that_is_not_warm_is_not_taken() -> None:
    leases, board = MemoryLeases(), LocalBoard(time.monotonic_ns)
    keeper = Keeper(
        store=leases, member=member("cold"), timing=QUICK, board=board, now_ns=time.monotonic_ns,
        is_gone=lambda _: False,
    )  # fmt: skip
    keeping = asyncio.create_task(keeper.run())
    await asyncio.sleep(10 * QUICK.poll_s)
    assert [claim.boot_id for claim in (await leases.view()).claims] == [""]
    board.tell("main", State.FOLLOWING)
    await until(lambda: board.wanted("main") is Wanted.LEAD, "it is warm now")
    keeping.cancel()


@on_loop
async def test_the_second_goes_on_when_the_first_vanishes_and_at_once_when_that_is_proven() -> None:
    for proven in (False, True):
        async with nodes("one", "two") as ([one, two], _, gone):
            await one.vanish()
            began_s = time.monotonic()
            if proven:
                gone.add("one")
            await until(lambda: two.leads, "the second leads")
            took_s = time.monotonic() - began_s
            assert took_s >= (0 if proven else QUICK.ttl_s - QUICK.renew_s)


@on_loop
async def test_a_plan_moves_an_account_while_its_leader_lives() -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        assert await leases.plan("main", "two")
        await until(lambda: two.leads, "the second leads")
        assert not one.leads
        assert one.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_who_is_told_to_stop_hands_over_first_and_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with nodes("one", "two") as ([one, two], leases, _):
        one.keeper.stop()
        await one.keeping
        assert "deposed" not in caplog.text, "it was planned"
        await until(lambda: two.leads, "the second leads")
        assert [seen.member.boot_id for seen in (await leases.view()).members] == ["two"]


@pytest.mark.parametrize("lacks", ["process", "key"])
@on_loop
async def test_who_stops_leaves_its_account_to_who_is_warm_whoever_comes_next(lacks: str) -> None:
    async with nodes("a", "b", "c") as ([a, b, c], leases, _):
        b.obeying.cancel()
        if lacks == "process":
            b.board.tell("main", State.DOWN)
        else:
            b.board.key("main", is_taken=False)
        await until(lambda: len(c.keeper._live) == 3, "the third has seen all")
        began_s = time.monotonic()
        a.keeper.stop()
        await until(lambda: c.leads, "the third leads")
        assert time.monotonic() - began_s < QUICK.ttl_s / 2
        assert (await leases.view()).claims[0].turn == 3, "nobody had it in between"


@on_loop
async def test_a_plan_for_a_version_moves_an_account_to_one_of_its_nodes_that_is_warm() -> None:
    async with nodes("a", "b", "c", "d") as (made, leases, _):
        made[1].board.tell("main", State.DOWN)
        await until(lambda: len(made[2].keeper._live) == 4, "it has seen all")
        await leases.plan("main", ANY + "9.9.9")
        await asyncio.sleep(QUICK.ttl_s / 2)
        assert made[0].leads, "nobody is of that version"
        await leases.plan("main", ANY + made[0].member.version)
        await until(lambda: made[2].leads or made[3].leads, "one that is warm")


@on_loop
async def test_a_member_that_was_forgotten_ends_what_it_leads() -> None:
    async with nodes("one") as ([one], leases, _):
        await leases.leave("one")
        with pytest.raises(ForgottenError):
            await one.keeping
        assert not one.board.may_lead("main")
        assert one.board.wanted("main") is Wanted.FOLLOW


@on_loop
async def test_a_second_node_of_the_same_name_is_refused() -> None:
    async with nodes("one") as (_, leases, _):
        # Who has renewed less often is told; at the same pace on a busy machine that may be either.
        while (await leases.view()).members[0].renewals < 100:
            await asyncio.sleep(QUICK.renew_s)
        twin = OneNode(leases, member("other", node="one", pid=2), set())
        with pytest.raises(TwinError, match="node one runs already"):
            await asyncio.wait_for(asyncio.shield(twin.keeping), 30)
        await twin.vanish()


@on_loop
async def test_who_is_not_let_in_ends_in_another_way_than_a_twin() -> None:
    node = OneNode(ClosedLeases(), member("one"), set())
    with pytest.raises(ConfigError, match="another password") as caught:
        await asyncio.wait_for(asyncio.shield(node.keeping), 30)
    assert not isinstance(caught.value, TwinError)
    await node.vanish()
