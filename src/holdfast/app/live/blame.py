"""Which bots cost processes their lives while they decided, and must not be asked again.

What a supervisor lives through it remembers by itself. A decision may take the whole host with it,
so one that takes long is noted in a file of this host, which the next supervisor reads. Not here:
what else is done about a strategy that does not return (seat).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from holdfast import files
from holdfast.cluster.host import Process, has_ended, host_id, this_process
from holdfast.telemetry.log import get_logger

log = get_logger("app.blame")

DEATHS_WHILE_DECIDING: Final = 2
# What takes a host down takes time; a decision that is shorter is never noted, and costs nothing.
SLOW_S: Final = 0.25


class _Note(msgspec.Struct, frozen=True):
    """What the file says.

    Attributes:
        host, supervisor: who wrote it.
        deciding: the bot whose code ran for long just then; empty when none did.
        deaths: how often something died while a bot decided, by bot.
    """

    host: str
    supervisor: Process
    deciding: str
    deaths: dict[str, int]


class Blame:
    """The bots of one account, as their supervisor sees them.

    Args:
        file: of this account and node; None keeps nothing beyond this process. One that a living
            supervisor writes is left to it.

    Attributes:
        quarantine: bots that must not be asked again, with the reason.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.quarantine: dict[str, str] = {}
        self._file = file
        self._noted = ""
        before = self._before()
        self._deaths: dict[str, int] = dict(before.deaths) if before is not None else {}
        if before is not None and before.deciding:
            self._count(before.deciding, "node")
            self._write("")

    def hung(self, bot: str, seconds: float) -> None:
        """Its strategy did not return within the budget."""
        self.quarantine[bot] = f"its strategy did not return within {seconds:.1f} s"

    def died(self, bot: str) -> None:
        """The account's process ended while it decided."""
        self._count(bot, "process")

    def look(self, deciding: tuple[str, float] | None) -> None:
        """Note a decision that takes long, and its end; to be called again and again.

        Args:
            deciding: the bot whose code runs, and for how many seconds.
        """
        slow = deciding[0] if deciding is not None and deciding[1] > SLOW_S else ""
        if slow != self._noted:
            self._noted = slow
            self._write(slow)

    def forget(self) -> None:
        """The node ends in order: whoever starts it again may have mended the strategy."""
        if self._file is None:
            return
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:  # as of a disk that is read-only by now: the other accounts wait
            log.warning("not removed", action="blame_lost", file=str(self._file), why=str(error))

    def _count(self, bot: str, whose: str) -> None:
        """The second time is no coincidence."""
        self._deaths[bot] = self._deaths.get(bot, 0) + 1
        if self._deaths[bot] >= DEATHS_WHILE_DECIDING:
            self.quarantine[bot] = f"its {whose} died {self._deaths[bot]} times while it decided"

    def _before(self) -> _Note | None:
        """What a supervisor left that is no more."""
        if self._file is None:
            return None
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=_Note)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("not read", action="blame_lost", file=str(self._file), why=str(error))
            return None
        if found.host == host_id() and not has_ended(found.supervisor):
            self._file = None
            return None
        return found

    def _write(self, deciding: str) -> None:
        """Without waiting for the disk: a supervisor that hangs with it would end nobody."""
        if self._file is None:
            return
        note = _Note(host_id(), this_process(), deciding, self._deaths)
        try:
            files.replace(self._file, msgspec.json.encode(note), durable=False)
        except OSError as error:
            log.warning("not written", action="blame_lost", file=str(self._file), why=str(error))


def blame_file(state_dir: str, account: str, node: str) -> Path:
    """Where a node keeps it; nodes of one host may share a directory."""
    return Path(state_dir) / ".".join(filter(None, (account, node, "deciding")))
