"""Tries that failed: who is slowed down by them, and who never is."""

from __future__ import annotations

import pytest

from holdfast.platform.identity import sessions, throttle
from holdfast.platform.identity.values import Caller, Role, ThrottledError, UnauthenticatedError
from holdfast.platform.port import Change
from tests.support.identity import AFAR, ELSEWHERE, PASSWORD, WRONG, World, scenario


@scenario
async def test_guessing_is_slowed_down_and_who_is_attacked_still_gets_in(world: World) -> None:
    world.create("ana", Role.ADMIN)
    await world.guess("ana", times=4)
    waits = []
    for _ in range(4):
        await world.guess("ana")
        with pytest.raises(ThrottledError) as refused:
            await world.sign_in("ana", ELSEWHERE)
        waits.append(refused.value.retry_after_s)
        world.wait(refused.value.retry_after_s)
    assert waits == [1, 2, 4, 8]
    assert (await world.sign_in("ana")).principal.name == "ana"
    assert (await world.sign_in("ana", ELSEWHERE)).access_token
    await world.guess("ana")
    assert (await world.sign_in("ana", ELSEWHERE)).access_token


def attack(world: World, name: str, tries: int) -> None:
    """Failures for a name, each from another address."""

    def change(change: Change) -> None:
        for number in range(tries):
            throttle.failed(change, name, f"192.0.2.{number}", world.now_ns)

    world.store.change(change)


@scenario
async def test_who_is_attacked_from_everywhere_gets_in_from_where_he_was_let_in_lately(
    world: World,
) -> None:
    world.create("ana", Role.TRADER)
    world.create("ben", Role.TRADER)
    who = await world.signed_in("ana")
    await world.identity.sign_out(who)
    await world.sign_in("ben", ELSEWHERE)
    attack(world, "ana", 110)
    assert (await world.sign_in("ana")).principal.name == "ana"
    with pytest.raises(ThrottledError):  # ben's address is none of hers
        await world.sign_in("ana", ELSEWHERE)
    await world.guess("ana", AFAR, times=5)  # what is tried from her own address counts as before
    with pytest.raises(ThrottledError):
        await world.sign_in("ana")


@scenario
async def test_where_somebody_was_let_in_counts_for_a_month_from_his_last_use(
    world: World,
) -> None:
    world.create("ana", Role.TRADER)
    tokens = await world.sign_in("ana")
    for _ in range(4):
        world.wait(6 * 86_400)
        tokens = await world.identity.refresh(tokens.refresh_token, AFAR)
    world.wait(sessions.WHOLE_S - 1)
    attack(world, "ana", 110)
    tokens = await world.sign_in("ana")
    world.wait(sessions.WHOLE_S)
    attack(world, "ana", 110)
    with pytest.raises(ThrottledError):
        await world.sign_in("ana")


@scenario
async def test_who_is_signed_in_confirms_whatever_others_try_under_his_name(
    world: World,
) -> None:
    world.create("ana", Role.TRADER)
    who = await world.signed_in("ana")
    attack(world, "ana", 110)
    confirmed = await world.identity.confirm(who, PASSWORD, "", ELSEWHERE)
    assert confirmed.principal.confirmed(world.now_ns)
    await world.identity.change_password(confirmed.principal, PASSWORD, PASSWORD + "!", ELSEWHERE)


@scenario
async def test_who_stole_a_session_cannot_guess_from_ever_new_addresses(world: World) -> None:
    world.create("ana", Role.TRADER)
    stolen, other = await world.signed_in("ana"), await world.signed_in("ana")
    for number in range(30):
        with pytest.raises(UnauthenticatedError):
            await world.identity.confirm(stolen, WRONG, "", Caller(f"192.0.2.{number}", "tests"))
    with pytest.raises(ThrottledError):
        await world.identity.confirm(stolen, PASSWORD, "", Caller("192.0.2.99", "tests"))
    assert (await world.identity.confirm(other, PASSWORD, "", AFAR)).access_token
    world.wait(2)
    assert (await world.identity.confirm(stolen, PASSWORD, "", AFAR)).access_token


@scenario
async def test_an_address_that_tries_many_names_is_slowed_down(world: World) -> None:
    world.create("ana", Role.ADMIN)

    def fail(number: int) -> None:
        world.store.change(
            lambda c: throttle.failed(c, f"n{number}", ELSEWHERE.address, world.now_ns)
        )

    for number in range(30):
        fail(number)
    with pytest.raises(ThrottledError):
        await world.sign_in("ana", ELSEWHERE)
    with pytest.raises(ThrottledError):
        await world.identity.redeem_link("hfc_x", ELSEWHERE)
    await world.sign_in("ana")
    for number in range(60):
        fail(number)
    with pytest.raises(ThrottledError) as refused:
        await world.sign_in("ana", ELSEWHERE)
    assert refused.value.retry_after_s == throttle.LONGEST_WAIT_S
    world.wait(throttle.FORGOTTEN_AFTER_S)
    await world.sign_in("ana", ELSEWHERE)


@scenario
async def test_throttling_holds_in_another_process_and_after_a_restart(world: World) -> None:
    world.create("ana", Role.ADMIN)
    await world.guess("ana", AFAR, times=5)
    with pytest.raises(ThrottledError):
        await world.process().sign_in("ana", PASSWORD, "", AFAR)
