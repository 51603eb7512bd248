"""Access tokens and API tokens: the forged, the old and other people's prove nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from holdfast.config.identity import IdentitySettings
from holdfast.domain.platform import KeyCreated, TokenCreated, TokenRevoked
from holdfast.platform.identity import api_tokens, known, signing
from holdfast.platform.identity.values import (
    AbsentError,
    ForbiddenError,
    Grant,
    Role,
    Scope,
    UnauthenticatedError,
    UnsuitableError,
)
from holdfast.platform.port import Change
from holdfast.secrets import Secret
from tests.support.identity import AFAR, HERE, PASSWORD, S, World, refused_for, scenario


def part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, payload, signature = token.split(".")
    return (*(json.loads(base64.urlsafe_b64decode(p + "==")) for p in (header, payload)), signature)


@scenario
async def test_a_forged_token_proves_nothing(world: World) -> None:
    world.create("ana", Role.ADMIN)
    world.create("vic", Role.VIEWER)
    token = (await world.sign_in("vic")).access_token
    header, claims, signature = parts(token)
    ana = (await world.sign_in("ana")).principal
    other = {**claims, "sub": ana.user_id, "sid": ana.session_id}
    weak = OctKey.import_key(b"secret" * 6)
    rsa = RSAKey.generate_key(2048, private=True)
    forged = [
        f"{part({**header, 'alg': 'none'})}.{part(claims)}.",
        f"{part({**header, 'alg': 'none'})}.{part(claims)}.{signature}",
        f"{part({**header, 'alg': 'None'})}.{part(other)}.",
        f"{part({**header, 'alg': 'HS512'})}.{part(claims)}.{signature}",
        f"{part(header)}.{part(other)}.{signature}",
        f"{part({'alg': 'HS256'})}.{part(claims)}.{signature}",
        f"{part({**header, 'kid': None})}.{part(claims)}.{signature}",
        f"{part({**header, 'kid': ['x']})}.{part(claims)}.{signature}",
        f"{part({**header, 'kid': '../../dev/null'})}.{part(claims)}.{signature}",
        f"{part({**header, 'kid': chr(0)})}.{part(claims)}.{signature}",
        f"{part({**header, 'crit': ['exp']})}.{part(other)}.{signature}",
        f"{part({**header, 'jwk': weak.as_dict()})}.{part(other)}.{signature}",
        jwt.encode(header, other, weak, algorithms=["HS256"]),
        jwt.encode({**header, "alg": "RS256"}, other, rsa, algorithms=["RS256"]),
        token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"),
        token + ".x",
        token.split(".")[0],
        "..",
        f"{token} ",
        token.replace(".", "", 1),
        "e30.e30.e30",
        "W10.W10.W10",
    ]
    for one in forged:
        with pytest.raises(UnauthenticatedError) as refused:
            await world.identity.authenticate(one)
        assert refused.value.code == "bad_token", one
        assert claims["sid"] not in str(refused.value)
    assert (await world.identity.authenticate(token)).name == "vic"


@scenario
async def test_claims_are_believed_only_if_we_signed_them_for_this(world: World) -> None:
    """With the real key even: a cookie is no bearer, and a session is its user's alone."""
    world.create("ana", Role.ADMIN)
    world.create("vic", Role.VIEWER)
    tokens = await world.sign_in("vic")
    ana = await world.sign_in("ana")
    keys = signing.Keys(world.store, None, lambda: world.now_ns)
    claims = {"sub": tokens.principal.user_id, "sid": tokens.principal.session_id, "stp": 0}
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(keys.sign_cookie(claims))
    with pytest.raises(UnauthenticatedError):
        keys.cookie(tokens.access_token)
    crossed = keys.sign_access(ana.principal.user_id, tokens.principal.session_id, 0)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(crossed)
    confirmed = keys.sign_access(tokens.principal.user_id, tokens.principal.session_id, 2**62)
    assert not (await world.identity.authenticate(confirmed)).confirmed(world.now_ns)


@scenario
async def test_an_access_token_ends_also_where_it_was_seen_before(world: World) -> None:
    world.create("ana", Role.ADMIN)
    token = (await world.sign_in("ana")).access_token
    fresh = world.process()
    await world.identity.authenticate(token)
    world.wait(signing.ACCESS_S - 1)
    await world.identity.authenticate(token)
    world.wait(signing.SKEW_S + 1)
    for process in (world.identity, fresh):
        with refused_for("expired_token"):
            await process.authenticate(token)


@scenario
async def test_clocks_of_two_hosts_may_differ_a_little(world: World) -> None:
    world.create("ana", Role.ADMIN)
    token = (await world.sign_in("ana")).access_token
    for skew_s in (-signing.SKEW_S, signing.SKEW_S):
        world.wait(skew_s)
        await world.process().authenticate(token)
        world.wait(-skew_s)
    world.wait(-signing.SKEW_S - 1)
    with pytest.raises(UnauthenticatedError, match="from the future"):
        await world.process().authenticate(token)


@scenario
async def test_keys_rotate_and_the_old_one_goes_on_checking(world: World) -> None:
    world.create("ana", Role.ADMIN)
    tokens = await world.sign_in("ana")
    first = parts(tokens.access_token)[0]["kid"]
    for _ in range(5):
        world.wait(6 * 86_400 - 1)
        tokens = await world.identity.refresh(tokens.refresh_token, AFAR)
    assert parts(tokens.access_token)[0]["kid"] == first
    world.wait(10)
    other = await world.process().sign_in("ana", PASSWORD, "", AFAR)
    assert parts(other.access_token)[0]["kid"] != first
    await world.identity.authenticate(other.access_token)
    assert len(world.facts(KeyCreated)) == 2


@scenario
async def test_replacing_the_keys_makes_every_access_token_worthless_and_ends_no_session(
    world: World,
) -> None:
    world.create("ana", Role.ADMIN)
    tokens = await world.sign_in("ana")
    await world.identity.authenticate(tokens.access_token)
    world.console.replace_keys(None)
    await world.identity.news()
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(tokens.access_token)
    after = await world.identity.refresh(tokens.refresh_token, AFAR)
    await world.identity.authenticate(after.access_token)


@scenario
async def test_with_a_jwt_secret_the_database_alone_signs_nothing(world: World) -> None:
    world.create("ana", Role.ADMIN)
    settings = IdentitySettings(Secret("k" * 32))
    sealed = world.process(settings)
    tokens = await sealed.sign_in("ana", PASSWORD, "", AFAR)
    assert (await world.process(settings).authenticate(tokens.access_token)).name == "ana"
    header, claims, _ = parts(tokens.access_token)
    rows = world.store.look(lambda look: look.rows("SELECT kid, secret FROM signing_key"))
    stored = dict(rows)[header["kid"]]
    forged = jwt.encode(header, claims, OctKey.import_key(stored), algorithms=["HS256"])
    for process in (sealed, world.process(), world.process(IdentitySettings(Secret("q" * 32)))):
        with pytest.raises(UnauthenticatedError):
            await process.authenticate(forged)
    with pytest.raises(UnauthenticatedError):  # another secret: tokens end, the session does not
        await world.identity.authenticate(tokens.access_token)
    other = await world.identity.refresh(tokens.refresh_token, AFAR)
    assert (await world.identity.authenticate(other.access_token)).name == "ana"


@scenario
async def test_an_api_token_acts_for_its_user_within_its_scopes(world: World) -> None:
    world.create("ana", Role.TRADER, Grant("main", "cross"))
    who = await world.confirmed("ana")
    made = await world.identity.create_token(who, "laptop", [Scope.READ, Scope.TRADE])
    assert made.secret.startswith(made.token.prefix)
    program = await world.identity.authenticate(made.secret)
    assert (program.user_id, program.token_id) == (who.user_id, made.token.token_id)
    assert program.scopes == {Scope.READ, Scope.TRADE}
    assert program.actor == f"token:ana/{made.token.token_id}"
    assert not program.confirmed(world.now_ns)
    assert program.owns("main", "cross")
    assert not program.owns("main")
    (listed,) = await world.identity.tokens(who)
    assert listed.last_used_ns == world.now_ns
    assert made.secret not in repr(listed)
    assert [fact.token_id for fact in world.facts(TokenCreated)] == [made.token.token_id]  # type: ignore[union-attr]


@scenario
async def test_only_a_confirmed_session_can_make_a_token_that_adds_risk(world: World) -> None:
    world.create("ana", Role.TRADER)
    plain = await world.signed_in("ana")
    with refused_for("step_up_required", ForbiddenError):
        await world.identity.create_token(plain, "x", [Scope.READ])
    who = await world.confirmed("ana")
    risky = await world.identity.create_token(who, "x", [Scope.READ, Scope.RISK])
    program = await world.identity.authenticate(risky.secret)
    assert program.confirmed(world.now_ns)
    with refused_for("session_required", ForbiddenError):
        await world.identity.create_token(program, "more", [Scope.READ])
    with pytest.raises(ForbiddenError):
        await world.identity.create_token(who, "beyond", [Scope.ADMIN])
    with pytest.raises(ForbiddenError):
        await world.identity.confirm(program, PASSWORD, "", AFAR)


@scenario
async def test_a_token_has_no_more_than_its_user_has_now(world: World) -> None:
    world.create("root", Role.ADMIN)
    user_id = world.create("ana", Role.TRADER, Grant("main"))
    made = await world.identity.create_token(
        await world.confirmed("ana"), "x", [Scope.READ, Scope.RISK]
    )
    await world.identity.authenticate(made.secret)
    root = await world.confirmed("root")
    await world.identity.change_user(root, user_id, role=Role.VIEWER, grants=())
    program = await world.identity.authenticate(made.secret)
    assert (program.scopes, program.grants) == (frozenset({Scope.READ}), ())
    await world.identity.change_user(root, user_id, disabled=True)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(made.secret)


@scenario
async def test_who_is_let_in_again_has_none_of_the_tokens_from_before(world: World) -> None:
    world.create("root", Role.ADMIN)
    user_id = world.create("ana", Role.TRADER)
    made = await world.identity.create_token(await world.confirmed("ana"), "bot", [Scope.READ])
    root = await world.confirmed("root")
    await world.identity.change_user(root, user_id, disabled=False)
    await world.identity.authenticate(made.secret)
    await world.identity.change_user(root, user_id, disabled=True)
    await world.identity.change_user(root, user_id, disabled=False)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(made.secret)
    who = await world.signed_in("ana")
    assert await world.identity.tokens(who) == ()
    assert [fact.by for fact in world.facts(TokenRevoked)] == ["user:root"]

    again = await world.identity.create_token(await world.confirmed("ana"), "bot", [Scope.READ])
    world.store.change(disabled_before)
    await world.identity.change_user(await world.confirmed("root"), user_id, disabled=False)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(again.secret)


def disabled_before(change: Change) -> None:
    """As an earlier version did it, which left tokens as they were."""
    change.run("UPDATE platform_user SET disabled = 1 WHERE name = 'ana'")


@scenario
async def test_a_token_ends_when_it_is_too_old_or_revoked(world: World) -> None:
    world.create("ana", Role.TRADER)
    who = await world.confirmed("ana")
    short = await world.identity.create_token(who, "s", [Scope.READ], 30)
    usual = await world.identity.create_token(who, "u", [Scope.READ])
    ever = await world.identity.create_token(who, "e", [Scope.READ], 0)
    for made in (short, usual, ever):
        await world.identity.authenticate(made.secret)
    world.wait(30)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(short.secret)
    world.wait(api_tokens.USUAL_S)
    with pytest.raises(UnauthenticatedError):
        await world.identity.authenticate(usual.secret)
    await world.identity.authenticate(ever.secret)
    elsewhere = world.process()
    await elsewhere.authenticate(ever.secret)
    await world.identity.revoke_token(await world.signed_in("ana"), ever.token.token_id)
    await elsewhere.news()
    for process in (world.identity, elsewhere):
        with pytest.raises(UnauthenticatedError):
            await process.authenticate(ever.secret)
    with pytest.raises(AbsentError):
        await world.identity.revoke_token(await world.signed_in("ana"), ever.token.token_id)
    assert len(world.facts(TokenRevoked)) == 1


@scenario
async def test_a_changed_secret_or_another_s_id_is_no_token(world: World) -> None:
    world.create("ana", Role.TRADER)
    world.create("ben", Role.TRADER)
    ana, ben = await world.confirmed("ana"), await world.confirmed("ben")
    mine = await world.identity.create_token(ana, "x", [Scope.READ])
    his = await world.identity.create_token(ben, "x", [Scope.READ])
    crossed = f"{his.token.prefix}_{mine.secret.split('_', 2)[2]}"
    for wrong in (crossed, mine.secret[:-1], mine.secret + "x", mine.token.prefix, "hf_", "hf__"):
        with pytest.raises(UnauthenticatedError):
            await world.identity.authenticate(wrong)
    with pytest.raises(AbsentError):
        await world.identity.revoke_token(ana, his.token.token_id)
    with pytest.raises(ForbiddenError):
        await world.identity.tokens(ana, ben.user_id)
    assert (await world.identity.authenticate(his.secret)).name == "ben"


@scenario
async def test_a_token_that_cannot_be_is_refused_with_its_field(world: World) -> None:
    world.create("ana", Role.TRADER)
    who = await world.confirmed("ana")
    for name, scopes, lasts_s, field in (
        ("", [Scope.READ], None, "name"),
        ("a\nb", [Scope.READ], None, "name"),
        ("x" * 101, [Scope.READ], None, "name"),
        ("x", [], None, "scopes"),
        ("x", [Scope.READ], -1, "expires_in_s"),
    ):
        with pytest.raises(UnsuitableError) as refused:
            await world.identity.create_token(who, name, scopes, lasts_s)
        assert refused.value.field == field


@scenario
async def test_what_was_proved_is_not_asked_of_the_database_again(world: World) -> None:
    world.create("ana", Role.ADMIN)
    token = (await world.sign_in("ana")).access_token
    await world.identity.authenticate(token)
    asked = []
    look = world.store.look
    world.store.look = lambda *given: (asked.append(given), look(*given))[1]  # type: ignore[method-assign,func-returns-value]
    for _ in range(100):
        await world.identity.authenticate(token)
    assert asked == []


@scenario
async def test_nobody_is_believed_for_long_while_the_database_is_gone(world: World) -> None:
    from holdfast.errors import RetryableError  # noqa: PLC0415

    world.create("ana", Role.ADMIN)
    token = (await world.sign_in("ana")).access_token
    await world.identity.authenticate(token)

    def gone(*_given: object) -> Any:
        raise RetryableError("seen: gone; expected: a database; do: start it")

    world.store.events = gone  # type: ignore[method-assign, assignment]
    service = world.identity
    service._core.known._looked_s -= known.LOOK_S
    assert (await service.authenticate(token)).name == "ana"
    service._core.known._looked_s -= known.LOOK_S
    service._core.known._sure_s -= known.TRUSTED_S + known.LOOK_S
    with pytest.raises(RetryableError):
        await service.authenticate(token)


@scenario
async def test_a_link_s_session_is_a_session_like_any_other(world: World) -> None:
    tokens = await world.identity.redeem_link(world.console.link("demo"), HERE)
    claims = parts(tokens.access_token)[1]
    assert claims["exp"] * S - world.now_ns == signing.ACCESS_S * S
    assert set(claims) == {"iss", "aud", "iat", "exp", "sub", "sid", "stp"}
