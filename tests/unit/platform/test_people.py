"""Users as they are managed, and who may do so."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.domain.platform import SessionEnded, UserChanged, UserCreated
from holdfast.platform.identity.values import (
    AbsentError,
    ForbiddenError,
    Grant,
    Principal,
    Role,
    Scope,
    TakenError,
    ThrottledError,
    UnauthenticatedError,
    UnsuitableError,
    User,
)
from tests.support.identity import AFAR, HERE, PASSWORD, WRONG, World, refused_for, scenario

NEW = "nine brave umbrellas"


@scenario
async def test_an_admin_invites_a_user_who_sets_his_own_password(world: World) -> None:
    world.create("root", Role.ADMIN)
    root = await world.confirmed("root")
    invitation = await world.identity.create_user(
        root, "Ben@example.com", Role.TRADER, [Grant("main"), Grant("alt", "cross")]
    )
    assert (invitation.user.name, invitation.user.has_password) == ("ben@example.com", False)
    tokens = await world.identity.accept_invitation(invitation.code, PASSWORD, AFAR)
    assert tokens.principal.grants == (Grant("alt", "cross"), Grant("main"))
    assert tokens.principal.accounts == frozenset({"main", "alt"})
    assert [user.name for user in await world.identity.users(root)] == ["ben@example.com", "root"]
    created = world.facts(UserCreated)[-1]
    assert isinstance(created, UserCreated)
    assert (created.by, created.name, created.role) == ("user:root", "ben@example.com", "trader")


@scenario
async def test_nobody_else_manages_users_and_an_admin_only_when_he_confirmed(
    world: World,
) -> None:
    root_id = world.create("root", Role.ADMIN)
    ana_id = world.create("ana", Role.TRADER)
    made = await world.identity.create_token(
        await world.confirmed("root"), "x", [Scope.ADMIN, Scope.RISK]
    )
    who: list[tuple[Principal, str]] = [
        (await world.confirmed("ana"), "scope"),
        (await world.signed_in("root"), "step_up_required"),
        (await world.identity.authenticate(made.secret), "session_required"),
    ]
    identity = world.identity
    for principal, code in who:
        for attempt in (
            identity.create_user(principal, "eve", Role.ADMIN),
            identity.invite(principal, root_id),
            identity.change_user(principal, ana_id, role=Role.ADMIN),
            identity.change_user(principal, root_id, disabled=True),
            identity.change_user(principal, ana_id, grants=[Grant("main")]),
            identity.change_user(principal, root_id, reset_totp=True),
        ):
            with refused_for(code, ForbiddenError):
                await attempt
    ana = who[0][0]
    for attempt2 in (identity.users(ana), identity.user(ana, root_id),
                     identity.sessions(ana, root_id), identity.tokens(ana, root_id)):  # fmt: skip
        with pytest.raises(ForbiddenError):
            await attempt2
    assert (await identity.user(ana)).user_id == ana_id
    assert [user.role for user in world.console.users()] == [Role.TRADER, Role.ADMIN]


@scenario
async def test_what_a_user_may_do_changes_at_once_and_in_every_process(world: World) -> None:
    world.create("root", Role.ADMIN)
    ana_id = world.create("ana", Role.TRADER, Grant("main"))
    token = (await world.sign_in("ana")).access_token
    elsewhere = world.process()
    await elsewhere.authenticate(token)
    changed = await world.identity.change_user(
        await world.confirmed("root"), ana_id, role=Role.VIEWER, grants=[Grant("alt")]
    )
    assert isinstance(changed, User)
    await elsewhere.news()
    for process in (world.identity, elsewhere):
        who = await process.authenticate(token)
        assert (who.role, who.grants, who.scopes) == (
            Role.VIEWER, (Grant("alt"),), frozenset({Scope.READ})
        )  # fmt: skip
        assert not who.owns("main")
    whats = [fact.what for fact in world.facts(UserChanged) if fact.user_id == ana_id]  # type: ignore[union-attr]
    assert whats == ["grants", "password", "grants", "role"]


@scenario
async def test_it_is_heard_in_every_process_that_somebody_lost_something(world: World) -> None:
    world.create("root", Role.ADMIN)
    ana_id = world.create("ana", Role.TRADER)
    elsewhere = world.process()

    async def heard() -> int:
        await elsewhere.news()
        return await elsewhere.losses()

    numbers = [await heard()]
    root = await world.confirmed("root")
    who = await world.confirmed("ana")
    made = await world.identity.create_token(who, "bot", [Scope.READ])
    assert await heard() == numbers[0], "sign-ins and tokens that were made take nothing away"
    await world.identity.sign_out(await world.signed_in("ana"))
    numbers.append(await heard())
    await world.identity.revoke_token(who, made.token.token_id)
    numbers.append(await heard())
    await world.identity.change_user(root, ana_id, role=Role.VIEWER)
    numbers.append(await heard())
    assert numbers == sorted(set(numbers)), "each was heard"


@scenario
async def test_who_is_disabled_is_out_at_once_and_comes_back_only_by_signing_in(
    world: World,
) -> None:
    world.create("root", Role.ADMIN)
    ana_id = world.create("ana", Role.TRADER)
    tokens = await world.sign_in("ana")
    root = await world.confirmed("root")
    await world.identity.change_user(root, ana_id, disabled=True)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(tokens.access_token)
    with pytest.raises(UnauthenticatedError):
        await world.identity.refresh(tokens.refresh_token, AFAR)
    with refused_for("wrong_credentials"):
        await world.sign_in("ana")
    with pytest.raises(UnsuitableError):
        await world.identity.invite(root, ana_id)
    await world.identity.change_user(root, ana_id, disabled=False)
    with pytest.raises(UnauthenticatedError):
        await world.identity.refresh(tokens.refresh_token, AFAR)
    await world.sign_in("ana")
    assert [fact.why for fact in world.facts(SessionEnded)] == ["disabled"]  # type: ignore[union-attr]


@scenario
async def test_the_last_admin_stays_one_even_when_two_depose_each_other_at_once(
    world: World,
) -> None:
    root_id = world.create("root", Role.ADMIN)
    root = await world.confirmed("root")
    for attempt in (
        world.identity.change_user(root, root_id, role=Role.VIEWER),
        world.identity.change_user(root, root_id, disabled=True),
    ):
        with refused_for("last_admin", ForbiddenError):
            await attempt
    ana_id = world.create("ana", Role.ADMIN)
    answers = await asyncio.gather(
        world.process().change_user(root, ana_id, disabled=True),
        world.process().change_user(await world.confirmed("ana"), root_id, role=Role.TRADER),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["ForbiddenError", "User"]


@scenario
async def test_names_and_grants_that_cannot_be_are_refused(world: World) -> None:
    world.create("root", Role.ADMIN)
    root = await world.confirmed("root")
    with pytest.raises(TakenError):
        await world.identity.create_user(root, " ROOT ", Role.VIEWER)
    for name in ("", "a", "two words", "a;b", "<b>", "an\na", "ü", "@x", "x" * 300, "\ud800"):
        with pytest.raises(UnsuitableError) as refused:
            await world.identity.create_user(root, name, Role.VIEWER)
        assert refused.value.field == "name"
    for grant in (Grant("@platform"), Grant(""), Grant("main", "a b"), Grant("x" * 40)):
        with pytest.raises(UnsuitableError) as refused:
            await world.identity.create_user(root, "ben", Role.VIEWER, [grant])
        assert refused.value.field == "grants"
    assert len(world.console.users()) == 1
    with pytest.raises(AbsentError):
        await world.identity.change_user(root, "' OR 1=1", disabled=True)
    with pytest.raises(AbsentError):
        await world.identity.user(root, "nobody")


@scenario
async def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(
    world: World,
) -> None:
    world.create("ana", Role.VIEWER)
    mine, other = await world.sign_in("ana"), await world.sign_in("ana")
    with pytest.raises(UnauthenticatedError):
        await world.identity.change_password(mine.principal, WRONG, NEW, AFAR)
    for unsuitable in ("short", "a" * 20, "this is ana herself" * 20, "x" * 300):
        with pytest.raises(UnsuitableError):
            await world.identity.change_password(mine.principal, PASSWORD, unsuitable, AFAR)
    await world.identity.change_password(mine.principal, PASSWORD, NEW, AFAR)
    await world.identity.authenticate(mine.access_token)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(other.access_token)
    with pytest.raises(UnauthenticatedError):
        await world.sign_in("ana")
    await world.identity.sign_in("ana", NEW, "", AFAR)


@scenario
async def test_a_second_factor_is_asked_for_and_each_code_is_good_once(world: World) -> None:
    world.create("ana", Role.TRADER)
    who = await world.confirmed("ana")
    with pytest.raises(ForbiddenError):
        await world.identity.begin_totp(await world.signed_in("ana"))
    offer = await world.identity.begin_totp(who)
    assert offer.secret in offer.uri
    await world.sign_in("ana")  # it does not count yet
    with pytest.raises(UnauthenticatedError):
        await world.identity.enable_totp(who, "000000")
    await world.identity.enable_totp(who, world.code(offer.secret))
    with refused_for("totp_required"):
        await world.sign_in("ana")
    with pytest.raises(UnauthenticatedError):  # the code that enabled it
        await world.identity.sign_in("ana", PASSWORD, world.code(offer.secret), AFAR)
    world.wait(30)
    code = world.code(offer.secret)
    tokens = await world.identity.sign_in("ana", PASSWORD, f"{code[:3]} {code[3:]}", AFAR)
    with pytest.raises(UnauthenticatedError):
        await world.identity.sign_in("ana", PASSWORD, code, AFAR)
    with pytest.raises(UnauthenticatedError):  # with it the password alone confirms nothing
        await world.identity.confirm(tokens.principal, PASSWORD, "", AFAR)
    world.wait(30)
    confirmed = await world.identity.confirm(
        tokens.principal, "", world.code(offer.secret), AFAR
    )
    assert confirmed.principal.confirmed(world.now_ns)
    await world.identity.disable_totp(confirmed.principal)
    await world.sign_in("ana")


@scenario
async def test_a_wrong_password_never_says_whether_there_is_a_second_factor(
    world: World,
) -> None:
    world.create("ana", Role.TRADER)
    who = await world.confirmed("ana")
    offer = await world.identity.begin_totp(who)
    await world.identity.enable_totp(who, world.code(offer.secret))
    world.wait(30)
    for code in ("", world.code(offer.secret)):
        with refused_for("wrong_credentials"):
            await world.identity.sign_in("ana", WRONG, code, AFAR)


@scenario
async def test_codes_cannot_be_guessed_with_a_password_that_leaked(world: World) -> None:
    world.create("ana", Role.TRADER)
    who = await world.confirmed("ana")
    offer = await world.identity.begin_totp(who)
    await world.identity.enable_totp(who, world.code(offer.secret))
    refused = []
    for _ in range(8):
        with pytest.raises((UnauthenticatedError, ThrottledError)) as error:
            await world.identity.sign_in("ana", PASSWORD, "123456", AFAR)
        refused.append(type(error.value))
    assert refused == [UnauthenticatedError] * 5 + [ThrottledError] * 3


@scenario
async def test_codes_of_about_now_are_taken_and_no_others(world: World) -> None:
    world.create("ana", Role.TRADER)
    who = await world.confirmed("ana")
    offer = await world.identity.begin_totp(who)
    for late_s in (-90, 90, 3600):
        world.wait(-late_s)
        code = world.code(offer.secret)
        world.wait(late_s)
        with pytest.raises(UnauthenticatedError):
            await world.identity.enable_totp(who, code)
    world.wait(-30)
    code = world.code(offer.secret)
    world.wait(30)
    await world.identity.enable_totp(who, code)


@scenario
async def test_sessions_are_listed_and_revoked_one_s_own_and_by_an_admin(world: World) -> None:
    world.create("root", Role.ADMIN)
    ana_id = world.create("ana", Role.VIEWER)
    world.create("ben", Role.VIEWER)
    first, second = await world.sign_in("ana"), await world.sign_in("ana", HERE)
    listed = await world.identity.sessions(first.principal)
    assert {one.address for one in listed} == {AFAR.address, HERE.address}
    with pytest.raises(AbsentError):
        await world.identity.revoke_session(
            await world.signed_in("ben"), second.principal.session_id
        )
    await world.identity.revoke_session(first.principal, second.principal.session_id)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(second.access_token)
    with pytest.raises(AbsentError):
        await world.identity.revoke_session(first.principal, second.principal.session_id)
    root = await world.signed_in("root")
    assert len(await world.identity.sessions(root, ana_id)) == 1
    await world.identity.revoke_session(root, first.principal.session_id)
    with pytest.raises(UnauthenticatedError):
        await world.identity.refresh(first.refresh_token, AFAR)


@pytest.mark.parametrize(
    ("grants", "account", "bot", "owned"),
    [
        ([Grant("main")], "main", "", True),
        ([Grant("main")], "main", "cross", True),
        ([Grant("main", "cross")], "main", "cross", True),
        ([Grant("main", "cross")], "main", "", False),
        ([Grant("main", "cross")], "main", "other", False),
        ([Grant("main")], "alt", "", False),
        ([], "main", "cross", False),
    ],
)
def test_who_has_a_bot_has_neither_its_neighbours_nor_the_account(
    grants: list[Grant], account: str, bot: str, owned: bool
) -> None:
    who = Principal(
        user_id="u", name="ana", role=Role.TRADER, scopes=Role.TRADER.scopes, grants=tuple(grants)
    )
    assert who.owns(account, bot) is owned


def test_each_role_may_do_what_the_ones_before_may() -> None:
    assert Role.VIEWER.scopes < Role.TRADER.scopes < Role.ADMIN.scopes == frozenset(Scope)
