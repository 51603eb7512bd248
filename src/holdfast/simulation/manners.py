"""Who was told to stay away (Retry-After) and asks all the same, as the bytes of a process show.

Only what cannot be a matter of timing counts: a request on a connection that was open when the
whole refusal had arrived, of a process that has not stood still since. Not here: what the exchange
refuses by its own limits (exchange).
"""

from __future__ import annotations

from typing import NamedTuple

_REFUSALS = (b"HTTP/1.1 429 ", b"HTTP/1.1 418 ")
_REQUESTS = (b"GET /", b"POST /", b"DELETE /", b"PUT /")
_ORDER = b"POST /api/v3/order"
_ORDERS_ONLY = b"-1015"
_CLOCKS_DRIFT = 0.98  # a second of a process's own clock may be shorter by 1 %
_AT_ONCE_S = 0.001


class Away(NamedTuple):
    """A time in which a process must not ask for anything, or for orders only.

    Attributes:
        since_s, until_s: world time.
    """

    since_s: float
    until_s: float
    orders_only: bool


def told_away(data: bytes, now_s: float) -> Away | None:
    """What a reply says that arrives now; None when it is no whole refusal that names a time."""
    if not data.startswith(_REFUSALS):
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    fields = {name.strip().lower(): value.strip() for name, _, value in lines}
    for_s = fields.get(b"retry-after", b"")
    if not for_s.isdigit() or fields.get(b"content-length") != str(len(body)).encode():
        return None
    return Away(now_s, now_s + int(for_s) * _CLOCKS_DRIFT, _ORDERS_ONLY in body)


def is_hasty(data: bytes, away: Away, now_s: float) -> bool:
    """Whether what leaves now is a request that should have waited."""
    if not away.since_s + _AT_ONCE_S < now_s < away.until_s:
        return False
    return data.startswith(_ORDER if away.orders_only else _REQUESTS)
