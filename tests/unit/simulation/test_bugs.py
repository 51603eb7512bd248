"""The list of planted bugs is the list of plants, and long enough."""

from __future__ import annotations

import subprocess
import sys

from holdfast.simulation.bug_names import BUGS


def test_every_bug_that_is_offered_can_be_planted_and_the_other_way_round() -> None:
    code = (
        "from holdfast.simulation import bugs, bugs_in_books, bugs_in_engine;"
        "plants = bugs.PLANTS | bugs_in_books.PLANTS | bugs_in_engine.PLANTS;"
        "[plant() for plant in plants.values()];"  # fails where what it replaces is gone
        "print(*sorted(plants))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == sorted(BUGS)
    assert len(BUGS) >= 30
