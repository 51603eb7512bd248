"""Access tokens: JWTs of some minutes, signed with keys that rotate.

HS256 alone: who checks them is who makes them (ADR 0030). A key's secret is random and in the
database; with `JWT_SECRET` it is worth nothing without that as well. Not here: what a session is
(sessions).
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from secrets import token_bytes
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from holdfast.domain.platform import KeyCreated
from holdfast.platform.identity import secret_text
from holdfast.platform.identity.values import UnauthenticatedError
from holdfast.platform.port import Change, Look, PlatformStore
from holdfast.secrets import Secret
from holdfast.telemetry.log import hide

ALGORITHM: Final = "HS256"
ACCESS_S: Final = 300
ROTATE_S: Final = 30 * 86_400
"""A key signs for so long, and checks for as long as a token of it may be about."""

SKEW_S: Final = 10
"""How far the clocks of two hosts may differ."""

COOKIE_S: Final = 600

_S: Final = 1_000_000_000
_ISSUER: Final = "holdfast"
_LOOKS: Final = 10
_LOOKS_S: Final = 1.0
"""Who invents names of keys makes us look for them no more often than that."""

_LABEL: Final = b"holdfast signing key 1 "


class AccessClaims(msgspec.Struct, frozen=True):
    """What an access token says.

    Attributes:
        sub: user id. sid: session id.
        stp: until when the session may do what adds risk, UTC seconds; 0 when not.
        exp: UTC seconds.
    """

    sub: str
    sid: str
    exp: int
    stp: int = 0


class Keys:
    """Signs and checks. For threads; blocks for the database now and then.

    Args:
        secret: `JWT_SECRET`. Another one makes all tokens worthless; sessions go on by refresh.
    """

    def __init__(
        self, store: PlatformStore, secret: Secret | None, now_ns: Callable[[], int]
    ) -> None:
        self._store = store
        if secret:
            hide(secret.reveal())
        self._secret = secret.reveal().encode() if secret else b""
        self._sealed_by = sha256(_LABEL + self._secret).hexdigest()[:16] if secret else ""
        self._now_ns = now_ns
        self._known: dict[str, tuple[OctKey, int]] = {}
        self._lock = threading.Lock()
        self._looked_s: deque[float] = deque(maxlen=_LOOKS)

    def sign_access(self, user_id: str, session_id: str, step_up_until_ns: int) -> str:
        """The bearer of a session for the next minutes."""
        claims = {"sub": user_id, "sid": session_id, "stp": step_up_until_ns // _S}
        return self._sign("access", ACCESS_S, claims)

    def access(self, token: str) -> AccessClaims:
        """What a token says, which is true.

        Raises:
            UnauthenticatedError: it is not one of ours, or too old.
        """
        try:
            return msgspec.convert(self._checked("access", token), AccessClaims)
        except msgspec.ValidationError as error:
            raise _bad("its claims are not an access token's") from error

    def sign_cookie(self, claims: dict[str, Any]) -> str:
        """Something to be brought back by the same browser within some minutes."""
        return self._sign("cookie", COOKIE_S, claims)

    def cookie(self, token: str) -> dict[str, Any]:
        """What was to be brought back. Raises: as `access`."""
        return self._checked("cookie", token)

    def replace(self, by: str) -> str:
        """Sign with a new key, and let none of the old ones prove anything; its id.

        All access tokens end with that. Sessions do not: who has one asks for another token.
        """

        def change(change: Change) -> str:
            change.run("DELETE FROM signing_key")
            return self._create(change, by)

        kid = self._store.change(change)
        self.forget()
        return kid

    def forget(self) -> None:
        """Look the keys up again: another process has replaced them."""
        with self._lock:
            self._known = {}
            self._looked_s.clear()

    # -- the keys ------------------------------------------------------------------------------

    def _sign(self, audience: str, lasts_s: int, claims: dict[str, Any]) -> str:
        now_s = self._now_ns() // _S
        kid, key = self._signing()
        whole = {**claims, "iss": _ISSUER, "aud": audience, "iat": now_s, "exp": now_s + lasts_s}
        return jwt.encode({"alg": ALGORITHM, "kid": kid}, whole, key, algorithms=[ALGORITHM])

    def _checked(self, audience: str, token: str) -> dict[str, Any]:
        if len(token) > secret_text.LONGEST:
            raise _bad("it is too long")
        try:
            claims = jwt.decode(token, self._key_of, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _bad(type(error).__name__) from error
        if claims.get("iss") != _ISSUER or claims.get("aud") != audience:
            raise _bad("it was made for something else")
        now_s, expires_s = self._now_ns() // _S, claims.get("exp")
        issued_s = claims.get("iat")
        if not isinstance(expires_s, int) or not isinstance(issued_s, int):
            raise _bad("it does not say when it was made and when it ends")
        if issued_s > now_s + SKEW_S:
            raise _bad("it is from the future: the clocks of two hosts differ")
        if now_s >= expires_s + SKEW_S:
            raise UnauthenticatedError(
                "expired_token", "seen: a token that is too old; expected: one of the last minutes"
            )
        return claims

    def _key_of(self, token: Any) -> OctKey:
        """The key that a token names; joserfc asks before it checks anything."""
        kid = token.headers().get("kid")
        if not isinstance(kid, str):
            raise KeyError("kid")
        with self._lock:
            if kid not in self._known and self._may_look():
                self._read()  # another process may have begun with it
            return self._known[kid][0]

    def _may_look(self) -> bool:
        now_s = time.monotonic()
        if len(self._looked_s) == _LOOKS and now_s - self._looked_s[0] < _LOOKS_S:
            return False
        self._looked_s.append(now_s)
        return True

    def _signing(self) -> tuple[str, OctKey]:
        """The newest key, or a new one when that is old."""
        with self._lock:
            if not self._known:
                self._read()
            if not self._has_young():
                self._store.change(self._create_if_old)
                self._read()
            kid = max(self._known, key=lambda name: self._known[name][1])
            return kid, self._known[kid][0]

    def _has_young(self) -> bool:
        oldest_ns = self._now_ns() - ROTATE_S * _S
        return any(created_ns > oldest_ns for _, created_ns in self._known.values())

    def _read(self) -> None:
        rows = self._store.look(self._rows)
        self._known = {kid: (self._derived(kid, secret), at_ns) for kid, secret, at_ns in rows}

    def _rows(self, look: Look) -> list[tuple[Any, ...]]:
        return look.rows(
            "SELECT kid, secret, created_ns FROM signing_key WHERE sealed_by = ?", self._sealed_by
        )

    def _create_if_old(self, change: Change) -> None:
        """Unless another process was quicker."""
        oldest_ns = self._now_ns() - ROTATE_S * _S
        if not any(created_ns > oldest_ns for *_, created_ns in self._rows(change)):
            self._create(change, "identity")

    def _create(self, change: Change, by: str) -> str:
        now_ns, kid = self._now_ns(), secret_text.new_id()
        change.run(
            "DELETE FROM signing_key WHERE created_ns < ?",
            now_ns - (ROTATE_S + COOKIE_S + 2 * SKEW_S) * _S,
        )
        change.run(
            "INSERT INTO signing_key (kid, secret, sealed_by, created_ns) VALUES (?, ?, ?, ?)",
            kid, token_bytes(32), self._sealed_by, now_ns,
        )  # fmt: skip
        change.note(KeyCreated(by=by, kid=kid))
        return kid

    def _derived(self, kid: str, stored: bytes) -> OctKey:
        if self._secret:
            stored = hmac.digest(self._secret, _LABEL + kid.encode() + stored, "sha256")
        return OctKey.import_key(stored)


def _bad(why: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        "bad_token", f"seen: a token that proves nothing ({why}); expected: one of a sign-in"
    )
