"""Times in all the forms that recorders use."""

from __future__ import annotations

import pytest

from holdfast.market.stamp import to_ns

NOON_NS = 1_723_118_400_000_000_000  # 2024-08-08 12:00 UTC


@pytest.mark.parametrize(
    "cell",
    [
        1_723_118_400,
        "1723118400",
        "1723118400.0",
        1_723_118_400_000,
        1_723_118_400_000_000,
        1_723_118_400_000_000_000,
        "2024-08-08 12:00:00",
        "2024-08-08T12:00:00Z",
        "2024-08-08T14:00:00+02:00",
        "20240808 12:00",
        " 2024-08-08T12:00:00.000000 ",
    ],
)
def test_all_forms_mean_the_same_moment(cell: str | int) -> None:
    assert to_ns(cell) == NOON_NS


@pytest.mark.parametrize(
    ("cell", "ns"),
    [
        ("1723118400.123456789", NOON_NS + 123_456_789),
        ("1723118400123.5", NOON_NS + 123_500_000),
        ("20240808", NOON_NS - 12 * 3600 * 10**9),
        ("2024-08-08T12:00:00.000001Z", NOON_NS + 1_000),
    ],
)
def test_fractions_and_dates_are_exact(cell: str, ns: int) -> None:
    assert to_ns(cell) == ns


@pytest.mark.parametrize("cell", ["", "soon", "12", "-1723118400", "2024-13-01", "NaN"])
def test_what_is_no_time_is_refused_with_what_was_seen(cell: str) -> None:
    with pytest.raises(ValueError, match="seen: time"):
        to_ns(cell)
