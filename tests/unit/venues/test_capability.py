"""The table of what exchanges promise, and what follows from it."""

from __future__ import annotations

import pytest

from holdfast.venues.capability import CAPABILITIES, Capability, Deadline, Dedup, capability_of


@pytest.mark.parametrize(
    ("dedup", "deadline", "allowed"),
    [
        (Dedup.NONE, Deadline.NONE, False),
        (Dedup.OPEN_ONLY, Deadline.NONE, False),
        (Dedup.OPEN_ONLY, Deadline.GATEWAY, True),
        (Dedup.NONE, Deadline.ENGINE, True),
        (Dedup.RETURNS_ORIGINAL, Deadline.NONE, True),
        (Dedup.REJECTS_FOREVER, Deadline.NONE, True),
    ],
)
def test_takeover_needs_an_end_of_doubt(dedup: Dedup, deadline: Deadline, allowed: bool) -> None:
    row = Capability(venue="any", dedup=dedup, deadline=deadline)
    assert row.allows_takeover is allowed


def test_an_exchange_that_nobody_studied_promises_nothing() -> None:
    row = capability_of("nowhere")
    assert (row.dedup, row.deadline, row.allows_takeover) == (Dedup.NONE, Deadline.NONE, False)
    assert row.unverified


def test_no_barrier_is_claimed_before_it_was_shown() -> None:
    assert not any(row.barrier_verified for row in CAPABILITIES.values())


def test_rows_are_found_by_their_own_name() -> None:
    assert all(capability_of(name).venue == name for name in CAPABILITIES)
