"""API tokens: a program's leave to act for a user, `hf_ID_SECRET`, of which a hash is kept.

Functions on tables within a transaction of the caller's. Not here: who may have one (service).
"""

from __future__ import annotations

from collections.abc import Iterable
from hmac import compare_digest
from typing import Any, Final

from holdfast.domain.platform import TokenCreated, TokenRevoked
from holdfast.platform.identity import secret_text
from holdfast.platform.identity.values import (
    AbsentError,
    ApiToken,
    NewApiToken,
    Scope,
    UnsuitableError,
)
from holdfast.platform.port import Change, Look

USUAL_S: Final = 90 * 86_400
MOST: Final = 50
"""Of one user at once."""

_S: Final = 1_000_000_000
SEEN_EVERY_NS: Final = 60 * _S
_NAME: Final = 100
_COLUMNS: Final = "token_id, user_id, name, scopes, created_ns, expires_ns, last_used_ns"


def create(
    change: Change,
    user_id: str,
    name: str,
    scopes: Iterable[Scope],
    *,
    expires_in_s: int | None,
    by: str,
    now_ns: int,
) -> NewApiToken:
    """A new one; `expires_in_s`: None is 90 days, 0 never.

    Raises:
        UnsuitableError: no name, no scope, a time that is none, or too many of them.
    """
    name, wanted = name.strip(), sorted(set(scopes))
    if not 0 < len(name) <= _NAME or not name.isprintable():
        raise UnsuitableError("name", f"expected: 1 to {_NAME} characters to know it by", "name")
    if not wanted:
        raise UnsuitableError("scopes", "seen: none; expected: what it is for", "scopes")
    lasts_s = USUAL_S if expires_in_s is None else expires_in_s
    if lasts_s < 0:
        field = "expires_in_s"
        raise UnsuitableError(field, f"seen: {lasts_s}; expected: 0 or more", field)
    if len(good(change, user_id, now_ns)) >= MOST:
        raise UnsuitableError("tokens", f"seen: {MOST} already; do: revoke some", "name")
    token_id, granted = secret_text.new_id(), " ".join(wanted)
    secret = secret_text.new(f"{secret_text.API_TOKEN}{token_id}_")
    expires_ns = now_ns + lasts_s * _S if lasts_s else 0
    change.run(
        "INSERT INTO api_token (token_id, user_id, name, hash, scopes, created_ns, expires_ns, "
        "last_used_ns, revoked_ns) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
        token_id, user_id, name, secret_text.kept(secret), granted, now_ns, expires_ns,
    )  # fmt: skip
    change.note(
        TokenCreated(
            by=by, user_id=user_id, token_id=token_id, name=name,
            scopes=tuple(scope.value for scope in wanted), expires_ns=expires_ns,
        )
    )  # fmt: skip
    token = _shown((token_id, user_id, name, granted, now_ns, expires_ns, 0))
    return NewApiToken(token, secret)


def find(look: Look, secret: str, now_ns: int) -> ApiToken | None:
    """The token whose secret this is, while it is good."""
    token_id = secret.removeprefix(secret_text.API_TOKEN).partition("_")[0]
    row = look.row(
        f"SELECT {_COLUMNS}, hash FROM api_token WHERE token_id = ? AND revoked_ns = 0 "  # noqa: S608
        "AND (expires_ns = 0 OR expires_ns > ?)",
        token_id, now_ns,
    )  # fmt: skip
    if row is None or not compare_digest(row[-1], secret_text.kept(secret)):
        return None
    return _shown(row[:-1])


def good(look: Look, user_id: str, now_ns: int) -> tuple[ApiToken, ...]:
    """A user's that are good, newest first."""
    rows = look.rows(
        f"SELECT {_COLUMNS} FROM api_token WHERE user_id = ? AND revoked_ns = 0 "  # noqa: S608
        "AND (expires_ns = 0 OR expires_ns > ?) ORDER BY created_ns DESC",
        user_id, now_ns,
    )  # fmt: skip
    return tuple(map(_shown, rows))


def see(change: Change, token_id: str, now_ns: int) -> None:
    """Note that it was used, within a minute."""
    change.run(
        "UPDATE api_token SET last_used_ns = ? WHERE token_id = ? AND last_used_ns < ?",
        now_ns, token_id, now_ns - SEEN_EVERY_NS,
    )  # fmt: skip


def is_to_be_seen(token: ApiToken, now_ns: int) -> bool:
    """Whether `see` would change anything."""
    return token.last_used_ns < now_ns - SEEN_EVERY_NS


def revoke(change: Change, token_id: str, user_id: str, *, by: str, now_ns: int) -> None:
    """End one of this user's (any user's where `user_id` is empty).

    Raises:
        AbsentError
    """
    row = change.row(
        "SELECT user_id FROM api_token WHERE token_id = ? AND revoked_ns = 0", token_id
    )
    if row is None or user_id not in ("", row[0]):
        raise AbsentError("token", f"seen: no token {token_id!r}; expected: one that is good")
    change.run("UPDATE api_token SET revoked_ns = ? WHERE token_id = ?", now_ns, token_id)
    change.note(TokenRevoked(by=by, user_id=row[0], token_id=token_id))


def revoke_all(change: Change, user_id: str, *, by: str, now_ns: int) -> None:
    """End all of a user's that are good."""
    for token in good(change, user_id, now_ns):
        revoke(change, token.token_id, user_id, by=by, now_ns=now_ns)


def _shown(row: tuple[Any, ...]) -> ApiToken:
    token_id, user_id, name, scopes, created_ns, expires_ns, last_used_ns = row
    return ApiToken(
        token_id=token_id,
        user_id=user_id,
        name=name,
        prefix=f"{secret_text.API_TOKEN}{token_id}",
        scopes=frozenset(map(Scope, scopes.split())),
        created_ns=created_ns,
        expires_ns=expires_ns,
        last_used_ns=last_used_ns,
    )
