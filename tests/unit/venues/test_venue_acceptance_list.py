"""The written acceptance list and the one that runs have the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.venue_contract import VenueContract

LIST = Path(__file__).parents[3] / "docs" / "venue-acceptance.md"


def test_each_written_promise_has_its_test_and_each_test_its_promise() -> None:
    written = re.findall(r"^\| V(\d\d) \|", LIST.read_text(), flags=re.MULTILINE)
    tested = [name[6:8] for name in sorted(vars(VenueContract)) if name.startswith("test_v")]
    assert written == tested
