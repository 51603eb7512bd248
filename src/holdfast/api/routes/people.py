"""Users, sessions, API tokens, and the audit.

Not here: signing in (routes.auth), who may do what (platform.identity sees to that too).
"""

from __future__ import annotations

import msgspec
from litestar import delete, get, patch, post, put
from litestar.params import JSONBody

from holdfast.api.ask import Ask
from holdfast.api.paging import DEFAULT_ITEMS, Cursor, Limit, cursor, mark
from holdfast.api.ports import Mark
from holdfast.api.routes import persons
from holdfast.api.routes.params import IdPath
from holdfast.api.rules import change, look
from holdfast.api.shapes.people import (
    AuditEvent,
    AuditEvents,
    Invitation,
    Me,
    NewPassword,
    NewToken,
    NewUser,
    Sessions,
    TokenMade,
    Tokens,
    TotpCode,
    TotpOffer,
    User,
    UserChange,
    Users,
)
from holdfast.api.times import moment_of
from holdfast.api.told import told
from holdfast.platform.identity.values import Grant, Scope

TAGS = ["people"]


@get("/me", opt=look(), tags=TAGS)
async def get_me(request: Ask) -> Me:
    """Tell who is asking, and what he may do."""
    return persons.me(request.who)


@put("/me/password", status_code=204, tags=TAGS, opt=change(Scope.READ, audited="identity"))
async def change_password(request: Ask, data: JSONBody[NewPassword]) -> None:
    """Change your own password; all your other sessions end."""
    await request.ports.identity.change_password(
        request.who, data.old, data.new, request.caller
    )


@post(
    "/me/totp", status_code=200, tags=TAGS,
    opt=change(Scope.READ, is_confirmed=False, shown_once=("secret", "uri")),
)  # fmt: skip
async def begin_totp(request: Ask) -> TotpOffer:
    """Make a second factor; it counts once a code of it was given."""
    offer = await request.ports.identity.begin_totp(request.who)
    return TotpOffer(secret=offer.secret, uri=offer.uri)


@put("/me/totp", status_code=204, tags=TAGS, opt=change(Scope.READ, audited="identity"))
async def enable_totp(request: Ask, data: JSONBody[TotpCode]) -> None:
    """Let the second factor count from here on."""
    await request.ports.identity.enable_totp(request.who, data.code)


@delete("/me/totp", status_code=204, tags=TAGS, opt=change(Scope.READ, audited="identity"))
async def disable_totp(request: Ask) -> None:
    """Go without a second factor."""
    await request.ports.identity.disable_totp(request.who)


@get("/me/sessions", opt=look(), tags=TAGS)
async def list_my_sessions(request: Ask) -> Sessions:
    """List your own sessions, newest first."""
    found = await request.ports.identity.sessions(request.who)
    return Sessions(items=tuple(persons.session(one, request.who) for one in found))


@delete(
    "/sessions/{session_id:str}", status_code=204, tags=TAGS,
    opt=change(Scope.READ, whose="session", audited="identity"),
)  # fmt: skip
async def revoke_session(request: Ask, session_id: IdPath) -> None:
    """End a session of yours, or as an administrator anybody's."""
    await request.ports.identity.revoke_session(request.who, session_id)


@get("/me/tokens", opt=look(), tags=TAGS)
async def list_my_tokens(request: Ask) -> Tokens:
    """List your own API tokens; their secrets are nowhere."""
    found = await request.ports.identity.tokens(request.who)
    return Tokens(items=tuple(persons.token(one) for one in found))


@post(
    "/me/tokens", status_code=201, tags=TAGS,
    opt=change(Scope.READ, audited="identity", shown_once=("secret",)),
)  # fmt: skip
async def create_token(request: Ask, data: JSONBody[NewToken]) -> TokenMade:
    """Let a program act for you, with some of your scopes. Its secret is shown once."""
    made = await request.ports.identity.create_token(
        request.who, data.name, data.scopes, data.expires_in_s
    )
    return TokenMade(token=persons.token(made.token), secret=made.secret)


@delete(
    "/tokens/{token_id:str}", status_code=204, tags=TAGS,
    opt=change(Scope.READ, whose="token", audited="identity"),
)  # fmt: skip
async def revoke_token(request: Ask, token_id: IdPath) -> None:
    """End an API token of yours, or as an administrator anybody's."""
    await request.ports.identity.revoke_token(request.who, token_id)


@get("/users", opt=look(Scope.ADMIN), tags=TAGS)
async def list_users(request: Ask) -> Users:
    """List all users, by name."""
    found = await request.ports.identity.users(request.who)
    return Users(items=tuple(persons.user(one) for one in found))


@post(
    "/users", status_code=201, tags=TAGS,
    opt=change(Scope.ADMIN, is_confirmed=True, audited="identity", shown_once=("code",)),
)  # fmt: skip
async def create_user(request: Ask, data: JSONBody[NewUser]) -> Invitation:
    """Let somebody use the platform. The code with which he sets his password is shown once."""
    made = await request.ports.identity.create_user(
        request.who, data.name, data.role, _grants(data.grants)
    )
    return persons.invitation(made)


@get("/users/{user_id:str}", opt=look(Scope.ADMIN, whose="user"), tags=TAGS)
async def get_user(request: Ask, user_id: IdPath) -> User:
    """Show a user."""
    return persons.user(await request.ports.identity.user(request.who, user_id))


@patch(
    "/users/{user_id:str}", status_code=200, tags=TAGS,
    opt=change(Scope.ADMIN, whose="user", is_confirmed=True, audited="identity"),
)  # fmt: skip
async def change_user(request: Ask, user_id: IdPath, data: JSONBody[UserChange]) -> User:
    """Change what a user may do. Disabling him ends his sessions and tokens."""
    changed = await request.ports.identity.change_user(
        request.who, user_id, role=data.role,
        grants=None if data.grants is None else _grants(data.grants),
        disabled=data.disabled, reset_totp=data.reset_totp,
    )  # fmt: skip
    return persons.user(changed)


@post(
    "/users/{user_id:str}/invitation", status_code=201, tags=TAGS,
    opt=change(
        Scope.ADMIN, whose="user", is_confirmed=True, audited="identity", shown_once=("code",)
    ),
)  # fmt: skip
async def invite_user(request: Ask, user_id: IdPath) -> Invitation:
    """Make a new invitation, which is also how a lost password is replaced."""
    return persons.invitation(await request.ports.identity.invite(request.who, user_id))


@get("/users/{user_id:str}/sessions", opt=look(Scope.ADMIN, whose="user"), tags=TAGS)
async def list_user_sessions(request: Ask, user_id: IdPath) -> Sessions:
    """List a user's sessions, newest first."""
    found = await request.ports.identity.sessions(request.who, user_id)
    return Sessions(items=tuple(persons.session(one, request.who) for one in found))


@get("/users/{user_id:str}/tokens", opt=look(Scope.ADMIN, whose="user"), tags=TAGS)
async def list_user_tokens(request: Ask, user_id: IdPath) -> Tokens:
    """List a user's API tokens."""
    found = await request.ports.identity.tokens(request.who, user_id)
    return Tokens(items=tuple(persons.token(one) for one in found))


@get("/audit", opt=look(Scope.ADMIN), tags=TAGS)
async def list_audit(
    request: Ask,
    cursor_: Cursor = None,
    limit: Limit = DEFAULT_ITEMS,
) -> AuditEvents:
    """Tell who did what, newest first. `holdfast audit verify` proves that nothing is missing."""
    begin = mark(cursor_)
    found = await request.ports.audit.events(
        before_seq=0 if begin is None else begin.seq, limit=limit
    )
    items = tuple(
        AuditEvent(
            seq=event.seq, at=moment_of(event.at_ns), kind=kind, by=event.fact.by,
            user_id=event.fact.user_id, told=told(fact), fact=fact,
        )
        for event in found
        for fact in (msgspec.to_builtins(event.fact),)
        for kind in (str(fact.pop("kind")),)
    )  # fmt: skip
    end = Mark(0, "", found[-1].seq) if found and found[-1].seq > 1 else None
    return AuditEvents(items=items, next_cursor=cursor(end))


def _grants(given: tuple[persons.GrantShape, ...]) -> tuple[Grant, ...]:
    return tuple(Grant(one.account, one.bot) for one in given)


ROUTES = [
    get_me, change_password, begin_totp, enable_totp, disable_totp, list_my_sessions,
    revoke_session, list_my_tokens, create_token, revoke_token, list_users, create_user, get_user,
    change_user, invite_user, list_user_sessions, list_user_tokens, list_audit,
]  # fmt: skip
