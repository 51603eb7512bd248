"""What every lease store promises (cluster.port), asked of each one that is shipped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.cluster.port import ANY, Claim, LeaseStore, Member, Seen, View
from holdfast.errors import ConfigError
from tests.support.leases import KINDS, member, new_leases

Scenario = Callable[[LeaseStore], Awaitable[None]]

A, B, C = member("a"), member("b", accounts=("main", "spare")), member("c", accounts=("spare",))


def scenario(test: Scenario) -> Callable[..., None]:
    """Run `test` against each store, in a loop of its own."""

    @pytest.mark.parametrize("kind", KINDS)
    def against(kind: str, tmp_path: Path) -> None:
        async def run() -> None:
            with ExitStack() as stack:
                store = new_leases(kind, tmp_path, stack)()
                try:
                    await test(store)
                finally:
                    await store.close()
                    await store.close()

        asyncio.run(run())

    against.__name__, against.__doc__ = test.__name__, test.__doc__
    return against


async def held(store: LeaseStore) -> dict[str, tuple[str, int]]:
    """Holder and turn by account."""
    return {claim.account: (claim.boot_id, claim.turn) for claim in (await store.view()).claims}


async def seen(store: LeaseStore, who: Member) -> Seen:
    view = await store.view()
    return next(one for one in view.members if one.member == who)


@scenario
async def test_an_empty_store_shows_nobody(store: LeaseStore) -> None:
    assert await store.view() == View((), ())
    assert await store.renew("nobody") is None


@scenario
async def test_what_waits_for_the_disk_changes_nothing(store: LeaseStore) -> None:
    await store.join(A)
    before = await store.view()
    await store.sync()
    assert await store.view() == before


@scenario
async def test_who_joins_is_shown_with_its_accounts_as_nobodys(store: LeaseStore) -> None:
    await store.join(B)
    await store.join(A)
    view = await store.view()
    assert [(s.member, s.renewals) for s in view.members] == [(A, 0), (B, 0)]
    assert view.claims == (Claim("main", "", 0), Claim("spare", "", 0))


@scenario
async def test_a_member_without_accounts_may_join(store: LeaseStore) -> None:
    lone = member("lone", accounts=())
    await store.join(lone)
    assert [s.member for s in (await store.view()).members] == [lone]
    assert await store.renew("lone") == ()


@scenario
async def test_joining_may_be_repeated_until_the_first_renewal(store: LeaseStore) -> None:
    await store.join(A)
    await store.join(A)
    await store.renew("a")
    with pytest.raises(ConfigError, match="joins as a, which is there already"):
        await store.join(A)


@scenario
async def test_another_member_under_the_same_boot_id_is_refused(store: LeaseStore) -> None:
    await store.join(A)
    with pytest.raises(ConfigError, match="boot id that is new with each start"):
        await store.join(member("a", accounts=("other",)))
    assert [s.member for s in (await store.view()).members] == [A]
    assert await held(store) == {"main": ("", 0)}


@scenario
async def test_each_renewal_counts_and_shows_what_is_held(store: LeaseStore) -> None:
    await store.join(B)
    assert await store.renew("b") == ()
    await store.take("b", (await store.view()).claims, None)
    assert await store.renew("b") == (Claim("main", "b", 1), Claim("spare", "b", 1))
    assert (await seen(store, B)).renewals == 2


@scenario
async def test_what_is_nobodys_is_taken_once(store: LeaseStore) -> None:
    await store.join(A)
    await store.join(B)
    claims = (await store.view()).claims
    assert await store.take("a", claims[:1], None) == {"main"}
    assert await store.take("b", claims, None) == {"spare"}
    assert await held(store) == {"main": ("a", 1), "spare": ("b", 1)}


@scenario
async def test_a_member_that_has_renewed_since_is_not_robbed(store: LeaseStore) -> None:
    await store.join(A)
    await store.join(B)
    await store.take("a", (await store.view()).claims, None)
    before = await store.view()
    await store.renew("a")
    claims = tuple(c for c in before.claims if c.boot_id == "a")
    assert await store.take("b", claims, before.members[0]) == frozenset()
    assert await store.take("b", claims, await seen(store, A)) == {"main", "spare"}
    assert await held(store) == {"main": ("b", 2), "spare": ("b", 2)}
    assert await store.renew("a") == ()


@scenario
async def test_what_was_taken_from_one_is_not_taken_from_another(store: LeaseStore) -> None:
    """A claim goes with the member that was watched, whatever a caller mixes up."""
    for one in (A, B, C):
        await store.join(one)
    await store.take("a", (await store.view()).claims, None)
    claims = (await store.view()).claims
    assert await store.take("b", claims, await seen(store, C)) == frozenset()
    assert await store.take("b", claims, None) == frozenset()


@scenario
async def test_a_claim_that_changed_hands_and_back_is_not_the_one_that_was_seen(
    store: LeaseStore,
) -> None:
    await store.join(A)
    await store.join(B)
    await store.take("a", (await store.view()).claims[:1], None)
    old = (await store.view()).claims[0]
    assert await store.hand(old, "b")
    assert await store.hand(Claim("main", "b", 2), "a")
    assert not await store.hand(old, "b")
    assert await store.take("b", (old,), await seen(store, A)) == frozenset()
    assert (await held(store))["main"] == ("a", 3)


@scenario
async def test_who_is_not_there_takes_nothing(store: LeaseStore) -> None:
    await store.join(A)
    assert await store.take("ghost", (await store.view()).claims, None) == frozenset()
    assert await held(store) == {"main": ("", 0)}


@scenario
async def test_an_account_is_handed_to_a_member_or_to_nobody(store: LeaseStore) -> None:
    for one in (A, B, C):
        await store.join(one)
    await store.take("a", (await store.view()).claims[:1], None)
    claim = (await store.view()).claims[0]
    assert not await store.hand(claim, "ghost")
    assert not await store.hand(claim, "c")  # it may not lead that account
    assert not await store.hand(Claim("main", "b", claim.turn), "")
    assert not await store.hand(Claim("unheard", "a", 1), "b")
    assert await store.hand(claim, "b")
    assert await store.hand(Claim("main", "b", 2), "")
    assert (await held(store))["main"] == ("", 3)


@scenario
async def test_a_plan_stands_until_its_member_leads(store: LeaseStore) -> None:
    for one in (A, B, C):
        await store.join(one)
    await store.take("a", (await store.view()).claims[:1], None)
    assert not await store.plan("main", "ghost")
    assert not await store.plan("main", "c")
    assert not await store.plan("unheard", "b")
    assert await store.plan("main", "b")
    claim = (await store.view()).claims[0]
    assert claim == Claim("main", "a", 1, wanted="b")
    assert await store.renew("a") == (claim,)
    assert await store.hand(claim, "b")
    assert (await store.view()).claims[0] == Claim("main", "b", 2)


@scenario
async def test_a_plan_survives_its_holder_and_can_be_called_off(store: LeaseStore) -> None:
    await store.join(A)
    await store.join(B)
    await store.take("a", (await store.view()).claims[:1], None)
    await store.plan("main", "b")
    await store.leave("a")
    assert (await store.view()).claims[0] == Claim("main", "", 2, wanted="b")
    assert await store.plan("main", "")
    assert (await store.view()).claims[0] == Claim("main", "", 2)


@scenario
async def test_a_plan_for_the_holder_itself_calls_off(store: LeaseStore) -> None:
    await store.join(A)
    await store.join(B)
    await store.take("a", (await store.view()).claims[:1], None)
    await store.plan("main", "b")
    assert await store.plan("main", "a")
    assert (await store.view()).claims[0] == Claim("main", "a", 1)


@scenario
async def test_a_plan_that_is_another_one_by_now_is_left_alone(store: LeaseStore) -> None:
    for one in (A, B, member("d")):
        await store.join(one)
    await store.take("a", (await store.view()).claims[:1], None)
    assert not await store.plan("main", "b", instead_of="d")
    assert await store.plan("main", "b", instead_of="")
    assert await store.plan("main", "d", instead_of="b")
    assert not await store.plan("main", "", instead_of="b")
    assert (await store.view()).claims[0] == Claim("main", "a", 1, wanted="d")
    assert await store.plan("main", "", instead_of="d")
    assert (await store.view()).claims[0] == Claim("main", "a", 1)


@scenario
async def test_a_plan_for_anybody_stands_until_somebody_is_given_the_account(
    store: LeaseStore,
) -> None:
    for one in (A, B):
        await store.join(one)
    await store.take("a", (await store.view()).claims[:1], None)
    for wanted in (ANY, ANY + "0.2.0"):
        assert await store.plan("main", wanted, instead_of="")
        assert not await store.plan("unheard", wanted)
        claim = (await store.view()).claims[0]
        assert claim.wanted == wanted
        assert not await store.hand(claim, wanted)
        assert await store.plan("main", "b", instead_of=wanted)
        assert not await store.plan("main", "a", instead_of=wanted), "another was quicker"
        assert await store.plan("main", wanted)
        assert await store.hand(claim, "")
        claim = (await store.view()).claims[0]
        assert claim.wanted == wanted
        assert await store.take("a", (claim,), None) == {"main"}
        assert (await store.view()).claims[0] == Claim("main", "a", claim.turn + 1)


@scenario
async def test_who_leaves_gives_back_what_it_holds_and_is_planned_for_nothing(
    store: LeaseStore,
) -> None:
    await store.join(A)
    await store.join(B)
    await store.take("b", (await store.view()).claims[1:], None)
    await store.plan("main", "b")
    await store.leave("b")
    await store.leave("b")
    assert (await store.view()).claims == (Claim("main", "", 0), Claim("spare", "", 2))
    assert await store.renew("b") is None
    assert [s.member for s in (await store.view()).members] == [A]


@scenario
async def test_only_who_holds_nothing_and_stood_still_is_forgotten(store: LeaseStore) -> None:
    await store.join(A)
    await store.join(B)
    await store.take("a", (await store.view()).claims[:1], None)
    await store.plan("main", "b")
    await store.forget(await seen(store, A))  # it holds an account
    watched = await seen(store, B)
    await store.renew("b")
    await store.forget(watched)  # it has renewed
    assert [s.member for s in (await store.view()).members] == [A, B]
    await store.forget(await seen(store, B))
    await store.forget(watched)
    assert [s.member for s in (await store.view()).members] == [A]
    assert (await store.view()).claims[0] == Claim("main", "a", 1)


@scenario
async def test_claims_of_a_member_that_is_no_more_are_anybodys(store: LeaseStore) -> None:
    """Such a row is written by hand, or by a restored backup; the election waits before it."""
    await store.join(A)
    await store.join(B)
    await store.take("a", (await store.view()).claims[:1], None)
    claim, watched = (await store.view()).claims[0], await seen(store, A)
    await store.leave("a")
    assert await store.take("b", (claim,), watched) == frozenset()
    assert await store.take("b", (claim,), None) == frozenset()  # it is not what it was
    assert await store.take("b", (Claim("main", "", 2),), None) == {"main"}


# -- races that others lost ------------------------------------------------------------------------


def contest(test: Callable[[Callable[[], LeaseStore]], Awaitable[None]]) -> Callable[..., None]:
    """Run `test` against each store, with as many openings of it as the test asks for."""

    @pytest.mark.parametrize("kind", KINDS)
    def against(kind: str, tmp_path: Path) -> None:
        async def run() -> None:
            opened: list[LeaseStore] = []
            with ExitStack() as stack:
                make = new_leases(kind, tmp_path, stack)

                def another() -> LeaseStore:
                    opened.append(make())
                    return opened[-1]

                try:
                    await test(another)
                finally:
                    for store in opened:
                        await store.close()

        asyncio.run(run())

    against.__name__, against.__doc__ = test.__name__, test.__doc__
    return against


@contest
async def test_a_renewal_never_prolongs_what_another_has_taken(
    another: Callable[[], LeaseStore],
) -> None:
    """Acceptance 2, row 1: look, then renew, and between the two somebody else took it."""
    one, other = another(), another()
    await one.join(A)
    await other.join(B)
    await one.take("a", (await one.view()).claims[:1], None)
    assert [c.account for c in (await one.view()).claims if c.boot_id == "a"] == ["main"]
    view = await other.view()
    await other.take("b", view.claims[:1], await seen(other, A))
    assert await one.renew("a") == ()
    assert (await held(other))["main"] == ("b", 2)


@contest
async def test_who_fails_removes_nothing_that_is_anothers(
    another: Callable[[], LeaseStore],
) -> None:
    """Acceptance 2, row 2: giving up on an error must not free what another leads by now."""
    one, other = another(), another()
    await one.join(A)
    await other.join(B)
    await one.take("a", (await one.view()).claims[:1], None)
    mine = (await one.view()).claims[0]
    await other.take("b", (mine,), await seen(other, A))
    assert not await one.hand(mine, "")
    await one.leave("a")
    assert (await held(other))["main"] == ("b", 2)


@contest
async def test_a_leader_that_was_paused_learns_from_its_next_renewal(
    another: Callable[[], LeaseStore],
) -> None:
    """Acceptance 2, row 3: it wakes, and what it held has a turn that is not its own."""
    one, other = another(), another()
    await one.join(A)
    await one.take("a", (await one.view()).claims, None)
    await other.join(B)
    watched = await seen(other, A)
    claims = tuple(c for c in (await other.view()).claims if c.boot_id == "a")
    assert await other.take("b", claims, watched) == {"main"}
    assert await one.renew("a") == ()
    assert await one.take("a", claims, None) == frozenset()


@contest
async def test_a_restart_does_not_go_on_with_what_it_led(
    another: Callable[[], LeaseStore],
) -> None:
    """Acceptance 2, row 4: the same node, started again, holds nothing until it took it anew."""
    one = another()
    await one.join(A)
    await one.take("a", (await one.view()).claims, None)
    again = another()
    with pytest.raises(ConfigError):
        await again.join(member("a", pid=2))
    await again.join(member("a2", node="a"))
    assert await again.renew("a2") == ()
    assert (await held(again))["main"] == ("a", 1)


@contest
async def test_of_many_that_take_at_once_one_gains(another: Callable[[], LeaseStore]) -> None:
    stores = [another() for _ in range(4)]
    names = [f"n{number}" for number in range(4)]
    for store, name in zip(stores, names, strict=True):
        await store.join(member(name))
    for turn in range(5):
        view = await stores[0].view()
        of = next((s for s in view.members if s.member.boot_id == view.claims[0].boot_id), None)
        taking = [s.take(n, view.claims, of) for s, n in zip(stores, names, strict=True)]
        taken = await asyncio.gather(*taking)
        assert sorted(map(len, taken)) == [0, 0, 0, 1]
        assert (await stores[0].view()).claims[0].turn == turn + 1


@contest
async def test_renewals_at_once_are_all_counted(another: Callable[[], LeaseStore]) -> None:
    stores = [another() for _ in range(3)]
    await stores[0].join(A)
    await asyncio.gather(*(store.renew("a") for store in stores for _ in range(5)))
    assert (await seen(stores[0], A)).renewals == 15


@contest
async def test_taking_and_renewing_at_once_end_in_one_of_two_ways(
    another: Callable[[], LeaseStore],
) -> None:
    """Who renews in the same moment keeps it and is told so, or loses it and is told that."""
    one, other = another(), another()
    await one.join(A)
    await other.join(B)
    await one.take("a", (await one.view()).claims[:1], None)
    for _ in range(10):
        view = await other.view()
        claim = view.claims[0]
        renewed, taken = await asyncio.gather(
            one.renew("a"), other.take("b", (claim,), await seen(other, A))
        )
        assert renewed is not None
        if taken:
            assert (await held(one))["main"] == ("b", claim.turn + 1)
            assert await one.renew("a") == ()
            assert await other.hand(Claim("main", "b", claim.turn + 1), "a")
        else:
            assert renewed == (claim,)
