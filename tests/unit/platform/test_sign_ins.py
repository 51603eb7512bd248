"""Proofs of who somebody is: what lets in, and what never does."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.domain.platform import SessionEnded, SignedIn, SignInFailed, StepUpConfirmed
from holdfast.journal.verify import verify
from holdfast.platform.identity import sessions, throttle
from holdfast.platform.identity.values import (
    ForbiddenError,
    Grant,
    Invitation,
    Role,
    Scope,
    ThrottledError,
    UnauthenticatedError,
    UnsuitableError,
)
from tests.support.identity import (
    AFAR,
    ELSEWHERE,
    HERE,
    PASSWORD,
    WRONG,
    World,
    refused_for,
    scenario,
)

HOSTILE = (
    "", " ", "' OR 1=1 --", "<script>alert(1)</script>", "ana\x00", "\ud800", "%", "_",
    "x" * 100_000, "ＡＮＡ", "ana; DROP TABLE platform_user",
)  # fmt: skip


@scenario
async def test_who_has_the_password_is_let_in_and_is_who_he_is(world: World) -> None:
    user_id = world.create("Ana@Example.com", Role.TRADER, Grant("main"))
    tokens = await world.identity.sign_in(" ana@EXAMPLE.com ", PASSWORD, "", AFAR)
    who = await world.identity.authenticate(tokens.access_token)
    assert who == tokens.principal
    assert (who.user_id, who.name, who.role) == (user_id, "ana@example.com", Role.TRADER)
    assert who.scopes == {Scope.READ, Scope.RESEARCH, Scope.TRADE, Scope.RISK}
    assert who.accounts == frozenset({"main"})
    assert who.actor == "user:ana@example.com"
    assert not who.confirmed(world.now_ns)
    assert (tokens.expires_in_s, tokens.refresh_expires_in_s) == (300, 7 * 86_400)
    (fact,) = world.facts(SignedIn)
    assert fact == SignedIn(
        by="user:ana@example.com", user_id=user_id, session_id=who.session_id, method="password",
        address=AFAR.address,
    )  # fmt: skip


@scenario
async def test_nobody_is_let_in_by_a_wrong_password_and_no_name_is_told_apart(
    world: World,
) -> None:
    world.create("ana", Role.ADMIN)
    world.console.create("invited", Role.ADMIN)
    for name in ("ana", "nobody", "invited", *HOSTILE):
        with pytest.raises(UnauthenticatedError) as refused:
            await world.identity.sign_in(name, WRONG, "", ELSEWHERE)
        world.wait(throttle.FORGOTTEN_AFTER_S)
        assert refused.value.code == "wrong_credentials"
        assert WRONG not in str(refused.value)
    facts = world.facts(SignInFailed)
    assert {fact.by for fact in facts} == {"user:ana", "user:invited", "somebody"}
    assert "nobody" not in repr(facts)


@scenario
async def test_hostile_passwords_codes_and_tokens_let_nobody_in(world: World) -> None:
    world.create("ana", Role.ADMIN)
    for text in HOSTILE[:4]:
        with pytest.raises((UnauthenticatedError, ThrottledError)):
            await world.identity.sign_in("ana", text, text, AFAR)
    for text in HOSTILE:
        with pytest.raises(UnauthenticatedError):
            await world.identity.authenticate(text)
        with pytest.raises(UnauthenticatedError):
            await world.identity.authenticate(f"hf_{text}")
        with pytest.raises(UnauthenticatedError):
            await world.identity.refresh(text, AFAR)
    for text in HOSTILE[:9]:
        with pytest.raises((UnauthenticatedError, ThrottledError)):
            await world.identity.redeem_link(text, HERE)
    assert world.facts(SignedIn) == []
    assert verify(world.database).ok


@scenario
async def test_a_refresh_token_is_good_once_and_the_session_goes_on(world: World) -> None:
    world.create("ana", Role.ADMIN)
    tokens = await world.sign_in("ana")
    for _ in range(3):
        world.wait(290)
        tokens = await world.identity.refresh(tokens.refresh_token, ELSEWHERE)
        who = await world.identity.authenticate(tokens.access_token)
        assert who.session_id == tokens.principal.session_id
    (session,) = await world.identity.sessions(tokens.principal)
    assert (session.last_used_ns, session.address) == (world.now_ns, AFAR.address)


@scenario
async def test_a_refresh_token_that_is_used_twice_ends_the_session_for_both(
    world: World,
) -> None:
    world.create("ana", Role.ADMIN)
    stolen = (await world.sign_in("ana")).refresh_token
    other = await world.sign_in("ana")
    mine = await world.identity.refresh(stolen, AFAR)
    world.wait(60)
    with refused_for("reuse"):
        await world.identity.refresh(stolen, ELSEWHERE)
    with refused_for("revoked"):
        await world.identity.refresh(mine.refresh_token, AFAR)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(mine.access_token)
    (fact,) = world.facts(SessionEnded)
    assert isinstance(fact, SessionEnded)
    assert (fact.why, fact.session_id) == ("reuse", mine.principal.session_id)
    await world.identity.authenticate(other.access_token)


@scenario
async def test_an_answer_that_was_lost_may_be_asked_for_again_within_seconds(
    world: World,
) -> None:
    world.create("ana", Role.ADMIN)
    token = (await world.sign_in("ana")).refresh_token
    lost = await world.identity.refresh(token, AFAR)
    world.wait(sessions.LOST_ANSWER_S - 1)
    again = await world.identity.refresh(token, AFAR)
    assert again.principal.session_id == lost.principal.session_id
    world.wait(60)
    await world.identity.refresh(again.refresh_token, AFAR)
    with refused_for("reuse"):  # who has it has read what was lost
        await world.identity.refresh(lost.refresh_token, ELSEWHERE)


@scenario
async def test_a_thief_within_those_seconds_is_found_out_as_well(world: World) -> None:
    world.create("ana", Role.ADMIN)
    stolen = (await world.sign_in("ana")).refresh_token
    mine = await world.identity.refresh(stolen, AFAR)
    world.wait(1)
    mine = await world.identity.refresh(mine.refresh_token, AFAR)
    with refused_for("reuse"):  # the answer had arrived
        await world.identity.refresh(stolen, ELSEWHERE)
    with pytest.raises(UnauthenticatedError):
        await world.identity.refresh(mine.refresh_token, AFAR)


@scenario
async def test_of_many_that_refresh_with_one_token_at_once_at_most_one_goes_on(
    world: World,
) -> None:
    world.create("ana", Role.ADMIN)
    token = (await world.sign_in("ana")).refresh_token
    processes = [world.process() for _ in range(4)]
    answers = await asyncio.gather(
        *(one.refresh(token, AFAR) for one in processes), return_exceptions=True
    )
    world.wait(60)
    good = 0
    for answer in answers:
        if not isinstance(answer, BaseException):
            try:
                await world.identity.refresh(answer.refresh_token, AFAR)
                good += 1
            except UnauthenticatedError:
                pass
    assert good <= 1


@scenario
async def test_a_session_ends_after_a_week_without_use_and_after_a_month_anyway(
    world: World,
) -> None:
    world.create("ana", Role.ADMIN)
    idle = await world.sign_in("ana")
    world.wait(sessions.IDLE_S)
    with refused_for("expired_token"):
        await world.identity.refresh(idle.refresh_token, AFAR)
    tokens = await world.sign_in("ana")
    for _ in range(5):
        world.wait(6 * 86_400 - 1)
        tokens = await world.identity.refresh(tokens.refresh_token, AFAR)
    assert tokens.refresh_expires_in_s == 5
    world.wait(5)
    with pytest.raises(UnauthenticatedError):
        await world.identity.refresh(tokens.refresh_token, AFAR)


@scenario
async def test_signing_out_ends_the_session_at_once_in_every_process(world: World) -> None:
    world.create("ana", Role.ADMIN)
    tokens = await world.sign_in("ana")
    other = world.process()
    who = await other.authenticate(tokens.access_token)
    await world.identity.sign_out(who)
    await world.identity.sign_out(who)
    with refused_for("revoked"):
        await world.identity.authenticate(tokens.access_token)
    await other.news()
    with pytest.raises(UnauthenticatedError):
        await other.authenticate(tokens.access_token)
    with pytest.raises(UnauthenticatedError):
        await world.identity.refresh(tokens.refresh_token, AFAR)


@scenario
async def test_what_adds_risk_needs_a_fresh_confirmation_that_ends(world: World) -> None:
    world.create("ana", Role.TRADER)
    before = await world.sign_in("ana")
    who = before.principal
    with pytest.raises(UnauthenticatedError):
        await world.identity.confirm(who, WRONG, "", AFAR)
    confirmed = await world.identity.confirm(who, PASSWORD, "", AFAR)
    assert confirmed.refresh_token == ""
    now = await world.identity.authenticate(confirmed.access_token)
    assert now.confirmed(world.now_ns)
    assert not (await world.identity.authenticate(before.access_token)).confirmed(world.now_ns)
    elsewhere = await world.process().authenticate(confirmed.access_token)
    assert elsewhere.confirmed(world.now_ns)
    after = await world.identity.refresh(before.refresh_token, AFAR)
    assert after.principal.confirmed(world.now_ns)
    world.wait(sessions.STEP_UP_S)
    assert not now.confirmed(world.now_ns)
    after = await world.identity.refresh(after.refresh_token, AFAR)
    assert not after.principal.confirmed(world.now_ns)
    assert [fact.by for fact in world.facts(StepUpConfirmed)] == ["user:ana"]


@scenario
async def test_a_viewer_s_confirmation_lets_him_do_nothing_more(world: World) -> None:
    world.create("vic", Role.VIEWER)
    who = await world.confirmed("vic")
    assert not who.confirmed(world.now_ns)
    assert who.scopes == {Scope.READ}


@scenario
async def test_a_one_time_link_is_good_once_here_and_soon(world: World) -> None:
    code = world.console.link("demo")
    with pytest.raises(UnauthenticatedError):
        await world.identity.redeem_link(code, AFAR)
    tokens = await world.identity.redeem_link(code, HERE)
    assert (tokens.principal.name, tokens.principal.role) == ("demo", Role.ADMIN)
    with refused_for("bad_code"):
        await world.identity.redeem_link(code, HERE)
    late = world.console.link("demo")
    world.wait(600)
    with pytest.raises(UnauthenticatedError):
        await world.identity.redeem_link(late, HERE)
    replaced, newest = world.console.link("demo"), world.console.link("demo")
    with pytest.raises(UnauthenticatedError):
        await world.identity.redeem_link(replaced, HERE)
    await world.identity.redeem_link(newest, HERE)
    assert len(world.console.users()) == 1


@scenario
async def test_of_many_that_bring_one_link_one_is_let_in(world: World) -> None:
    code = world.console.link("demo")
    answers = await asyncio.gather(
        *(world.process().redeem_link(code, HERE) for _ in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1


@scenario
async def test_who_has_no_secret_confirms_on_this_machine_only(world: World) -> None:
    who = (await world.identity.redeem_link(world.console.link("demo"), HERE)).principal
    with refused_for("sign_in_again", ForbiddenError):
        await world.identity.confirm(who, "", "", AFAR)
    confirmed = await world.identity.confirm(who, "", "", HERE)
    assert confirmed.principal.confirmed(world.now_ns)


@scenario
async def test_there_is_no_link_around_a_password(world: World) -> None:
    world.create("ana", Role.ADMIN)
    with pytest.raises(ForbiddenError):
        world.console.link("ana")


@scenario
async def test_an_invitation_sets_a_password_once(world: World) -> None:
    invitation = world.console.create("ben", Role.VIEWER)
    assert isinstance(invitation, Invitation)
    with pytest.raises(UnsuitableError):
        await world.identity.accept_invitation(invitation.code, "short", AFAR)
    tokens = await world.identity.accept_invitation(invitation.code, PASSWORD, AFAR)
    assert tokens.principal.name == "ben"
    await world.sign_in("ben")
    with pytest.raises(UnauthenticatedError):
        await world.identity.accept_invitation(invitation.code, PASSWORD, AFAR)
    with pytest.raises(UnauthenticatedError):  # a link is another thing
        await world.identity.redeem_link(world.console.invite("ben").code, HERE)
    late = world.console.invite("ben")
    world.wait(3 * 86_400)
    with pytest.raises(UnauthenticatedError):
        await world.identity.accept_invitation(late.code, PASSWORD, AFAR)


@scenario
async def test_no_secret_is_in_the_database_or_in_the_stream(world: World) -> None:
    world.create("ana", Role.ADMIN)
    who = await world.confirmed("ana")
    tokens = await world.sign_in("ana")
    made = await world.identity.create_token(who, "bot", [Scope.READ])
    invitation = await world.identity.create_user(who, "ben", Role.VIEWER)
    secrets = [PASSWORD, tokens.refresh_token, tokens.access_token, made.secret, invitation.code]
    tables = ("platform_user", "session", "refresh_token", "api_token", "one_time_code")
    kept = world.store.look(
        lambda look: repr([look.rows(f"SELECT * FROM {table}") for table in tables])
    )
    for secret in secrets:
        assert secret not in kept
        assert secret not in repr(world.facts())
