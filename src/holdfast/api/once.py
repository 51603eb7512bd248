"""A response that is held back until it is kept, and one that is given again.

Not here: where it is kept (platform.requests), when (api.gate).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar.types import Message, Send

from holdfast.platform.requests.port import Answer

REPLAYED: Final = (b"idempotency-replayed", b"true")


class Recording:
    """Takes what a handler sends.

    Args:
        shown_once: members of the answer, wherever they stand, that a repetition does not show.
    """

    def __init__(self, shown_once: Sequence[str]) -> None:
        self.messages: list[Message] = []
        self._shown_once = frozenset(shown_once)

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    def answer(self) -> Answer | None:
        """What a repetition is told; None when nothing was done."""
        start: Any = next(m for m in self.messages if m["type"] == "http.response.start")
        status = int(start["status"])
        if not 200 <= status < 300:
            return None
        body = b"".join(m["body"] for m in self.messages if m["type"] == "http.response.body")
        etag = next((value for name, value in start["headers"] if name == b"etag"), b"")
        if self._shown_once and body:
            body = msgspec.json.encode(self._hidden(msgspec.json.decode(body)))
        return Answer(status, body, etag.decode())

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: None if name in self._shown_once else self._hidden(member)
                for name, member in value.items()
            }
        return value


async def answered(answer: Answer, send: Send) -> None:
    """Give an answer again."""
    headers = [
        (b"content-length", str(len(answer.body)).encode()),
        REPLAYED,
    ]
    if answer.body:
        headers.append((b"content-type", b"application/json"))
    if answer.etag:
        headers.append((b"etag", answer.etag.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})

