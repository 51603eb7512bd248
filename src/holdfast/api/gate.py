"""What a request passes before its handler: who asks, whether he may, how often, and only once.

Read `Gate.handle` from top to bottom. Not here: the rules (api.rules), what is done (routes).
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import time
from collections.abc import Callable
from typing import Any, Final, cast

from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from holdfast.api.ask import ONCE, WHO
from holdfast.api.once import Recording, answered
from holdfast.api.ports import NotThereError, Ports, Rate
from holdfast.api.problem import REQUEST_ID, ProblemError
from holdfast.api.rules import Rule, rule_of
from holdfast.domain.platform import Requested
from holdfast.platform.identity.values import ForbiddenError, Principal, UnauthenticatedError
from holdfast.telemetry.metrics import Presence

KEY: Final = "idempotency-key"
_KEY_FORM: Final = re.compile(r'"?([A-Za-z0-9._~-]{8,128})"?')
_MOST_BEARER: Final = 4096


class Gate(ASGIMiddleware):
    """One for all routes.

    Args:
        by_user, by_address: how often a user, and an address that proved nothing, may ask.
        time_limit_s: of a request, its body included.
        known_queries: names of query parameters by path template and method; other names are
            refused, because a misspelt filter would let everything through.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(
        self,
        ports: Ports,
        *,
        by_user: Rate,
        by_address: Rate,
        time_limit_s: float,
        known_queries: Callable[[str, str], frozenset[str] | None],
        presence: Presence,
    ) -> None:
        self._ports = ports
        self._by_user = by_user
        self._by_address = by_address
        self._time_limit_s = time_limit_s
        self._known_queries = known_queries
        self._presence = presence

    async def handle(
        self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp
    ) -> None:
        """Let a request through, or raise what its answer is made of."""
        rule = rule_of(scope["route_handler"].opt)
        if rule is None or rule.is_probe:  # OPTIONS, which the framework answers, and health
            await next_app(scope, receive, send)
            return
        who = await self._admitted(scope, rule)
        if who is not None:
            _ours(scope)[WHO] = who
            _authorise(rule, who, scope["path_params"])
        if not rule.has_any_query:
            self._require_known_queries(scope)
        limit = asyncio.timeout(None if rule.is_stream else self._time_limit_s)
        try:
            async with limit:
                if rule.is_change and who is not None:
                    await self._change(rule, who, next_app, scope, receive, send)
                else:
                    await next_app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            raise ProblemError(
                503, "too_slow",
                f"seen: no answer within {self._time_limit_s:g} s; do: look whether it was done, "
                "and repeat it with the same Idempotency-Key",
                headers={"Retry-After": "1"},
            ) from None  # fmt: skip

    # -- who asks, and how often -------------------------------------------------------------------

    async def _admitted(self, scope: Scope, rule: Rule) -> Principal | None:
        """Who asks; None where nobody has to say.

        Raises:
            UnauthenticatedError: it is not proved. Who fails at that pays by his address.
            ProblemError: 429, he asked too often.
        """
        client = scope.get("client")
        address = client[0] if client else ""
        if rule.scope is None:
            await self._spend(f"address {address}", self._by_address)
            return None
        try:
            who = await self._ports.identity.authenticate(_bearer(scope))
        except UnauthenticatedError:
            await self._spend(f"address {address}", self._by_address)
            raise
        kind = "urgent" if rule.is_urgent else "user"
        await self._spend(f"{kind} {who.user_id}", self._by_user)
        self._presence.seen(who.user_id)
        return who

    async def _spend(self, key: str, rate: Rate) -> None:
        wait_s = await self._ports.rates.spend(key, rate)
        if wait_s > 0:
            raise ProblemError(
                429, "too_many",
                f"seen: more than {rate.amount} requests in {rate.period_s:g} s; expected: fewer; "
                "do: follow changes on /api/v1/stream instead of asking again and again",
                headers={"Retry-After": str(math.ceil(wait_s))},
            )  # fmt: skip

    def _require_known_queries(self, scope: Scope) -> None:
        if not scope["query_string"]:
            return
        known = self._known_queries(scope["path_template"], str(_ours(scope)["method"]))
        if known is None:
            return
        given: Request[Any, Any, Any] = Request(scope)
        for name in given.query_params:
            if name not in known:
                raise ProblemError(
                    422, "invalid",
                    f"seen: a query parameter {name[:40]!r}; expected: "
                    f"{', '.join(sorted(known)) or 'none here'}",
                    errors=({"at": name[:40], "why": "unknown"},),
                )  # fmt: skip

    # -- what changes something --------------------------------------------------------------------

    async def _change(
        self, rule: Rule, who: Principal, next_app: ASGIApp, *asgi: *tuple[Scope, Receive, Send]
    ) -> None:
        """Do it once per key, and audit it.

        The answer is kept before it is sent: who sees one can rely on hearing the same again.
        """
        scope, receive, send = asgi
        if not rule.has_key:
            await self._audit(rule, who, scope)
            await next_app(scope, receive, send)
            return
        key = _key(scope)
        request: Request[Any, Any, Any] = Request(scope, receive)
        body = await request.body()  # the handler's request has it as well
        owner = who.user_id
        kept = await self._ports.requests.begin(owner, key, _digest(scope, body))
        if kept is not None:
            await answered(kept, send)
            return
        _ours(scope)[ONCE] = f"{owner}\0{key}"
        recording = Recording(rule.shown_once)
        try:
            await self._audit(rule, who, scope)
            await next_app(scope, receive, recording)
        except BaseException:
            await asyncio.shield(self._ports.requests.release(owner, key))
            raise
        await self._keep(owner, key, recording)
        for message in recording.messages:
            await send(message)

    async def _keep(self, owner: str, key: str, recording: Recording) -> None:
        answer = recording.answer()
        if answer is None:
            await self._ports.requests.release(owner, key)
        else:
            await self._ports.requests.finish(owner, key, answer)

    async def _audit(self, rule: Rule, who: Principal, scope: Scope) -> None:
        """Note what is let through, where nobody else does: before it is done, not after."""
        if rule.audited != "gate":
            return
        await self._ports.audit.note(
            Requested(
                by=who.actor,
                user_id=who.user_id,
                action=str(scope["route_handler"].handler_name),
                target=str(scope["path"])[:400],
                request_id=str(_ours(scope).get(REQUEST_ID, "")),
            )
        )


def _ours(scope: Scope) -> dict[str, Any]:
    """The scope with members of ours, which the framework's type does not know."""
    return cast("dict[str, Any]", scope)


def _authorise(rule: Rule, who: Principal, path: dict[str, Any]) -> None:
    """Whether he may do this, with what the path names; of what is not his he hears nothing.

    Raises:
        ForbiddenError, NotThereError, ProblemError.
    """
    if rule.scope is not None and not who.may(rule.scope):
        raise ForbiddenError(
            "scope",
            f"seen: {who.role} {who.name}, without the scope `{rule.scope}`; expected: somebody "
            "who has it; do: ask an administrator",
        )
    account = path.get("account")
    if account is not None and not _is_his(rule, who, str(account), str(path.get("bot", ""))):
        raise NotThereError("account", "seen: no such account or bot that you may see")
    if rule.is_confirmed and not who.confirmed(time.time_ns()):
        raise ForbiddenError(
            "step_up_required",
            "seen: something that adds risk; expected: a session that confirmed lately, or a token "
            "with the scope `risk`; do: POST /api/v1/auth/confirm",
        )


def _is_his(rule: Rule, who: Principal, account: str, bot: str) -> bool:
    """Whether the account or bot in a path is his; of things on it the port looks closer."""
    if rule.whose in {"account", "bot"}:
        return who.owns(account, bot)
    return who.accounts is None or account in who.accounts


def _header(scope: Scope, name: str) -> str:
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), "")


def _bearer(scope: Scope) -> str:
    """The token of `Authorization: Bearer`.

    Raises:
        UnauthenticatedError: there is none.
    """
    kind, _, token = _header(scope, "authorization").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token or len(token) > _MOST_BEARER:
        raise UnauthenticatedError(
            "no_token",
            "seen: no token; expected: Authorization: Bearer with an access token or an API token; "
            "do: POST /api/v1/auth/sign-in",
        )
    return token


def _key(scope: Scope) -> str:
    given = _header(scope, KEY)
    found = _KEY_FORM.fullmatch(given)
    if found is None:
        raise ProblemError(
            400, "no_key",
            f"seen: {'no Idempotency-Key' if not given else 'an Idempotency-Key of another form'}; "
            "expected: 8 to 128 of A-Z a-z 0-9 . _ ~ -; do: make one up for each thing to be done, "
            "and send the same one when you repeat it",
        )  # fmt: skip
    return found[1]


def _digest(scope: Scope, body: bytes) -> bytes:
    parts = (str(_ours(scope)["method"]).encode(), scope["raw_path"], scope["query_string"], body)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
