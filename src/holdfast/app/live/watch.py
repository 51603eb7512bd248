"""What an account process shows its supervisor, in shared memory: a heartbeat, and whose code runs.

Shared memory, because a strategy that never returns can keep every thread of its process from
running. Not here: what is done about it (node).
"""

from __future__ import annotations

import mmap
import struct
import time
from contextlib import AbstractContextManager

_CELL = struct.Struct("=Q")
_BEAT, _SINCE, _DECIDING = 0, 8, 16
_NAME = 32  # bytes; no bot has a longer one


class Watch:
    """A few cells that survive a fork; one process writes, the other reads."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def beat(self) -> None:
        """The event loop turns."""
        self._put(_BEAT, self._get(_BEAT) + 1)

    @property
    def beats(self) -> int:
        """How often it has turned."""
        return self._get(_BEAT)

    def clear(self) -> None:
        """Nobody decides: a new process begins."""
        self._memory[_DECIDING : _DECIDING + _NAME] = bytes(_NAME)

    def deciding(self) -> tuple[str, float] | None:
        """The bot whose code runs and for how many seconds, or None."""
        name = self._memory[_DECIDING : _DECIDING + _NAME].rstrip(b"\0").decode()
        if not name:
            return None
        return name, (time.monotonic_ns() - self._get(_SINCE)) / 1e9

    def running(self, bot: str) -> AbstractContextManager[None]:
        """While it is entered `deciding` tells of this bot: code of its strategy's author runs.

        May be entered again and again, not within itself.
        """
        return _Running(self._memory, bot)

    def _get(self, at: int) -> int:
        value: int = _CELL.unpack_from(self._memory, at)[0]
        return value

    def _put(self, at: int, value: int) -> None:
        _CELL.pack_into(self._memory, at, value)


class _Running(AbstractContextManager[None]):
    def __init__(self, memory: mmap.mmap, bot: str) -> None:
        self._memory = memory
        self._name = bot.encode().ljust(_NAME, b"\0")
        self._nobody = bytes(_NAME)

    def __enter__(self) -> None:
        _CELL.pack_into(self._memory, _SINCE, time.monotonic_ns())
        self._memory[_DECIDING : _DECIDING + _NAME] = self._name

    def __exit__(self, *_error: object) -> None:
        self._memory[_DECIDING : _DECIDING + _NAME] = self._nobody
