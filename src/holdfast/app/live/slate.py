"""Memory in which one process leaves its numbers for another to read, whatever becomes of it.

Whoever begins where another has ended finds what was counted so far. Not here: the numbers
(counting, gauges), who reads them (teller).
"""

from __future__ import annotations

import mmap
import os
import struct
import time

import msgspec

from holdfast.cluster.host import Process, has_ended, this_process
from holdfast.telemetry.meter import Numbers

_HEAD = struct.Struct("=QQQQQ")  # turn, monotonic ns, pid, its start time, bytes
_HALF = 512 * 1024
_SIZE = 2 * (_HEAD.size + _HALF)  # pages that nothing is written to cost nothing
_TRIES = 3

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Numbers)


class Left(msgspec.Struct, frozen=True):
    """What a process left last.

    Attributes:
        written_ns: on the monotonic clock of the host.
    """

    numbers: Numbers
    written_ns: int
    process: Process

    @property
    def is_alive(self) -> bool:
        """Whether whoever wrote it still runs; what it is, is true only then."""
        return not has_ended(self.process)

    @property
    def age_s(self) -> float:
        """How long ago that was."""
        return max(0.0, (time.monotonic_ns() - self.written_ns) / 1e9)


class Slate:
    """One writer and any number of readers across forks; made before the first one.

    There are two halves, written in turn, so a writer that dies in the middle leaves the other.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        self._me: Process | None = None

    def write(self, numbers: Numbers) -> None:
        """Leave `numbers` in place of what was there.

        Raises:
            ValueError: they are too many, which the bounds of their labels rule out.
        """
        body = _encoder.encode(numbers)
        if len(body) > _HALF:
            raise ValueError(f"{len(body)} bytes of numbers, expected at most {_HALF}")
        if self._me is None or self._me.pid != os.getpid():
            self._me = this_process()
        turn = max(self._turn(0), self._turn(1)) + 1
        at = self._place(turn % 2)
        # It counts from when its turn is there, which is written last.
        struct.pack_into("=Q", self._memory, at, 0)
        self._memory[at + _HEAD.size : at + _HEAD.size + len(body)] = body
        _HEAD.pack_into(
            self._memory, at, 0, time.monotonic_ns(), self._me.pid, self._me.started, len(body)
        )
        struct.pack_into("=Q", self._memory, at, turn)

    def read(self) -> Left | None:
        """What was left last; None before anything was."""
        for _ in range(_TRIES):
            half = 0 if self._turn(0) > self._turn(1) else 1
            at = self._place(half)
            turn, written_ns, pid, started, size = _HEAD.unpack_from(self._memory, at)
            if not turn:
                return None
            body = self._memory[at + _HEAD.size : at + _HEAD.size + size]
            if self._turn(half) == turn:  # else it was written over meanwhile
                return Left(_decoder.decode(body), written_ns, Process(pid, started))
        return None

    def _turn(self, half: int) -> int:
        turn: int = struct.unpack_from("=Q", self._memory, self._place(half))[0]
        return turn

    @staticmethod
    def _place(half: int) -> int:
        return half * (_HEAD.size + _HALF)
