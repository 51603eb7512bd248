"""A neighbour that keeps the machine busy for four fifths of the time, until its leash is let go.

It burns only what is missing: on a machine that is busier without it, nothing. Called as
`python -m holdfast.app.chaos.burner FD` by the leader of a new session. Not here: how many there
are (run).
"""

from __future__ import annotations

import sys
import time
from threading import Thread
from typing import Final

from holdfast.app.demo.leash import hold
from holdfast.operations.cpu import Meter

BUSY: Final = 0.8
SLICE_S: Final = 0.1
SLICES: Final = 10  # between two looks at how busy the machine is
CAUTION: Final = 0.5  # of what is missing is made up for at once: the others are not alone either


def next_duty(duty: float, busy: float | None) -> float:
    """The share of its core that a neighbour burns from now on, 0 to 1.

    Args:
        duty: until now.
        busy: the machine with it, 0 to 1; None where nobody can say.
    """
    if busy is None:
        return BUSY
    return min(1.0, max(0.0, duty + CAUTION * (BUSY - busy)))


def main() -> None:
    """Burn."""
    Thread(target=hold, args=(int(sys.argv[1]),), name="leash", daemon=True).start()
    meter, duty = Meter(), BUSY
    while True:
        for _ in range(SLICES):
            until_s = time.monotonic() + duty * SLICE_S
            while time.monotonic() < until_s:
                pass
            time.sleep((1 - duty) * SLICE_S)
        load = meter.load()
        duty = next_duty(duty, None if load is None else load.busy)


if __name__ == "__main__":
    main()
