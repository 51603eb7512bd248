"""What goes through the exchange's doors: calls in, replies out, a record of each signed call.

Not here: what happens between (`gateway`), or bytes (`rest`, `ws_api`).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

DEFAULT_HANG_MS = 60_000


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a door has read it.

    Attributes:
        door: `rest` or `ws`.
        method, path: of the route in REST's words.
        signed_text: exactly what the signature is over.
        address: of the client, for limits.
    """

    door: str
    method: str
    path: str
    params: dict[str, str]
    signed_text: str = ""
    signature: str = ""
    api_key: str = ""
    address: str = ""


class Reply(msgspec.Struct, frozen=True):
    """What a door should send; `body` is JSON unless a fault made it something else."""

    status: int
    body: bytes
    headers: dict[str, str]
    content_type: str = "application/json"


class Manner(StrEnum):
    """How a reply goes out."""

    WHOLE = "whole"
    HANG = "hang"  # nothing, and the connection stays open for `hang_ms`
    RESET = "reset"
    TRUNCATE = "truncate"


class Delivery(msgspec.Struct, frozen=True):
    """A reply and the way it goes out."""

    reply: Reply | None
    manner: Manner = Manner.WHOLE
    hang_ms: float = DEFAULT_HANG_MS


class RequestRecord(msgspec.Struct, kw_only=True, rename="camel"):
    """A signed request as checkers see it.

    Attributes:
        number: counts from 1 in order of arrival.
        at_ms: exchange time of arrival.
        copy: 1, or 2 for the second one of a duplicated request.
        verdict: `pending`, `accepted`, `refused`, `dropped` (never reached the exchange), or
            `replaced` (the reply is a fault's invention; `executed` says whether it took effect).
        executed: whether the call was carried out; a refused one was not.
        delivered: whether a whole, true reply left.
    """

    number: int
    at_ms: float
    door: str
    method: str
    path: str
    params: dict[str, str]
    api_key: str
    copy: int = 1
    verdict: str = "pending"
    status: int = 0
    code: int = 0
    executed: bool = False
    delivered: bool = False
    faults: list[str] = msgspec.field(default_factory=list)


def encode_error(code: int, text: str) -> bytes:
    """The body of a refusal."""
    return msgspec.json.encode({"code": code, "msg": text})
