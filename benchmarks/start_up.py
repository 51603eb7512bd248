"""How long a user waits for the package and the command line to load.

Not here: the start of a node.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.row import Row

ROUNDS = 9


def run() -> list[Row]:
    """Median of fresh processes, the interpreter's own start included."""
    return [
        Row(
            what="import holdfast",
            unit="s",
            measured=_median_s([sys.executable, "-c", "import holdfast"]),
            at_most=0.3,
        ),
        Row(
            what="holdfast --help",
            unit="s",
            measured=_median_s([sys.executable, "-m", "holdfast", "--help"]),
            at_most=0.5,
        ),
    ]


def _median_s(command: Sequence[str]) -> float:
    taken_s = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken_s.append(time.perf_counter() - start)
    return statistics.median(taken_s)
