"""What is kept of a request with an idempotency key, and what a repetition is told.

Not here: where it is kept (store), HTTP (api).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from holdfast.errors import RejectedError


class Answer(msgspec.Struct, frozen=True):
    """What a request was answered with, without what must be shown only once.

    Attributes:
        status: of HTTP.
        body: as it was sent.
        etag: empty without.
    """

    status: int
    body: bytes
    etag: str = ""


class OtherRequestError(RejectedError):
    """The key was used for another request (HTTP 422)."""


class UnderWayError(RejectedError):
    """The same request is being done right now (HTTP 409)."""


class Requests(Protocol):
    """Requests by the key that their sender chose; each sender has keys of his own.

    No method blocks the loop. Any may raise RetryableError (the database does not answer).
    """

    async def begin(self, owner: str, key: str, digest: bytes) -> Answer | None:
        """Claim a key, before anything is done; what was answered, when it was done already.

        A claim that nobody finished, because a process died, is another's after a while. So what is
        done under a claim must be safe to repeat, with ids that are made of owner and key.

        Args:
            owner: who asks; nobody else's keys are seen.
            digest: of method, path and body (32 bytes).

        Raises:
            OtherRequestError, UnderWayError.
        """
        ...

    async def finish(self, owner: str, key: str, answer: Answer) -> None:
        """Keep the answer, for a day at least."""
        ...

    async def release(self, owner: str, key: str) -> None:
        """Nothing was done: the key is as good as new."""
        ...
