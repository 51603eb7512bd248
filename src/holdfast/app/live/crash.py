"""Fault injection: end this process at a named point on the path of an order.

Lives here: the meaning of HOLDFAST_CRASH_AT, which proofs of crash safety set and nobody else. Not
here: the points (execution.points).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from holdfast.errors import ConfigError
from holdfast.execution.points import CANCEL_POINTS, ORDER_POINTS, Reach, pass_by

VARIABLE = "HOLDFAST_CRASH_AT"


def crash_point(environ: Mapping[str, str] = os.environ) -> Reach:
    """A function that kills this process with SIGKILL at `point:count`, e.g. `armed:3`.

    The count runs over the life of one account process; a marker file keeps it from happening again
    after the restart: `point:count:FILE`.

    Raises:
        ConfigError: the variable names no point.
    """
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return pass_by
    point, _, rest = wanted.partition(":")
    count, _, marker = rest.partition(":")
    if point not in {*ORDER_POINTS, *CANCEL_POINTS} or not count.isdigit() or not marker:
        raise ConfigError(
            f"seen: {VARIABLE}={wanted}; expected: POINT:COUNT:FILE with POINT one of "
            f"{', '.join((*ORDER_POINTS, *CANCEL_POINTS))}; do: unset it, it is for tests"
        )
    left = int(count)

    def reach(passed: str) -> None:
        nonlocal left
        if passed != point or os.path.exists(marker):
            return
        left -= 1
        if left <= 0:
            with open(marker, "x", encoding="ascii") as file:
                file.write(point)
            os.kill(os.getpid(), signal.SIGKILL)

    return reach
