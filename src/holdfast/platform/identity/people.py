"""Users as they are managed: by admins, and each by himself.

Not here: the rows (users), proofs of who somebody is (sign_ins).
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.platform.identity import api_tokens, codes, sessions, throttle, totp, users
from holdfast.platform.identity.codes import Purpose
from holdfast.platform.identity.core import (
    Core,
    require,
    require_oneself_or_admin,
    require_session,
)
from holdfast.platform.identity.sign_ins import SignIns
from holdfast.platform.identity.users import UserRow
from holdfast.platform.identity.values import (
    Caller,
    Grant,
    Invitation,
    Principal,
    Role,
    Scope,
    TotpOffer,
    UnauthenticatedError,
    UnsuitableError,
    User,
)
from holdfast.platform.port import Change, Look


class People:
    """The part of `Identity` that manages users."""

    def __init__(self, core: Core, sign_ins: SignIns) -> None:
        self._core = core
        self._sign_ins = sign_ins

    async def user(self, principal: Principal, user_id: str = "") -> User:
        """Himself, or for an admin anybody."""
        wanted = require_oneself_or_admin(principal, user_id)
        return await self._core.look(lambda look: users.shown(look, users.required(look, wanted)))

    async def users(self, principal: Principal) -> tuple[User, ...]:
        """All users by name; for admins."""
        require(principal, Scope.ADMIN)
        return await self._core.look(users.everybody)

    async def create_user(
        self, principal: Principal, name: str, role: Role, grants: Iterable[Grant] = ()
    ) -> Invitation:
        """Let somebody use the platform; for confirmed admins."""
        self._core.require_confirmed(principal, Scope.ADMIN)
        wanted, now_ns = tuple(grants), self._core.now_ns()

        def change(change: Change) -> Invitation:
            row = users.add(change, name, role, wanted, by=principal.actor, now_ns=now_ns)
            return invited(change, row, by=principal.actor, now_ns=now_ns)

        return await self._core.change(change)

    async def invite(self, principal: Principal, user_id: str) -> Invitation:
        """A new invitation, which is also how a lost password is replaced; for confirmed admins."""
        self._core.require_confirmed(principal, Scope.ADMIN)
        now_ns = self._core.now_ns()
        return await self._core.change(
            lambda change: invited(
                change, users.required(change, user_id), by=principal.actor, now_ns=now_ns
            )
        )

    async def change_user(
        self,
        principal: Principal,
        user_id: str,
        *,
        role: Role | None = None,
        grants: Iterable[Grant] | None = None,
        disabled: bool | None = None,
        reset_totp: bool = False,
    ) -> User:
        """Change what is given; for confirmed admins."""
        self._core.require_confirmed(principal, Scope.ADMIN)
        wanted, now_ns = None if grants is None else tuple(grants), self._core.now_ns()

        def change(change: Change) -> User:
            if wanted is not None:
                row = users.required(change, user_id)
                users.set_grants(change, row, wanted, by=principal.actor)
            changed(
                change, user_id, role=role, disabled=disabled, reset_totp=reset_totp,
                by=principal.actor, now_ns=now_ns,
            )  # fmt: skip
            return users.shown(change, users.required(change, user_id))

        return await self._core.change(change)

    async def change_password(
        self, principal: Principal, old: str, new: str, caller: Caller
    ) -> None:
        """Change his own; all his other sessions end."""
        require_session(principal)
        user = await self._sign_ins.prove_password(principal, old, caller)
        kept, now_ns = await self._core.hash_password(new, user.name), self._core.now_ns()

        def change(change: Change) -> None:
            throttle.succeeded(change, user.name, caller.address, within=principal.session_id)
            users.set_password(change, user, kept, by=principal.actor)
            sessions.end_all(
                change, user.user_id, "password",
                by=principal.actor, now_ns=now_ns, but=principal.session_id,
            )  # fmt: skip

        await self._core.change(change)

    async def begin_totp(self, principal: Principal) -> TotpOffer:
        """A new second factor, which does not count yet; for confirmed sessions."""
        self._core.require_confirmed(principal, Scope.READ)
        offer = totp.offered(principal.name)
        sealed = self._core.sealer.sealed(offer.secret, principal.user_id)
        await self._core.change(
            lambda change: users.offer_totp(change, self._own(change, principal), sealed)
        )
        return offer

    async def enable_totp(self, principal: Principal, code: str) -> None:
        """It counts from here on."""
        self._core.require_confirmed(principal, Scope.READ)
        now_ns = self._core.now_ns()

        def change(change: Change) -> bool:
            user = self._own(change, principal)
            offered = self._core.sealer.opened(user.totp_offered, user.user_id)
            step = totp.step_of(offered, code, now_ns) if offered else None
            if step is None:
                return False
            users.enable_totp(change, user, step, by=principal.actor)
            return True

        if not await self._core.change(change):
            raise UnauthenticatedError(
                "wrong_credentials", "seen: no code of the new authenticator; expected: its last"
            )

    async def disable_totp(self, principal: Principal) -> None:
        """Go without; for confirmed sessions."""
        self._core.require_confirmed(principal, Scope.READ)
        await self._core.change(
            lambda change: users.disable_totp(
                change, self._own(change, principal), by=principal.actor
            )
        )

    @staticmethod
    def _own(look: Look, principal: Principal) -> UserRow:
        return users.required(look, principal.user_id)


# -- the same for who is at the machine itself (console) -------------------------------------------


def invited(change: Change, row: UserRow, *, by: str, now_ns: int) -> Invitation:
    """A code with which a user sets his password.

    Raises:
        UnsuitableError: he may not sign in at all.
    """
    if row.disabled:
        raise UnsuitableError(
            "disabled", f"seen: {row.name} is disabled; do: enable him before", "user_id"
        )
    code, expires_ns = codes.give(change, row.user_id, Purpose.INVITATION, now_ns)
    users.note_invited(change, row, by=by)
    return Invitation(users.shown(change, row), code, expires_ns)


def changed(
    change: Change,
    user_id: str,
    *,
    role: Role | None = None,
    disabled: bool | None = None,
    reset_totp: bool = False,
    by: str,
    now_ns: int,
) -> None:
    """Change what is given; a user who is or was disabled has no session and no token any more.

    Raises:
        AbsentError, ForbiddenError
    """
    if role is not None:
        users.set_role(change, users.required(change, user_id), role, by=by)
    if disabled is not None:
        row = users.required(change, user_id)
        users.set_disabled(change, row, disabled, by=by)
        if disabled:
            sessions.end_all(change, user_id, "disabled", by=by, now_ns=now_ns)
        if disabled or row.disabled:  # whoever an earlier version disabled has his still
            api_tokens.revoke_all(change, user_id, by=by, now_ns=now_ns)
    if reset_totp:
        users.disable_totp(change, users.required(change, user_id), by=by)
