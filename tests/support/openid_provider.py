"""A provider of OpenID Connect on this machine, which can also lie.

It answers at once: whoever is sent to it is `email`. Not here: what is asked of who signs in there.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from holdfast.config import Config
from holdfast.config.identity import IdentitySettings, Oidc
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.values import Role
from holdfast.secrets import Secret
from tests.support.api_world import World, world

ANA = "ana@example.com"
CLIENT_ID = "holdfast-tests"
CLIENT_SECRET = "provider secret of the tests"
REDIRECT_URI = "http://127.0.0.1:8080/api/v1/auth/google/callback"


class OpenIdProvider:
    """What it says, and how it lies.

    Attributes:
        email, subject: who is signed in there.
        claims: instead of what would be true; None leaves a claim out.
        signing: `RS256`, `none`, `HS256` (with its public key as the secret) or `other key`.
        is_down: answers 503 to everything.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.email = ANA
        self.subject = "1001"
        self.claims: dict[str, Any] = {}
        self.signing = "RS256"
        self.is_down = False
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._key = RSAKey.generate_key(2048, private=True)
        self._kid = "first"

    @property
    def oidc(self) -> Oidc:
        """What Holdfast is told of it."""
        return Oidc(CLIENT_ID, Secret(CLIENT_SECRET), self.issuer)

    def rotate(self) -> None:
        """Sign with another key."""
        self._key = RSAKey.generate_key(2048, private=True)
        self._kid = secrets.token_hex(4)

    def visit(self, url: str) -> dict[str, str]:
        """What a browser brings back that was sent to `url`: `state` and `code`."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"].endswith(urlsplit(REDIRECT_URI).path)
        code = secrets.token_urlsafe(12)
        self._codes[code] = asked
        return {"state": asked["state"], "code": code}

    async def answer(self, request: web.Request) -> web.Response:
        """Every address that it has."""
        self.asked.append(request.path)
        if self.is_down:
            return web.Response(status=503, text="<h1>down</h1>")
        if request.path == "/.well-known/openid-configuration":
            return web.json_response(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                }
            )
        if request.path == "/authorize":
            brought = urlencode(self.visit(str(request.url)))
            back = parse_qs(request.query_string)["redirect_uri"][0]
            return web.Response(status=302, headers={"Location": f"{back}?{brought}"})
        if request.path == "/keys":
            public = {**self._key.as_dict(private=False), "kid": self._kid, "use": "sig"}
            return web.json_response({"keys": [public]})
        if request.path == "/token":
            return self._token({k: str(v) for k, v in (await request.post()).items()})
        return web.Response(status=404)

    def _token(self, form: Mapping[str, str]) -> web.Response:
        asked = self._codes.pop(form["code"], None)
        digest = sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or form["client_id"] != CLIENT_ID
            or form["client_secret"] != CLIENT_SECRET
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now_s = int(time.time())
        told = {
            "iss": self.issuer, "aud": CLIENT_ID, "sub": self.subject, "email": self.email,
            "email_verified": True, "nonce": asked["nonce"], "iat": now_s, "exp": now_s + 600,
            **self.claims,
        }  # fmt: skip
        told = {name: value for name, value in told.items() if value is not None}
        return web.json_response(
            {"access_token": "x", "token_type": "Bearer", "id_token": self._signed(told)}
        )

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": self._kid}
        if self.signing == "none":
            parts = ({"alg": "none", "kid": self._kid}, claims)
            texts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
            return f"{texts[0].decode()}.{texts[1].decode()}."
        if self.signing == "HS256":
            public = self._key.as_pem(private=False)
            key = OctKey.import_key(base64.b64encode(public))
            return jwt.encode({**header, "alg": "HS256"}, claims, key, algorithms=["HS256"])
        if self.signing == "other key":
            other = RSAKey.generate_key(2048, private=True)
            return jwt.encode(header, claims, other, algorithms=["RS256"])
        return jwt.encode(header, claims, self._key, algorithms=["RS256"])


@asynccontextmanager
async def provider() -> AsyncIterator[OpenIdProvider]:
    """One that listens on loopback until the block ends."""
    made = OpenIdProvider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def world_with_provider(
    folder: Path, config: Config | None = None
) -> AsyncIterator[tuple[World, OpenIdProvider]]:
    """An API, and a provider that lets `ANA` sign in there: another site, as Google is."""
    database = SqliteDatabase(folder / "journal.db")
    async with provider() as there:
        there.issuer = there.issuer.replace("127.0.0.1", "localhost")
        with closing(database.platform()) as store:
            Console(store, "test@here").create(ANA, Role.TRADER)
            identity = IdentityService(store, IdentitySettings(oidc=there.oidc))
            async with world(folder, config=config, identity=identity) as api:
                yield api, there
