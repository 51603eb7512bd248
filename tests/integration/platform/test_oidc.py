"""Sign-in elsewhere, at a provider that really answers, and that also lies."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.config.identity import IdentitySettings, identity_settings
from holdfast.domain.platform import SignInFailed, UserChanged
from holdfast.errors import ConfigError
from holdfast.platform.identity import oidc, throttle
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.totp import STEP_S
from holdfast.platform.identity.values import (
    AbsentError,
    ForbiddenError,
    Role,
    SessionTokens,
    ThrottledError,
    UnauthenticatedError,
)
from tests.support.identity import AFAR, ELSEWHERE, PASSWORD, World, refused_for, world
from tests.support.openid_provider import REDIRECT_URI, OpenIdProvider, provider
from tests.support.platform_stores import KINDS

ANA = "ana@example.com"


class Visit:
    """A world whose users may sign in at a provider."""

    def __init__(self, made: World, there: OpenIdProvider) -> None:
        self.world = made
        self.there = there
        made.now_ns = time.time_ns()  # the provider goes by the real time
        self.identity = self.process()

    def process(self) -> IdentityService:
        """Another process that knows nothing of the provider yet."""
        return self.world.process(IdentitySettings(oidc=self.there.oidc))

    async def sign_in(self) -> SessionTokens:
        """What a browser does."""
        start = await self.identity.begin_oidc(REDIRECT_URI)
        brought = self.there.visit(start.url)
        return await self.identity.finish_oidc(
            start.cookie, brought["state"], brought["code"], REDIRECT_URI, AFAR
        )


@asynccontextmanager
async def visiting(kind: str, directory: Path) -> AsyncIterator[Visit]:
    with world(kind, directory) as made:
        async with provider() as there:
            yield Visit(made, there)


def scenario(test: Callable[[Visit], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @pytest.mark.parametrize("kind", KINDS)
    def against(kind: str, tmp_path: Path) -> None:
        import asyncio  # noqa: PLC0415

        async def run() -> None:
            async with visiting(kind, tmp_path) as visit:
                await test(visit)

        asyncio.run(run())

    against.__name__, against.__doc__ = test.__name__, test.__doc__
    return against


@scenario
async def test_a_user_of_the_address_is_let_in_and_confirmed(visit: Visit) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    tokens = await visit.sign_in()
    who = await visit.identity.authenticate(tokens.access_token)
    assert (who.name, who.confirmed(visit.world.now_ns)) == (ANA, True)
    (session,) = await visit.identity.sessions(who)
    assert session.method == "oidc"
    (bound,) = [fact for fact in visit.world.facts(UserChanged) if fact.what == "oidc"]  # type: ignore[union-attr]
    assert isinstance(bound, UserChanged)
    assert bound.to == f"{visit.there.issuer} 1001"
    assert (await visit.sign_in()).principal.user_id == who.user_id


@scenario
async def test_who_confirms_there_signs_in_there_again(visit: Visit) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    who = (await visit.sign_in()).principal
    with refused_for("sign_in_again", ForbiddenError):
        await visit.identity.confirm(who, "", "", AFAR)


@scenario
async def test_a_sign_in_there_confirms_nothing_for_who_has_a_second_factor(visit: Visit) -> None:
    """In a browser that is signed in there, the provider asks for no more than a click."""
    visit.world.console.create(ANA, Role.TRADER)
    who = (await visit.sign_in()).principal
    offer = await visit.identity.begin_totp(who)
    await visit.identity.enable_totp(who, visit.world.code(offer.secret))
    who = (await visit.sign_in()).principal
    assert not who.confirmed(visit.world.now_ns)
    with refused_for("step_up_required", ForbiddenError):
        await visit.identity.disable_totp(who)
    visit.world.wait(STEP_S)
    code = visit.world.code(offer.secret)
    confirmed = await visit.identity.confirm(who, "", code, AFAR)
    assert confirmed.principal.confirmed(visit.world.now_ns)


@scenario
async def test_a_sign_in_there_confirms_nothing_for_who_has_a_password(visit: Visit) -> None:
    visit.world.create(ANA, Role.TRADER)
    who = (await visit.sign_in()).principal
    assert not who.confirmed(visit.world.now_ns)
    confirmed = await visit.identity.confirm(who, PASSWORD, "", AFAR)
    assert confirmed.principal.confirmed(visit.world.now_ns)


@scenario
async def test_nobody_becomes_a_user_by_that(visit: Visit) -> None:
    with refused_for("oidc_unknown_user"):
        await visit.sign_in()
    assert visit.world.console.users() == ()
    assert len(visit.world.facts(SignInFailed)) == 1


@scenario
async def test_an_address_that_went_to_somebody_else_there_is_not_enough(visit: Visit) -> None:
    """The provider's id of him is what counts, once it is known."""
    visit.world.console.create(ANA, Role.TRADER)
    visit.world.console.create("ben@example.com", Role.TRADER)
    first = await visit.sign_in()
    visit.there.subject = "1002"
    with refused_for("oidc_unknown_user"):
        await visit.sign_in()
    visit.there.subject, visit.there.email = "1001", "ben@example.com"
    assert (await visit.sign_in()).principal.user_id == first.principal.user_id


@scenario
async def test_who_is_disabled_is_not_let_in(visit: Visit) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    visit.world.console.create("root", Role.ADMIN)
    visit.world.console.change(ANA, disabled=True)
    with refused_for("oidc_unknown_user"):
        await visit.sign_in()


LIES: dict[str, tuple[str, dict[str, Any]]] = {
    "alg none": ("none", {}),
    "the public key as a secret": ("HS256", {}),
    "another key": ("other key", {}),
    "for somebody else": ("RS256", {"aud": "another-client"}),
    "for several, and not by us": ("RS256", {"aud": ["a", "holdfast-tests"], "azp": "a"}),
    "by somebody else": ("RS256", {"iss": "https://evil.example"}),
    "of another sign-in": ("RS256", {"nonce": "another"}),
    "without a nonce": ("RS256", {"nonce": None}),
    "too old": ("RS256", {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}),
    "for ever": ("RS256", {"exp": None}),
    "of nobody": ("RS256", {"sub": None}),
    "without an address": ("RS256", {"email": None}),
    "an address that is not his": ("RS256", {"email_verified": False}),
    "an address that may be his": ("RS256", {"email_verified": "true"}),
    "an address that is none": ("RS256", {"email": {"$ne": ""}}),
    "an id that is none": ("RS256", {"sub": ["1001"]}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_proof_that_is_none_lets_nobody_in(lie: str, tmp_path: Path) -> None:
    import asyncio  # noqa: PLC0415

    async def run() -> None:
        async with visiting("sqlite", tmp_path) as visit:
            visit.world.console.create(ANA, Role.ADMIN)
            visit.there.signing, visit.there.claims = LIES[lie]
            with refused_for("oidc_failed"):
                await visit.sign_in()
            visit.there.signing, visit.there.claims = "RS256", {}
            await visit.sign_in()

    asyncio.run(run())


@scenario
async def test_only_the_browser_that_began_ends_it_and_only_once(visit: Visit) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    start = await visit.identity.begin_oidc(REDIRECT_URI)
    other = await visit.identity.begin_oidc(REDIRECT_URI)
    brought = visit.there.visit(start.url)
    his = (brought["state"], brought["code"])
    for cookie, state, code, uri in (
        (other.cookie, *his, REDIRECT_URI),  # somebody was made to follow another's link
        ("", *his, REDIRECT_URI),
        ("e30.e30.", *his, REDIRECT_URI),
        (start.cookie, "", his[1], REDIRECT_URI),
        (start.cookie, "\ud800", his[1], REDIRECT_URI),
        (start.cookie, *his, "http://127.0.0.1:8080/other"),
        (start.cookie, his[0], "another code", REDIRECT_URI),
    ):
        with pytest.raises(UnauthenticatedError):
            await visit.identity.finish_oidc(cookie, state, code, uri, ELSEWHERE)
    tokens = await visit.identity.finish_oidc(start.cookie, *his, REDIRECT_URI, AFAR)
    with pytest.raises(UnauthenticatedError):
        await visit.identity.finish_oidc(start.cookie, *his, REDIRECT_URI, AFAR)
    with pytest.raises(UnauthenticatedError):  # a bearer is no cookie
        await visit.identity.finish_oidc(tokens.access_token, *his, REDIRECT_URI, AFAR)


@scenario
async def test_a_sign_in_that_lasts_too_long_came_to_nothing(visit: Visit) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    start = await visit.identity.begin_oidc(REDIRECT_URI)
    brought = visit.there.visit(start.url)
    visit.world.wait(start.expires_in_s + 11)
    with pytest.raises(UnauthenticatedError):
        await visit.identity.finish_oidc(
            start.cookie, brought["state"], brought["code"], REDIRECT_URI, AFAR
        )


@scenario
async def test_another_process_may_end_what_one_began(visit: Visit) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    start = await visit.identity.begin_oidc(REDIRECT_URI)
    brought = visit.there.visit(start.url)
    tokens = await visit.process().finish_oidc(
        start.cookie, brought["state"], brought["code"], REDIRECT_URI, AFAR
    )
    assert tokens.principal.name == ANA


@scenario
async def test_new_keys_of_the_provider_are_found_and_old_ones_are_not_asked_for_again(
    visit: Visit,
) -> None:
    visit.world.console.create(ANA, Role.TRADER)
    for _ in range(3):
        await visit.sign_in()
    assert visit.there.asked.count("/keys") == 1
    visit.identity._provider._keys_s -= oidc.KEYS_AGAIN_S  # type: ignore[union-attr]
    visit.there.rotate()
    await visit.sign_in()
    assert visit.there.asked.count("/keys") == 2


@scenario
async def test_a_provider_that_is_gone_or_is_none_is_said(visit: Visit) -> None:
    visit.there.is_down = True
    with pytest.raises(UnauthenticatedError, match="answers 503"):
        await visit.identity.begin_oidc(REDIRECT_URI)
    visit.there.is_down = False
    visit.there.issuer += "/"
    with pytest.raises(UnauthenticatedError, match="calls itself otherwise"):
        await visit.identity.begin_oidc(REDIRECT_URI)
    assert not visit.world.identity.has_oidc()
    with pytest.raises(AbsentError):
        await visit.world.identity.begin_oidc(REDIRECT_URI)


@scenario
async def test_who_fails_often_is_slowed_down(visit: Visit) -> None:
    for _ in range(30):
        visit.world.store.change(
            lambda c: throttle.failed(c, "", AFAR.address, visit.world.now_ns)
        )
    with pytest.raises(ThrottledError):
        await visit.sign_in()


def test_settings_come_from_the_environment() -> None:
    assert identity_settings({}) == IdentitySettings()
    found = identity_settings(
        {"JWT_SECRET": "s" * 32, "GOOGLE_CLIENT_ID": "id", "GOOGLE_CLIENT_SECRET": "hush"}
    )
    assert found.oidc is not None
    assert found.oidc.issuer == "https://accounts.google.com"
    assert "hush" not in repr(found)
    assert "sss" not in repr(found)


@pytest.mark.parametrize(
    "environ",
    [
        {"JWT_SECRET": "short and known"},
        {"GOOGLE_CLIENT_ID": "id", "OIDC_ISSUER": "http://accounts.example"},
        {"GOOGLE_CLIENT_ID": "id", "OIDC_ISSUER": "accounts.example"},
    ],
)
def test_wrong_settings_refuse_to_start_and_show_no_secret(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as refused:
        identity_settings(environ)
    assert "short and known" not in str(refused.value)
