"""A series that is asked for: one GET, and the entry in what it answers.

Not here: how often, and what becomes of the entry (app).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from holdfast.errors import RetryableError
from holdfast.signals.port import Entry, SignalRefused, make_entry, read_entry

_MOST_BYTES: Final = 1 << 20
_TIMEOUT: Final = ClientTimeout(total=10)


async def poll(session: ClientSession, url: str, *, pointer: str, token: str) -> Entry:
    """Ask once.

    Args:
        pointer: RFC 6901, where the value stands in the answer; empty where the answer is an entry.
        token: sent as a bearer; empty without.

    Raises:
        RetryableError: no answer, or not 200.
        SignalRefused: the answer has no such value.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with session.get(
            url, headers=headers, timeout=_TIMEOUT, allow_redirects=False
        ) as answer:
            if answer.status != 200:
                raise RetryableError(f"seen: status {answer.status}; expected: 200")
            body = await answer.content.read(_MOST_BYTES + 1)
            while not answer.content.at_eof() and len(body) <= _MOST_BYTES:
                body += await answer.content.read(_MOST_BYTES + 1 - len(body))
    except (ClientError, TimeoutError) as error:
        raise RetryableError(f"seen: {type(error).__name__} {error}; expected: an answer") from None
    if len(body) > _MOST_BYTES:
        raise SignalRefused(413, f"seen: more than {_MOST_BYTES:,} bytes; expected: fewer")
    if not pointer:
        return read_entry(body)
    try:
        found = at_pointer(msgspec.json.decode(body), pointer)
    except (msgspec.DecodeError, LookupError, UnicodeDecodeError, RecursionError) as error:
        raise SignalRefused(
            400, f"seen: an answer without {pointer} ({error!r}); expected: a value there"
        ) from error
    return make_entry(msgspec.json.encode(found), None, "")


def at_pointer(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901).

    Raises:
        LookupError: there is none.
    """
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and key.isdigit():
            document = document[int(key)]
        elif isinstance(document, dict):
            document = document[key]
        else:
            raise LookupError(pointer)
    return document
