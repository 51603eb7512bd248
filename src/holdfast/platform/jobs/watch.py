"""Attempts that nobody says a word of any more, by the clock of whoever looks.

No clock is compared with another: what counts is for how long the number of an attempt's beats has
stood still here. Not here: what becomes of them (rows.give_up).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from holdfast.platform.jobs.rows import Beating, JobRows
from holdfast.telemetry.log import get_logger

log = get_logger("platform.jobs")


class Watch:
    """Looks at all attempts of an installation; each worker has one, and one of them is enough."""

    def __init__(
        self, rows: JobRows, gone_s: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._rows = rows
        self._gone_s = gone_s
        self._now_s = now_s
        self._since_s: dict[Beating, float] = {}

    def look(self) -> None:
        """Give up what has stood still for too long."""
        now_s = self._now_s()
        seen = self._rows.beating()
        self._since_s = {one: self._since_s.get(one, now_s) for one in seen}
        for one in [one for one in seen if now_s - self._since_s[one] >= self._gone_s]:
            now_ns = time.time_ns()
            given_up = self._rows.give_up(
                one.id, one.attempt, now_ns, beats=one.beats, again_at_ns=now_ns,
                error=f"seen: a worker that said nothing for {self._gone_s:g} s; expected: a word "
                f"of it; do: look whether attempt {one.attempt} cost its machine the memory",
            )  # fmt: skip
            if given_up:
                log.warning(
                    "a worker is gone: its job is another's now", action="job_taken_back",
                    job=one.id, attempt=one.attempt, silent_s=self._gone_s,
                )  # fmt: skip
