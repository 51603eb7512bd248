"""The summary: percentiles by nearest rank, and what makes a demo green."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast.app.demo.audit import Finding, Kind
from holdfast.app.demo.summary import Gaps, Summary, gaps_of, sentences


def summary(**changes: Any) -> Summary:
    fields: dict[str, Any] = {
        "orders": 12, "fills": 9, "failovers": 0, "duplicate_orders": 0, "lost_orders": 0,
        "unresolved_orders": 0, "final_equity": Decimal("10001.5"), "failover_gap_ms": Gaps(),
        "failover_ready_ms": Gaps(), "first_order_ms": 900, "doubts": 0, "ghosts": 0,
        "records": 80, "epoch": 1, "run": 1, "seconds": 6.0, "reporting": "USDT",
        "settled": True, "findings": (), "directory": ".holdfast/demo",
        "market": "invented market, seed 7", "assumption": "",
        "positions": {"BTC/USDT": Decimal("0.1")},
    }  # fmt: skip
    return Summary(**{**fields, **changes})


def test_gaps_are_ranked_and_open_ones_left_out() -> None:
    assert gaps_of([]) == Gaps(None, None, None)
    assert gaps_of([None]) == Gaps(None, None, None)
    assert gaps_of([700]) == Gaps(700, 700, 700)
    assert gaps_of([*range(1, 201), None]) == Gaps(100, 198, 200)


@pytest.mark.parametrize("name", ["duplicate_orders", "lost_orders", "unresolved_orders"])
def test_one_order_too_many_is_not_green(name: str) -> None:
    assert summary().is_green
    assert not summary(**{name: 1}).is_green


def test_a_difference_of_an_amount_is_not_green_and_is_told() -> None:
    finding = Finding(Kind.DIFFERENCE, "balance of USDT", "told 1, true 2")
    odd = summary(findings=(finding,))
    assert not odd.is_green
    assert "  difference: balance of USDT: told 1, true 2" in sentences(odd)


def test_a_check_that_could_not_be_finished_is_not_green_and_says_so() -> None:
    unfinished = summary(settled=False)
    assert not unfinished.is_green
    assert "  not everything could be compared: something was still under way" in sentences(
        unfinished
    )


def test_people_get_a_few_short_lines() -> None:
    told = sentences(summary(failovers=1, failover_gap_ms=Gaps(900, 900, 1900)))
    assert told[0] == "doubled 0   lost 0   unresolved 0"
    assert max(map(len, told)) <= 90
    assert any("next order after 900 ms (max 1,900 ms)" in line for line in told)
