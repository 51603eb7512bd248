"""A provider of OpenID Connect: where to send a browser, and what its answer proves.

The authorization code flow with PKCE, state and nonce. Not here: which user it is (elsewhere).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any, Final

import aiohttp
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from holdfast.config.identity import Oidc
from holdfast.platform.identity.values import UnauthenticatedError
from holdfast.telemetry.log import hide

ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
"""What an ID token may be signed with: what is proved by a public key, and so never `none`."""

KNOWN_S: Final = 3600.0
KEYS_AGAIN_S: Final = 10.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_LARGEST: Final = 262_144
_SKEW_S: Final = 60


class Begun(msgspec.Struct, frozen=True):
    """A sign-in that was begun: what the answer must fit to."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class Elsewhere(msgspec.Struct, frozen=True):
    """Whom a provider knows.

    Attributes:
        subject: the provider's name and its own id of him, which never changes.
        email: which it says is his.
    """

    subject: str
    email: str


class Provider:
    """One provider. For one event loop."""

    def __init__(self, oidc: Oidc) -> None:
        self._oidc = oidc
        if oidc.client_secret is not None:
            hide(oidc.client_secret.reveal())
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._metadata_s = self._keys_s = -KNOWN_S

    async def begin(self, redirect_uri: str) -> tuple[str, Begun]:
        """Where to send the browser, and what its answer must fit to.

        Raises:
            UnauthenticatedError: the provider does not answer as one.
        """
        metadata = await self._described()
        begun = Begun(token_urlsafe(24), token_urlsafe(24), token_urlsafe(48), redirect_uri)
        url = prepare_grant_uri(
            _text(metadata, "authorization_endpoint"),
            client_id=self._oidc.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope="openid email",
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
            prompt="select_account",
        )
        return url, begun

    async def finish(self, begun: Begun, code: str) -> Elsewhere:
        """Whom the code is of.

        Raises:
            UnauthenticatedError: nobody's, or the provider does not answer as one.
        """
        metadata = await self._described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_uri,
            "client_id": self._oidc.client_id,
            "code_verifier": begun.verifier,
        }
        if self._oidc.client_secret is not None:
            form["client_secret"] = self._oidc.client_secret.reveal()
        answer = await _asked("POST", _text(metadata, "token_endpoint"), form)
        claims = await self._proved(_text(answer, "id_token"), begun)
        if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
            raise failed("the provider does not say that the address is his")
        return Elsewhere(f"{self._oidc.issuer} {claims['sub']}", claims["email"].lower())

    async def _proved(self, id_token: str, begun: Begun) -> Mapping[str, Any]:
        """What an ID token says, which this provider signed for us and for this sign-in."""
        try:
            keys = await self._signed_by()
            try:
                token = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                keys = await self._signed_by(again=True)  # it may have new ones since
                token = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {"iss": {"essential": True, "value": self._oidc.issuer}},
                {"client_id": self._oidc.client_id, "nonce": begun.nonce},
            )
            claims.validate(now=int(time.time()), leeway=_SKEW_S)
        except (JoseError, AuthlibBaseError, ValueError, KeyError, TypeError) as error:
            raise failed(f"its ID token proves nothing ({type(error).__name__})") from error
        return token.claims

    async def _described(self) -> dict[str, Any]:
        if time.monotonic() - self._metadata_s > KNOWN_S:
            url = f"{self._oidc.issuer}/.well-known/openid-configuration"
            found = await _asked("GET", url)
            if found.get("issuer") != self._oidc.issuer:
                raise failed("it calls itself otherwise than OIDC_ISSUER does")
            self._metadata, self._metadata_s = found, time.monotonic()
        return self._metadata

    async def _signed_by(self, *, again: bool = False) -> KeySet:
        known_s = KEYS_AGAIN_S if again else KNOWN_S
        if self._keys is None or time.monotonic() - self._keys_s > known_s:
            found: Any = await _asked("GET", _text(await self._described(), "jwks_uri"))
            self._keys, self._keys_s = KeySet.import_key_set(found), time.monotonic()
        return self._keys


async def _asked(method: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object that a provider answers; it is another's server, so all of it is bounded."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.request(method, url, data=form, allow_redirects=False) as response,
        ):
            body = await response.content.read(_LARGEST)
            if response.status != 200:
                raise failed(f"the provider answers {response.status}")
            found = json.loads(body)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise failed(f"the provider does not answer as one ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise failed("the provider does not answer as one")
    return found


def _text(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    if not isinstance(found, str):
        raise failed(f"the provider does not say its {name}")
    return found


def failed(why: str) -> UnauthenticatedError:
    """A sign-in elsewhere that came to nothing."""
    return UnauthenticatedError(
        "oidc_failed", f"seen: {why}; expected: a proof of who you are; do: sign in again"
    )
