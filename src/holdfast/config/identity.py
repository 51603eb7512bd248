"""What signs access tokens and who else may say who a user is, from the environment.

Not here: what is done with it (platform.identity).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from holdfast.config.environment import SecretEnvironment
from holdfast.errors import ConfigError
from holdfast.secrets import Secret, Stage, current, resolve

GOOGLE: Final = "https://accounts.google.com"
SHORTEST_SECRET: Final = 32
"""Characters: a shorter one could be guessed from a token that was seen."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Oidc(msgspec.Struct, frozen=True):
    """A provider of OpenID Connect.

    Attributes:
        issuer: its address, as its tokens name it.
        client_secret: None for a client that has none; the code is proved by PKCE all the same.
    """

    client_id: str
    client_secret: Secret | None
    issuer: str = GOOGLE


class IdentitySettings(msgspec.Struct, frozen=True):
    """What of the environment concerns identity.

    Attributes:
        jwt_secret: without it who reads the database can sign tokens.
        sealing: what encrypts secrets of second factors, and what did before; none leaves them as
            they are.
        oidc: None: nobody signs in elsewhere.
    """

    jwt_secret: Secret | None = None
    sealing: tuple[Secret, ...] = ()
    oidc: Oidc | None = None


def identity_settings(environ: Mapping[str, str] = os.environ) -> IdentitySettings:
    """`JWT_SECRET`, `IDENTITY_KEY`, and `GOOGLE_CLIENT_ID` with `GOOGLE_CLIENT_SECRET` and
    `OIDC_ISSUER`.

    Raises:
        ConfigError: a secret is short, or the issuer is no address of a server. The text has no
            secret in it.
    """
    known = SecretEnvironment(environ)
    secret = known.get("JWT_SECRET", "").strip()
    return IdentitySettings(
        _long_enough("JWT_SECRET", Secret(secret)) if secret else None,
        _sealing(environ),
        _oidc(known),
    )


def _sealing(environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """The version before may be missing; it is there while a rotation goes on."""
    if not SecretEnvironment(environ).get("IDENTITY_KEY", "").strip():
        return ()
    found = [resolve("env:IDENTITY_KEY", environ, purpose="second factors")]
    with suppress(ConfigError):
        found.append(current("env:IDENTITY_KEY", environ, stage=Stage.PREVIOUS).secret)
    return tuple(_long_enough("IDENTITY_KEY", one) for one in found)


def _long_enough(name: str, secret: Secret) -> Secret:
    length = len(secret.reveal())
    if length < SHORTEST_SECRET:
        raise ConfigError(
            f"seen: {name} of {length} characters; expected: at least {SHORTEST_SECRET}; do: make "
            "one with `openssl rand -hex 32`, or unset it"
        )
    return secret


def _oidc(environ: Mapping[str, str]) -> Oidc | None:
    client_id = environ.get("GOOGLE_CLIENT_ID", "").strip()
    if not client_id:
        return None
    issuer = environ.get("OIDC_ISSUER", "").strip() or GOOGLE
    parts = urlsplit(issuer)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise ConfigError(
            f"seen: OIDC_ISSUER {issuer!r}; expected: https://host; do: correct it, or unset it "
            "for Google"
        )
    secret = environ.get("GOOGLE_CLIENT_SECRET", "").strip()
    return Oidc(client_id, Secret(secret) if secret else None, issuer.rstrip("/"))
