"""Users and tokens as who is at the machine itself manages them: he has the database anyway.

Blocks; for the command line and scripts. Not here: what is asked over a network (service).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from holdfast.platform.identity import api_tokens, codes, passwords, sessions, users
from holdfast.platform.identity.codes import Purpose
from holdfast.platform.identity.people import changed, invited
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.identity.signing import Keys
from holdfast.platform.identity.users import UserRow
from holdfast.platform.identity.values import (
    AbsentError,
    ApiToken,
    ForbiddenError,
    Grant,
    Invitation,
    NewApiToken,
    Role,
    Scope,
    Session,
    User,
)
from holdfast.platform.port import Change, Look, PlatformStore
from holdfast.secrets import Secret


class Console:
    """What the command line does.

    Args:
        by: who is at the machine, for the stream.
    """

    def __init__(
        self, store: PlatformStore, by: str, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._by = f"cli:{by}"
        self._now_ns = now_ns

    def users(self) -> tuple[User, ...]:
        """All of them, by name."""
        return self._store.look(users.everybody)

    def create(
        self, name: str, role: Role, grants: Iterable[Grant] = (), password: str = ""
    ) -> Invitation | User:
        """A new user; without a password there is an invitation to set one.

        Raises:
            TakenError, UnsuitableError
        """
        wanted, kept = tuple(grants), _hashed(password, name) if password else ""

        def change(change: Change) -> Invitation | User:
            now_ns = self._now_ns()
            row = users.add(change, name, role, wanted, by=self._by, now_ns=now_ns)
            if not kept:
                return invited(change, row, by=self._by, now_ns=now_ns)
            users.set_password(change, row, kept, by=self._by)
            return users.shown(change, users.required(change, row.user_id))

        return self._store.change(change)

    def invite(self, name: str) -> Invitation:
        """A new invitation to set a password."""
        return self._store.change(
            lambda change: invited(
                change, _named(change, name), by=self._by, now_ns=self._now_ns()
            )
        )

    def set_password(self, name: str, password: str) -> None:
        """Another password; all his sessions end.

        Raises:
            UnsuitableError, AbsentError
        """
        kept = _hashed(password, name)

        def change(change: Change) -> None:
            row = _named(change, name)
            users.set_password(change, row, kept, by=self._by)
            sessions.end_all(change, row.user_id, "password", by=self._by, now_ns=self._now_ns())

        self._store.change(change)

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        reset_totp: bool = False,
    ) -> User:
        """Change what is given.

        Raises:
            AbsentError, ForbiddenError
        """

        def change(change: Change) -> User:
            row = _named(change, name)
            changed(
                change, row.user_id, role=role, disabled=disabled, reset_totp=reset_totp,
                by=self._by, now_ns=self._now_ns(),
            )  # fmt: skip
            return users.shown(change, users.required(change, row.user_id))

        return self._store.change(change)

    def grant(self, name: str, grants: Iterable[Grant], *, revoke: bool = False) -> User:
        """Add to what is his, or take from it."""
        wanted = set(grants)

        def change(change: Change) -> User:
            row = _named(change, name)
            has = set(users.grants_of(change, row.user_id))
            users.set_grants(change, row, has - wanted if revoke else has | wanted, by=self._by)
            return users.shown(change, row)

        return self._store.change(change)

    def link(self, name: str, role: Role = Role.ADMIN) -> str:
        """A one-time code with which a user without a password signs in on this machine.

        He is made where there is none. Of a user who has another proof it would be a way around.

        Raises:
            ForbiddenError: he has a password, or signs in elsewhere.
        """

        def change(change: Change) -> str:
            now_ns = self._now_ns()
            row = users.by_name(change, name)
            if row is None:
                row = users.add(change, name, role, (), by=self._by, now_ns=now_ns)
            if row.password_hash or row.totp_secret or row.oidc_subject:
                raise ForbiddenError(
                    "not_linked", f"seen: {row.name} signs in by himself; expected: a user without "
                    "a password; do: invite him instead",
                )  # fmt: skip
            return codes.give(change, row.user_id, Purpose.LINK, now_ns)[0]

        return self._store.change(change)

    def sessions(self, name: str) -> tuple[Session, ...]:
        """A user's that go on."""
        return self._store.look(
            lambda look: sessions.going_on(look, _named(look, name).user_id, self._now_ns())
        )

    def end_sessions(self, name: str) -> int:
        """End all of a user's; how many there were."""

        def change(change: Change) -> int:
            row, now_ns = _named(change, name), self._now_ns()
            found = sessions.going_on(change, row.user_id, now_ns)
            sessions.end_all(change, row.user_id, "revoked", by=self._by, now_ns=now_ns)
            return len(found)

        return self._store.change(change)

    def tokens(self, name: str) -> tuple[ApiToken, ...]:
        """A user's that are good."""
        return self._store.look(
            lambda look: api_tokens.good(look, _named(look, name).user_id, self._now_ns())
        )

    def create_token(
        self, name: str, label: str, scopes: Iterable[Scope], expires_in_s: int | None
    ) -> NewApiToken:
        """Let a program act for a user, with some of his scopes.

        Raises:
            AbsentError, ForbiddenError, UnsuitableError
        """
        wanted = frozenset(scopes)

        def change(change: Change) -> NewApiToken:
            row = _named(change, name)
            beyond = ", ".join(sorted(wanted - row.role.scopes))
            if beyond:
                raise ForbiddenError(
                    "scope", f"seen: {beyond} for a {row.role} ({row.name}); expected: scopes of "
                    f"his role, {', '.join(sorted(row.role.scopes))}; do: leave them out",
                )  # fmt: skip
            return api_tokens.create(
                change, row.user_id, label, wanted,
                expires_in_s=expires_in_s, by=self._by, now_ns=self._now_ns(),
            )  # fmt: skip

        return self._store.change(change)

    def revoke_token(self, token: str) -> None:
        """End one, whosever it is; its id, or the token as far as it is known."""
        token_id = token.removeprefix("hf_").partition("_")[0]
        self._store.change(
            lambda change: api_tokens.revoke(
                change, token_id, "", by=self._by, now_ns=self._now_ns()
            )
        )

    def seal(self, keys: Sequence[Secret]) -> int:
        """Keep every second factor by the first of some keys; how many were not.

        Raises:
            ConfigError: as `Sealer.opened`; then none is changed.
        """
        sealer = Sealer(keys)
        return self._store.change(
            lambda change: sum(users.reseal_totp(change, row, sealer) for row in users.rows(change))
        )

    def replace_keys(self, secret: Secret | None) -> str:
        """Sign access tokens with a new key, and let no old one prove anything; its id."""
        return Keys(self._store, secret, self._now_ns).replace(self._by)


def _hashed(password: str, name: str) -> str:
    """Before the database is held, since it takes long."""
    passwords.require_suitable(password, name)
    return passwords.hashed(password)


def _named(look: Look, name: str) -> UserRow:
    found = users.by_name(look, name)
    if found is None:
        raise AbsentError(
            "user", f"seen: no user {name!r}; expected: one of `holdfast user list`; do: correct it"
        )
    return found
