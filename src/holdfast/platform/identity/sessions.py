"""Sessions: sign-ins that go on by refresh tokens, each of which is good once.

Functions on tables within a transaction of the caller's. Not here: access tokens (signing), who may
end whose (service).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from holdfast.domain.platform import SessionEnded, SignedIn
from holdfast.platform.identity import secret_text
from holdfast.platform.identity.users import UserRow
from holdfast.platform.identity.values import Caller, Session
from holdfast.platform.port import Change, Look

IDLE_S: Final = 7 * 86_400
WHOLE_S: Final = 30 * 86_400
STEP_UP_S: Final = 300
LOST_ANSWER_S: Final = 10
"""For so long the token before may be used again, while nobody used the one that came of it."""

_S: Final = 1_000_000_000
_VOID: Final = 1
"""When a token was used that nobody used: another one was given out in its place."""

_AGENT: Final = 200
_COLUMNS: Final = (
    "session_id, user_id, method, address, agent, created_ns, last_used_ns, expires_ns, "
    "step_up_until_ns, ended_ns"
)


class Method(StrEnum):
    """How a session began."""

    PASSWORD = "password"  # noqa: S105 - a name
    TOTP = "totp"
    OIDC = "oidc"
    LINK = "link"
    INVITATION = "invitation"


class SessionRow(msgspec.Struct, frozen=True, array_like=True):
    """A session as kept; the columns of its table."""

    session_id: str
    user_id: str
    method: Method
    address: str
    agent: str
    created_ns: int
    last_used_ns: int
    expires_ns: int
    step_up_until_ns: int
    ended_ns: int

    def goes_on(self, now_ns: int) -> bool:
        """Whether it was neither ended nor forgotten."""
        return not self.ended_ns and now_ns < self.expires_ns


class Refusal(StrEnum):
    """Why a refresh token is none, in the words of `UnauthenticatedError`."""

    BAD = "bad_token"
    REVOKED = "revoked"
    EXPIRED = "expired_token"
    REUSE = "reuse"


def find(look: Look, session_id: str) -> SessionRow | None:
    """The session of this id, whether it goes on or not."""
    row = look.row(f"SELECT {_COLUMNS} FROM session WHERE session_id = ?", session_id)  # noqa: S608
    return None if row is None else msgspec.convert(row, SessionRow)


def going_on(look: Look, user_id: str, now_ns: int) -> tuple[Session, ...]:
    """A user's, newest first."""
    rows = look.rows(
        f"SELECT {_COLUMNS} FROM session WHERE user_id = ? AND ended_ns = 0 "  # noqa: S608
        "AND expires_ns > ? ORDER BY created_ns DESC",
        user_id, now_ns,
    )  # fmt: skip
    return tuple(_shown(msgspec.convert(row, SessionRow)) for row in rows)


def is_usual(look: Look, name: str, address: str, now_ns: int) -> bool:
    """Whether the user of this name was let in from an address, and was here since, in a month.

    A session that ended counts too; its row stays for longer than that.
    """
    row = look.row(
        "SELECT 1 FROM session WHERE address = ? AND last_used_ns > ? AND user_id = "
        "(SELECT user_id FROM platform_user WHERE name = ?) LIMIT 1",
        address, now_ns - WHOLE_S * _S, name,
    )  # fmt: skip
    return row is not None


def begin(
    change: Change, user: UserRow, method: Method, caller: Caller, now_ns: int
) -> tuple[SessionRow, str]:
    """A new session, and its first refresh token.

    A sign-in elsewhere is a confirmation only of who has nothing else to confirm with here: a
    provider in whose browser somebody is signed in asks him for no more than a click.
    """
    has_proof = bool(user.totp_secret or user.password_hash)
    is_confirmed = method is Method.OIDC and not has_proof
    row = SessionRow(
        secret_text.new_id(), user.user_id, method, caller.address, _readable(caller.agent),
        now_ns, now_ns, now_ns + IDLE_S * _S,
        now_ns + STEP_UP_S * _S if is_confirmed else 0, 0,
    )  # fmt: skip
    change.run(
        f"INSERT INTO session ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        *msgspec.to_builtins(row),
    )
    change.run(
        "UPDATE platform_user SET last_sign_in_ns = ? WHERE user_id = ?", now_ns, user.user_id
    )
    change.note(
        SignedIn(
            by=f"user:{user.name}", user_id=user.user_id, session_id=row.session_id,
            method=method.value, address=caller.address,
        )
    )  # fmt: skip
    _forget_old(change, now_ns)
    return row, _next_token(change, row.session_id, now_ns)


def rotate(change: Change, refresh_token: str, now_ns: int) -> tuple[SessionRow, str] | Refusal:
    """Use a refresh token up; the session, and the next one. Reuse ends the session, for all."""
    digest = secret_text.kept(refresh_token)
    token = change.row("SELECT session_id, used_ns FROM refresh_token WHERE hash = ?", digest)
    session = None if token is None else find(change, token[0])
    if token is None or session is None:
        return Refusal.BAD
    if not session.goes_on(now_ns):
        return Refusal.REVOKED if session.ended_ns else Refusal.EXPIRED
    used = change.run(
        "UPDATE refresh_token SET used_ns = ? WHERE hash = ? AND used_ns = 0", now_ns, digest
    )
    if not used and not _take_back(change, digest, now_ns):
        end(change, session, "reuse", by="identity", now_ns=now_ns)
        return Refusal.REUSE
    expires_ns = min(now_ns + IDLE_S * _S, session.created_ns + WHOLE_S * _S)
    change.run(
        "UPDATE session SET last_used_ns = ?, expires_ns = ? WHERE session_id = ?",
        now_ns, expires_ns, session.session_id,
    )  # fmt: skip
    session = msgspec.structs.replace(session, last_used_ns=now_ns, expires_ns=expires_ns)
    return session, _next_token(change, session.session_id, now_ns)


def confirm(change: Change, session: SessionRow, now_ns: int) -> SessionRow:
    """For some minutes it may do what adds risk."""
    until_ns = now_ns + STEP_UP_S * _S
    change.run(
        "UPDATE session SET step_up_until_ns = ? WHERE session_id = ?",
        until_ns, session.session_id,
    )  # fmt: skip
    return msgspec.structs.replace(session, step_up_until_ns=until_ns)


def end(change: Change, session: SessionRow | Session, why: str, *, by: str, now_ns: int) -> None:
    """End it, with all that came of it. Safe to repeat."""
    ended = change.run(
        "UPDATE session SET ended_ns = ? WHERE session_id = ? AND ended_ns = 0",
        now_ns, session.session_id,
    )  # fmt: skip
    if ended:
        change.note(
            SessionEnded(by=by, user_id=session.user_id, session_id=session.session_id, why=why)
        )


def end_all(
    change: Change, user_id: str, why: str, *, by: str, now_ns: int, but: str = ""
) -> None:
    """End all of a user's, but for one perhaps."""
    for session in going_on(change, user_id, now_ns):
        if session.session_id != but:
            end(change, session, why, by=by, now_ns=now_ns)


def _take_back(change: Change, digest: bytes, now_ns: int) -> bool:
    """Whether the answer to its first use may have been lost: then the token of that is void.

    One that came of it and was used since says that the answer arrived, and that two have it.
    """
    row = change.row("SELECT session_id, used_ns FROM refresh_token WHERE hash = ?", digest)
    if row is None or now_ns - row[1] > LOST_ANSWER_S * _S:
        return False
    later = change.row(
        "SELECT 1 FROM refresh_token WHERE session_id = ? AND used_ns > ? AND issued_ns >= ? "
        "AND hash <> ?",
        row[0], _VOID, row[1], digest,
    )  # fmt: skip
    if later is not None:
        return False
    change.run(
        "UPDATE refresh_token SET used_ns = ? WHERE session_id = ? AND used_ns = 0",
        _VOID, row[0],
    )  # fmt: skip
    return True


def _next_token(change: Change, session_id: str, now_ns: int) -> str:
    token = secret_text.new(secret_text.REFRESH_TOKEN)
    change.run(
        "INSERT INTO refresh_token (hash, session_id, issued_ns, used_ns) VALUES (?, ?, ?, 0)",
        secret_text.kept(token), session_id, now_ns,
    )  # fmt: skip
    return token


def _forget_old(change: Change, now_ns: int) -> None:
    """What ended long ago is in the stream; here it would only grow."""
    before_ns = now_ns - WHOLE_S * _S
    change.run(
        "DELETE FROM refresh_token WHERE session_id IN "
        "(SELECT session_id FROM session WHERE expires_ns < ?)",
        before_ns,
    )
    change.run("DELETE FROM session WHERE expires_ns < ?", before_ns)


def _readable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_AGENT]


def _shown(row: SessionRow) -> Session:
    return Session(
        session_id=row.session_id,
        user_id=row.user_id,
        method=row.method.value,
        address=row.address,
        agent=row.agent,
        created_ns=row.created_ns,
        last_used_ns=row.last_used_ns,
        expires_ns=row.expires_ns,
    )
