"""Jobs that the platform asks for by itself, each in its slot of time.

The slot is part of the id, and an id is a job: any number of workers may plan, and each slot is
done once. Not here: what is planned (app.jobs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from holdfast.errors import RejectedError
from holdfast.platform.jobs.board import SYSTEM, Board
from holdfast.telemetry.log import get_logger

log = get_logger("platform.jobs")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A job that comes again and again.

    Attributes:
        every_s: length of a slot; slots count from 1970.
        at_s: after the beginning of its slot.
        given: JSON of the kind's input, with `{slot}` for when the slot began (ISO 8601, UTC).
    """

    kind: str
    every_s: int
    at_s: int = 0
    given: str = "{}"


class Plan:
    """Asks for what is planned, once per slot. Slots that went by while no worker ran are not made
    up for, but for the last one.
    """

    def __init__(
        self,
        board: Board,
        planned: Sequence[Planned],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._planned = planned
        self._now_s = now_s
        self._asked: set[str] = set()

    def ask(self) -> None:
        """Ask for what is due."""
        due = {}
        for one in self._planned:
            slot = (int(self._now_s()) - one.at_s) // one.every_s
            began = datetime.fromtimestamp(slot * one.every_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            due[f"{one.kind}:{began}"] = (one.kind, one.given.replace("{slot}", began))
        for job_id in due.keys() - self._asked:
            kind, given = due[job_id]
            try:
                self._board.submit(kind, given.encode(), job_id=job_id, owner=SYSTEM)
            except RejectedError as error:  # asked for in other words, by another version
                log.warning("a slot is left out", action="slot_refused", job=job_id,
                            why=error.reason)  # fmt: skip
        self._asked = set(due)
