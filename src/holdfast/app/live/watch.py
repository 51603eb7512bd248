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
_BEAT, _DECIDING, _SINCE = 0, 8, 16


class Watch:
    """Three counters that survive a fork; one process writes, the other reads."""

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
        self._put(_DECIDING, 0)

    def deciding(self) -> tuple[int, float] | None:
        """Index of the bot whose code runs and for how many seconds, or None."""
        number = self._get(_DECIDING)
        if not number:
            return None
        return number - 1, (time.monotonic_ns() - self._get(_SINCE)) / 1e9

    def running(self, index: int) -> AbstractContextManager[None]:
        """While it is entered `deciding` tells of this bot: code of its strategy's author runs.

        May be entered again and again, not within itself.
        """
        return _Running(self._memory, index)

    def _get(self, at: int) -> int:
        value: int = _CELL.unpack_from(self._memory, at)[0]
        return value

    def _put(self, at: int, value: int) -> None:
        _CELL.pack_into(self._memory, at, value)


class _Running(AbstractContextManager[None]):
    def __init__(self, memory: mmap.mmap, index: int) -> None:
        self._memory = memory
        self._number = _CELL.pack(index + 1)
        self._nobody = _CELL.pack(0)

    def __enter__(self) -> None:
        _CELL.pack_into(self._memory, _SINCE, time.monotonic_ns())
        self._memory[_DECIDING : _DECIDING + 8] = self._number

    def __exit__(self, *_error: object) -> None:
        self._memory[_DECIDING : _DECIDING + 8] = self._nobody
