"""Until when an exchange wants nothing from this host, kept where each of its processes looks.

Whoever knocks during a ban makes it longer. Who was told of it waits by itself (venues' gate); who
begins meanwhile, or trades another account at the same address, learns it here. Not here: what a
reply says of bans.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from holdfast import files
from holdfast.config import Config
from holdfast.telemetry.log import get_logger

log = get_logger("app.bans")

LOOK_S: Final = 1.0
AGAIN_S: Final = 30.0  # it may have been lifted by hand
LONGEST_S: Final = 7 * 86_400.0  # no exchange says more than some days
_NS: Final = 1_000_000_000
_LONGER_NS: Final = _NS // 2  # what ends hardly later than it is known to is the same ban


class _Note(msgspec.Struct, frozen=True):
    """What the file says, on this host's wall clock: a node may begin after the host did."""

    said_ns: int
    until_ns: int

    def left_ns(self, now_ns: int) -> int:
        """What is left of it; never more than it was, whatever became of the clock."""
        return max(0, min(self.until_ns - now_ns, self.until_ns - self.said_ns))


class Bans:
    """What one exchange's address has said of staying away.

    Attributes:
        file: of that address; nodes of one host may share a directory, and so its bans.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._looked_s = -LOOK_S
        self._is_lost = False

    def left_s(self) -> float:
        """For how many seconds nothing may be asked; 0 when it may."""
        try:
            note = msgspec.json.decode(self._read(), type=_Note)
        except FileNotFoundError:
            return 0.0
        except (OSError, msgspec.DecodeError) as error:
            self._tell("not read", error)
            return 0.0
        now_ns = time.time_ns()
        left_ns = note.left_ns(now_ns)
        if now_ns < note.said_ns:  # the clock was set back: it counts from here on, or never ends
            self._note(_Note(now_ns, now_ns + left_ns))
        return left_ns / _NS

    def news_s(self) -> float:
        """The same, for who asks before each request: looked at once a second, 0 in between."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_S:
            return 0.0
        self._looked_s = now_s
        return self.left_s()

    def keep(self, for_s: float) -> None:
        """The exchange has just said that it wants nothing for so long."""
        now_ns, for_ns = time.time_ns(), int(min(for_s, LONGEST_S) * _NS)
        if for_ns <= int(self.left_s() * _NS) + _LONGER_NS:
            return
        self._note(_Note(now_ns, now_ns + for_ns))

    async def over(self) -> bool:
        """Return when it is over: False when there was none, and nothing had to be waited for."""
        left_s = self.left_s()
        if not left_s:
            return False
        log.warning("waits for the end of a ban", action="ban_wait", for_s=round(left_s, 1))
        while left_s:
            await asyncio.sleep(min(left_s, AGAIN_S))
            left_s = self.left_s()
        return True

    def _note(self, note: _Note) -> None:
        try:
            self._write(msgspec.json.encode(note))
        except OSError as error:
            self._tell("not written", error)

    def _tell(self, what: str, error: Exception) -> None:
        """Once: it is looked at again and again."""
        if not self._is_lost:
            self._is_lost = True
            log.warning(what, action="ban_lost", file=str(self.file), why=str(error))

    def _read(self) -> bytes:
        return self.file.read_bytes()

    def _write(self, body: bytes) -> None:
        """Without waiting for the disk, which orders on their way would wait for as well."""
        files.replace(self.file, body, durable=False)


def bans_of(config: Config) -> Bans:
    """Those of the address that an account's exchange is asked at."""
    address = urlsplit(config.account.venue.rest_url).netloc.rpartition("@")[2]
    return Bans(Path(config.state_dir) / f"{address.replace(':', '-')}.ban")
