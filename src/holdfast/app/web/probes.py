"""Questions to what the API depends on, for its health.

Not here: what is made of the answers (api.health).
"""

from __future__ import annotations

import asyncio

from holdfast.platform.port import PlatformStore


class DatabaseProbe:
    """Asks the journal's database for one row."""

    def __init__(self, store: PlatformStore) -> None:
        self._store = store

    async def ask(self) -> None:
        """Return when it answers."""
        await asyncio.to_thread(self._store.head)
