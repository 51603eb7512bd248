"""The port of the cache: it may forget anything at any time, and never fails anybody.

Not here: where answers are kept (redis), the decorator (results).
"""

from __future__ import annotations

from typing import Protocol


class Cache(Protocol):
    """Keeps bytes under a key for a while. Neither call raises because of the server."""

    async def get(self, key: str) -> bytes | None:
        """What was kept; None when it is not there, or nobody can say."""
        ...

    async def put(self, key: str, value: bytes, expiry_s: float) -> None:
        """Keep it for so long at most, if it can be kept."""
        ...


class NoCache:
    """Keeps nothing: what there is without a Redis."""

    async def get(self, key: str) -> bytes | None:
        """Nothing is there."""
        del key
        return None

    async def put(self, key: str, value: bytes, expiry_s: float) -> None:
        """Forgotten at once."""
        del key, value, expiry_s
