"""Users: their rows, what is theirs, and how each of it changes.

Functions on tables within a transaction of the caller's. Not here: who may do it (service), how a
password is kept (passwords).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from holdfast.domain.platform import UserChanged, UserCreated
from holdfast.platform.identity import secret_text
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.identity.values import (
    AbsentError,
    ForbiddenError,
    Grant,
    Role,
    TakenError,
    UnsuitableError,
    User,
)
from holdfast.platform.port import Change, Look

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._+@-]{1,253}")
_ACCOUNT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_COLUMNS: Final = (
    "user_id, name, role, password_hash, totp_secret, totp_offered, totp_step, oidc_subject, "
    "disabled, created_ns, last_sign_in_ns"
)


class UserRow(msgspec.Struct, frozen=True, array_like=True):
    """A user as kept; the columns of `platform_user`."""

    user_id: str
    name: str
    role: Role
    password_hash: str
    totp_secret: str
    totp_offered: str
    totp_step: int
    oidc_subject: str | None
    disabled: bool
    created_ns: int
    last_sign_in_ns: int


def by_id(look: Look, user_id: str) -> UserRow | None:
    """The user of this id."""
    return _found(look, "user_id", user_id)


def by_name(look: Look, name: str) -> UserRow | None:
    """The user who signs in with this name; letters' case does not matter."""
    return _found(look, "name", named(name)) if named(name) else None


def named(name: str) -> str:
    """A name as it is kept; empty when nobody can be called so."""
    name = name.strip().lower()
    return name if _NAME.fullmatch(name) else ""


def by_subject(look: Look, subject: str) -> UserRow | None:
    """The user whom a provider elsewhere calls so."""
    return _found(look, "oidc_subject", subject)


def required(look: Look, user_id: str) -> UserRow:
    """The user of this id.

    Raises:
        AbsentError
    """
    found = by_id(look, user_id)
    if found is None:
        raise AbsentError("user", f"seen: no user {user_id!r}; expected: one that was created")
    return found


def grants_of(look: Look, user_id: str) -> tuple[Grant, ...]:
    """What is his, in order."""
    rows = look.rows(
        "SELECT account, bot FROM user_grant WHERE user_id = ? ORDER BY account, bot", user_id
    )
    return tuple(Grant(account, bot) for account, bot in rows)


def rows(look: Look) -> tuple[UserRow, ...]:
    """All users as they are kept, by name."""
    found = look.rows(f"SELECT {_COLUMNS} FROM platform_user ORDER BY name")  # noqa: S608
    return tuple(_row(row) for row in found)


def shown(look: Look, row: UserRow) -> User:
    """A user without what is secret."""
    return User(
        user_id=row.user_id,
        name=row.name,
        role=row.role,
        grants=grants_of(look, row.user_id),
        has_password=bool(row.password_hash),
        has_totp=bool(row.totp_secret),
        has_oidc=row.oidc_subject is not None,
        disabled=row.disabled,
        created_ns=row.created_ns,
        last_sign_in_ns=row.last_sign_in_ns,
    )


def everybody(look: Look) -> tuple[User, ...]:
    """All users, by name."""
    return tuple(shown(look, row) for row in rows(look))


def add(
    change: Change, name: str, role: Role, grants: Iterable[Grant], *, by: str, now_ns: int
) -> UserRow:
    """A new user, who cannot prove yet who he is.

    Raises:
        TakenError, UnsuitableError
    """
    name = _checked_name(name)
    row = UserRow(secret_text.new_id(), name, role, "", "", "", 0, None, False, now_ns, 0)
    added = change.run(
        f"INSERT INTO platform_user ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        "ON CONFLICT DO NOTHING",
        *(int(value) if isinstance(value, bool) else value for value in msgspec.to_builtins(row)),
    )
    if not added:
        raise TakenError("name", f"seen: a user {name} already; expected: a new name")
    change.note(UserCreated(by=by, user_id=row.user_id, name=name, role=role))
    set_grants(change, row, grants, by=by)
    return row


def set_grants(change: Change, row: UserRow, grants: Iterable[Grant], *, by: str) -> None:
    """What is his from here on.

    Raises:
        UnsuitableError: no account or bot can be called so.
    """
    wanted = tuple(sorted(set(grants)))
    for grant in wanted:
        names = [grant.account, *([grant.bot] if grant.bot else [])]
        if not all(_ACCOUNT.fullmatch(name) for name in names):
            raise UnsuitableError(
                "grants", f"seen: {str(grant)!r}; expected: ACCOUNT or ACCOUNT/BOT", "grants"
            )
    if wanted == grants_of(change, row.user_id):
        return
    change.run("DELETE FROM user_grant WHERE user_id = ?", row.user_id)
    for grant in wanted:
        change.run(
            "INSERT INTO user_grant (user_id, account, bot) VALUES (?, ?, ?)",
            row.user_id, grant.account, grant.bot,
        )  # fmt: skip
    _note(change, row, by, "grants", ", ".join(map(str, wanted)))


def set_role(change: Change, row: UserRow, role: Role, *, by: str) -> None:
    """What he may do from here on.

    Raises:
        ForbiddenError: nobody would be left to undo it.
    """
    if role is row.role:
        return
    if role is not Role.ADMIN:
        _require_another_admin(change, row)
    change.run("UPDATE platform_user SET role = ? WHERE user_id = ?", role.value, row.user_id)
    _note(change, row, by, "role", role)


def set_disabled(change: Change, row: UserRow, disabled: bool, *, by: str) -> None:
    """Whether he is shut out; his sessions are the caller's to end.

    Raises:
        ForbiddenError: nobody would be left to undo it.
    """
    if disabled is row.disabled:
        return
    if disabled:
        _require_another_admin(change, row)
    change.run(
        "UPDATE platform_user SET disabled = ? WHERE user_id = ?", int(disabled), row.user_id
    )
    _note(change, row, by, "disabled", str(disabled).lower())


def set_password(change: Change, row: UserRow, password_hash: str, *, by: str) -> None:
    """Another password; the caller has checked it, and hashed it before."""
    change.run(
        "UPDATE platform_user SET password_hash = ? WHERE user_id = ?", password_hash, row.user_id
    )
    _note(change, row, by, "password")


def strengthen_password(change: Change, row: UserRow, password_hash: str) -> None:
    """The same password, kept better."""
    change.run(
        "UPDATE platform_user SET password_hash = ? WHERE user_id = ? AND password_hash = ?",
        password_hash, row.user_id, row.password_hash,
    )  # fmt: skip


def offer_totp(change: Change, row: UserRow, sealed: str) -> None:
    """A second factor that does not count yet."""
    change.run(
        "UPDATE platform_user SET totp_offered = ? WHERE user_id = ?", sealed, row.user_id
    )


def enable_totp(change: Change, row: UserRow, step: int, *, by: str) -> None:
    """The one that was offered counts from here on."""
    change.run(
        "UPDATE platform_user SET totp_secret = totp_offered, totp_offered = '', totp_step = ? "
        "WHERE user_id = ?",
        step, row.user_id,
    )  # fmt: skip
    _note(change, row, by, "totp", "on")


def reseal_totp(change: Change, row: UserRow, sealer: Sealer) -> bool:
    """Keep his second factor by the newest key; False when it was so already.

    Raises:
        ConfigError: as `Sealer.opened`.
    """
    if sealer.is_current(row.totp_secret) and sealer.is_current(row.totp_offered):
        return False
    again = [
        sealer.sealed(sealer.opened(kept, row.user_id), row.user_id) if kept else ""
        for kept in (row.totp_secret, row.totp_offered)
    ]
    changed = change.run(
        "UPDATE platform_user SET totp_secret = ?, totp_offered = ? "
        "WHERE user_id = ? AND totp_secret = ? AND totp_offered = ?",
        *again, row.user_id, row.totp_secret, row.totp_offered,
    )  # fmt: skip
    return bool(changed)


def disable_totp(change: Change, row: UserRow, *, by: str) -> None:
    """He has none from here on."""
    change.run(
        "UPDATE platform_user SET totp_secret = '', totp_offered = '' WHERE user_id = ?",
        row.user_id,
    )
    _note(change, row, by, "totp", "off")


def use_totp_step(change: Change, row: UserRow, step: int) -> bool:
    """Take a code's step, if neither it nor a later one was taken before."""
    return bool(
        change.run(
            "UPDATE platform_user SET totp_step = ? WHERE user_id = ? AND totp_step < ?",
            step, row.user_id, step,
        )
    )  # fmt: skip


def bind_subject(change: Change, row: UserRow, subject: str, *, by: str) -> bool:
    """From here on a provider's user is this one; False when either is another's already."""
    if row.oidc_subject is not None or by_subject(change, subject) is not None:
        return row.oidc_subject == subject
    change.run(
        "UPDATE platform_user SET oidc_subject = ? WHERE user_id = ?", subject, row.user_id
    )
    _note(change, row, by, "oidc", subject)
    return True


def note_invited(change: Change, row: UserRow, *, by: str) -> None:
    """Somebody gave him a code with which he sets his password."""
    _note(change, row, by, "invited")


def count(look: Look) -> int:
    """How many there are."""
    found = look.row("SELECT count(*) FROM platform_user")
    return int(found[0]) if found else 0


def _require_another_admin(look: Look, row: UserRow) -> None:
    if row.role is not Role.ADMIN or row.disabled:
        return
    others = look.row(
        "SELECT 1 FROM platform_user WHERE role = ? AND disabled = 0 AND user_id <> ?",
        Role.ADMIN.value, row.user_id,
    )  # fmt: skip
    if others is None:
        raise ForbiddenError(
            "last_admin",
            f"seen: {row.name} is the only admin; expected: another one, who could undo it; do: "
            "make somebody else an admin before",
        )


def _note(change: Change, row: UserRow, by: str, what: str, to: str = "") -> None:
    change.note(UserChanged(by=by, user_id=row.user_id, what=what, to=to))


def _found(look: Look, column: str, value: str) -> UserRow | None:
    found = look.row(f"SELECT {_COLUMNS} FROM platform_user WHERE {column} = ?", value)  # noqa: S608
    return None if found is None else _row(found)


def _row(row: tuple[object, ...]) -> UserRow:
    return msgspec.convert(row, UserRow, strict=False)


def _checked_name(name: str) -> str:
    if not named(name):
        raise UnsuitableError(
            "name",
            f"seen: the name {name[:60]!r}; expected: an address such as ana@example.com, or 2 to "
            "254 of a-z, 0-9 and ._+@-, with a letter or digit first",
            "name",
        )
    return named(name)
