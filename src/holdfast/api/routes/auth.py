"""Signing in, carrying a session on, confirming it, signing out.

A browser gets its refresh token in a cookie that no script can read and that goes to these routes
only; programs get it in the answer. Not here: how anything is proved (platform.identity).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import quote

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody, QueryParameter
from litestar.response import Redirect

from holdfast.api.ask import Ask
from holdfast.api.routes import persons
from holdfast.api.rules import change, public
from holdfast.api.shapes.people import (
    Confirmation,
    Invited,
    Link,
    Refresh,
    SignedIn,
    SignIn,
    SignInWays,
)
from holdfast.errors import RejectedError
from holdfast.platform.identity import values
from holdfast.platform.identity.values import Scope

TAGS = ["sign-in"]
PATH: Final = "/api/v1/auth"
REFRESH: Final = "holdfast_refresh"
OIDC: Final = "holdfast_oidc"
_STARTS: Final = {"is_change": True, "has_key": False, "audited": "identity"}

# Whether the answer goes to a browser, which keeps the refresh token in a cookie.
ByCookie = Annotated[
    bool,
    QueryParameter(
        name="cookie", required=False,
        description="Put the refresh token into an HttpOnly cookie, not into the answer.",
    ),
]  # fmt: skip


@get("/auth/ways", opt=public(), tags=TAGS)
async def list_ways(request: Ask) -> SignInWays:
    """Tell how one may sign in here."""
    return SignInWays(password=True, google=request.ports.identity.has_oidc())


@post("/auth/sign-in", status_code=200, tags=TAGS, opt=public(**_STARTS))
async def sign_in(
    request: Ask, data: JSONBody[SignIn], cookie: ByCookie = False
) -> Response[SignedIn]:
    """Begin a session with name and password, and the second factor where there is one."""
    done = await request.ports.identity.sign_in(
        data.name, data.password, data.totp, request.caller
    )
    return _signed_in(request, done, by_cookie=cookie)


@post("/auth/link", status_code=200, tags=TAGS, opt=public(**_STARTS))
async def redeem_link(
    request: Ask, data: JSONBody[Link], cookie: ByCookie = False
) -> Response[SignedIn]:
    """Begin a session by a one-time link, from the machine that this runs on."""
    done = await request.ports.identity.redeem_link(data.code, request.caller)
    return _signed_in(request, done, by_cookie=cookie)


@post("/auth/invitation", status_code=200, tags=TAGS, opt=public(**_STARTS))
async def accept_invitation(
    request: Ask, data: JSONBody[Invited], cookie: ByCookie = False
) -> Response[SignedIn]:
    """Set the password of an invitation, and begin a session."""
    done = await request.ports.identity.accept_invitation(
        data.code, data.password, request.caller
    )
    return _signed_in(request, done, by_cookie=cookie)


@post("/auth/refresh", status_code=200, tags=TAGS, opt=public(**_STARTS))
async def refresh(request: Ask, data: JSONBody[Refresh]) -> Response[SignedIn]:
    """Carry a session on. The token is used up; using it twice ends the session."""
    token = data.refresh_token or request.cookies.get(REFRESH, "")
    if not token:
        raise values.UnauthenticatedError(
            "no_token", "seen: no refresh token; expected: the last one; do: sign in"
        )
    done = await request.ports.identity.refresh(token, request.caller)
    return _signed_in(request, done, by_cookie=not data.refresh_token)


@post(
    "/auth/confirm", status_code=200, tags=TAGS,
    opt=change(Scope.READ, has_key=False, audited="identity"),
)  # fmt: skip
async def confirm(
    request: Ask, data: JSONBody[Confirmation], cookie: ByCookie = False
) -> Response[SignedIn]:
    """Let this session do for some minutes what adds risk: prove again who you are."""
    done = await request.ports.identity.confirm(
        request.who, data.password, data.totp, request.caller
    )
    return _signed_in(request, done, by_cookie=cookie)


@post(
    "/auth/sign-out", status_code=204, tags=TAGS,
    opt=change(Scope.READ, has_key=False, audited="identity"),
)  # fmt: skip
async def sign_out(request: Ask) -> Response[None]:
    """End this session."""
    await request.ports.identity.sign_out(request.who)
    return Response(None, cookies=[_cookie(request, REFRESH, "", 0)])


@get("/auth/google", opt=public(), tags=TAGS, status_code=302)
async def begin_google(request: Ask) -> Redirect:
    """Begin a sign-in at Google; the browser comes back to `/api/v1/auth/google/callback`."""
    begun = await request.ports.identity.begin_oidc(_redirect_uri(request))
    # Lax: the browser comes back from another site, and must bring it.
    cookie = _cookie(request, OIDC, begun.cookie, begun.expires_in_s, "lax")
    return Redirect(begun.url, status_code=302, cookies=[cookie])


@get("/auth/google/callback", opt=public(has_any_query=True), tags=TAGS, status_code=302)
async def finish_google(
    request: Ask,
    state_: Annotated[str, QueryParameter(name="state", max_length=500, required=False)] = "",
    code: Annotated[str, QueryParameter(max_length=2000, required=False)] = "",
) -> Redirect:
    """Where Google sends the browser: sign in, and go on to the dashboard."""
    spent = _cookie(request, OIDC, "", 0, "lax")
    try:
        done = await request.ports.identity.finish_oidc(
            request.cookies.get(OIDC, ""), state_, code, _redirect_uri(request), request.caller
        )
    except RejectedError as error:
        # A person looks at this: the page says it, by a code that is one of ours.
        return Redirect(f"/?sign-in={quote(error.code)}", status_code=302, cookies=[spent])
    kept = _cookie(request, REFRESH, done.refresh_token, done.refresh_expires_in_s)
    return Redirect("/", status_code=302, cookies=[spent, kept])


def _signed_in(request: Ask, done: values.SessionTokens, *, by_cookie: bool) -> Response[SignedIn]:
    shown = SignedIn(
        access_token=done.access_token,
        expires_in_s=done.expires_in_s,
        refresh_token=None if by_cookie else done.refresh_token or None,
        refresh_expires_in_s=done.refresh_expires_in_s,
        me=persons.me(done.principal),
    )
    if not by_cookie or not done.refresh_token:
        return Response(shown)
    kept = _cookie(request, REFRESH, done.refresh_token, done.refresh_expires_in_s)
    return Response(shown, cookies=[kept])


def _cookie(
    request: Ask, key: str, value: str, age_s: int, samesite: Literal["strict", "lax"] = "strict"
) -> Cookie:
    """For these routes only, and out of reach of scripts."""
    return Cookie(
        key=key, value=value, max_age=age_s, path=PATH, httponly=True, samesite=samesite,
        secure=request.scope["scheme"] == "https",
    )  # fmt: skip


def _redirect_uri(request: Ask) -> str:
    """The address of this installation, as the browser called it: one of the trusted hosts."""
    return f"{request.scope['scheme']}://{request.headers['host']}{PATH}/google/callback"


ROUTES = [
    list_ways, sign_in, redeem_link, accept_invitation, refresh, confirm, sign_out, begin_google,
    finish_google,
]  # fmt: skip
