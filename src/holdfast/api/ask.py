"""A request as handlers see it: who asks, the ports, and a body that is what its shape says.

Not here: how it was let in (api.gate).
"""

from __future__ import annotations

import functools
import time
import uuid
from typing import Any, Final, cast

import msgspec
from litestar import Request
from litestar.datastructures import State

from holdfast.api.ports import Ports
from holdfast.api.problem import REQUEST_ID, ProblemError
from holdfast.platform.identity.values import Caller, Principal

WHO: Final = "holdfast.who"
ONCE: Final = "holdfast.once"
PORTS: Final = "ports"
_IDS: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "requests.holdfast")
_MOST_AGENT: Final = 200


class Ask(Request[Any, Any, State]):
    """A request that the gate has let through."""

    @property
    def ports(self) -> Ports:
        """All that can be asked."""
        found: Ports = self.app.state[PORTS]
        return found

    @property
    def who(self) -> Principal:
        """Who asks.

        Raises:
            KeyError: the route is for everybody, so nobody was asked who he is: a mistake of ours.
        """
        found: Principal = self._ours[WHO]
        return found

    @property
    def request_id(self) -> str:
        """Under which logs and audit have it."""
        return str(self._ours.get(REQUEST_ID, ""))

    @property
    def _ours(self) -> dict[str, Any]:
        """The scope with members of ours, which the framework's type does not know."""
        return cast("dict[str, Any]", self.scope)

    @property
    def caller(self) -> Caller:
        """Where it comes from."""
        client = self.scope.get("client")
        agent = self.headers.get("user-agent", "")[:_MOST_AGENT]
        return Caller(client[0] if client else "", agent, self.request_id)

    def only_id(self, part: str = "") -> str:
        """An id that a repetition of this request has as well.

        Args:
            part: tells several ids of one request apart.
        """
        once = str(self._ours[ONCE])
        return uuid.uuid5(_IDS, f"{once}\0{part}").hex

    def require_confirmed(self, why: str) -> None:
        """Refuse what adds risk while the session has not confirmed it lately.

        Raises:
            ProblemError: 403 `step_up_required`.
        """
        if not self.who.confirmed(time.time_ns()):
            raise ProblemError(
                403, "step_up_required",
                f"seen: {why}, which adds risk; expected: a session that confirmed lately, or a "
                "token with the scope `risk`; do: POST /api/v1/auth/confirm",
            )  # fmt: skip

    async def json(self) -> Any:
        """The body as the handler declares it, to the letter; the framework would take "5" for 5.

        Raises:
            ProblemError: 400 no JSON, 415 something else, 422 JSON of another shape.
        """
        body = await self.body()
        kind, _ = self.content_type
        if kind != "application/json":
            raise ProblemError(
                415, "wrong_type",
                f"seen: a body of type {kind[:80] or 'unknown'}; expected: application/json; "
                "do: send that, and say so in Content-Type",
            )  # fmt: skip
        declared = self.route_handler.parsed_data_field
        try:
            return _decoder(declared.annotation if declared else Any).decode(body)
        except msgspec.ValidationError as error:
            why, _, at = str(error).partition(" - at `$")
            pointer = "/" + at.rstrip("`").replace("[...]", ".*").strip(".").replace(".", "/")
            raise ProblemError(
                422, "invalid", f"seen: {why} at {pointer}", errors=({"at": pointer, "why": why},)
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(
                400, "malformed", f"seen: {error}; expected: a JSON document"
            ) from error


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
