"""Requests by key, as rows beside the platform's users.

Not here: where the database is (journal), HTTP (api).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from holdfast.platform.port import Change, PlatformStore
from holdfast.platform.requests.port import Answer, OtherRequestError, UnderWayError

KEPT_NS: Final = 7 * 86_400 * 1_000_000_000
"""How long a repetition is known as one."""

ABANDONED_NS: Final = 60 * 1_000_000_000
"""After which a claim that nobody finished is another's: longer than any request may take."""

_SWEEP_EVERY: Final = 256

_CLAIM = """
    INSERT INTO kept_request (owner, request_key, digest, claimed_ns, status, etag, body)
    VALUES (?, ?, ?, ?, 0, '', ?) ON CONFLICT (owner, request_key) DO NOTHING
"""
_FIND = """
    SELECT digest, claimed_ns, status, etag, body FROM kept_request
    WHERE owner = ? AND request_key = ?
"""
_CLAIM_AGAIN = """
    UPDATE kept_request SET claimed_ns = ? WHERE owner = ? AND request_key = ? AND claimed_ns = ?
"""
_FINISH = """
    UPDATE kept_request SET status = ?, etag = ?, body = ? WHERE owner = ? AND request_key = ?
"""
_RELEASE = "DELETE FROM kept_request WHERE owner = ? AND request_key = ? AND status = 0"
_SWEEP = "DELETE FROM kept_request WHERE claimed_ns < ?"


class KeptRequests:
    """A `Requests` of the platform's database.

    Args:
        now_ns: the clock that claims grow old by, UTC.
    """

    def __init__(
        self, store: PlatformStore, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._now_ns = now_ns
        self._until_sweep = 0

    async def begin(self, owner: str, key: str, digest: bytes) -> Answer | None:
        """Claim a key; what was answered, when it was done already."""
        now_ns = self._now_ns()
        self._until_sweep -= 1
        sweeps = self._until_sweep < 0
        if sweeps:
            self._until_sweep = _SWEEP_EVERY

        def claim(change: Change) -> Answer | None:
            if sweeps:
                change.run(_SWEEP, now_ns - KEPT_NS)
            if change.run(_CLAIM, owner, key, digest, now_ns, b""):
                return None
            return _known(change, owner, key, digest, now_ns)

        return await asyncio.to_thread(self._store.change, claim)

    async def finish(self, owner: str, key: str, answer: Answer) -> None:
        """Keep the answer."""
        given = (answer.status, answer.etag, answer.body, owner, key)
        await asyncio.to_thread(self._store.change, lambda change: change.run(_FINISH, *given))

    async def release(self, owner: str, key: str) -> None:
        """Forget the claim."""
        await asyncio.to_thread(self._store.change, lambda change: change.run(_RELEASE, owner, key))


def _known(change: Change, owner: str, key: str, digest: bytes, now_ns: int) -> Answer | None:
    """What a claim that was there before comes to.

    Raises:
        OtherRequestError, UnderWayError.
    """
    found = change.row(_FIND, owner, key)
    if found is None:  # claimed by a transaction that this one does not see yet
        raise _under_way()
    known, claimed_ns, status, etag, body = found
    if bytes(known) != digest:
        raise OtherRequestError(
            "key_reused",
            "seen: an Idempotency-Key that was used for another request; expected: a new one for "
            "each thing to be done",
        )
    if status:
        return Answer(int(status), bytes(body), str(etag))
    is_abandoned = now_ns - claimed_ns > ABANDONED_NS
    if is_abandoned and change.run(_CLAIM_AGAIN, now_ns, owner, key, claimed_ns):
        return None
    raise _under_way()


def _under_way() -> UnderWayError:
    return UnderWayError(
        "under_way",
        "seen: the same request, which is being done right now; do: wait and repeat it",
    )
