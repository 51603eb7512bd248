"""The shared memory that tells a supervisor whose code runs, and for how long."""

from __future__ import annotations

import pytest

from holdfast.app.live.watch import Watch


def test_a_bot_counts_as_deciding_while_its_code_runs_and_no_longer() -> None:
    watch = Watch()
    running = watch.running("cross")
    for _ in range(2):
        with running:
            seen = watch.deciding()
        assert seen is not None
        assert seen[0] == "cross"
        assert 0 <= seen[1] < 60, "seconds"
        assert watch.deciding() is None


def test_a_bot_that_raised_is_not_blamed_for_what_happens_next() -> None:
    watch = Watch()
    with pytest.raises(KeyboardInterrupt), watch.running("cross"):
        raise KeyboardInterrupt
    assert watch.deciding() is None
