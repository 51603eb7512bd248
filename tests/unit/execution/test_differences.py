"""Comparing holdings: exact for money, one step for coins, silent about doubts."""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.money import ZERO
from holdfast.execution.drift import Difference, differences
from holdfast.venues.port import Balance

STEP = Decimal("0.00001")


def found(journal: str, exchange: str, *unsettled: str, asset: str = "BTC") -> list[Difference]:
    return differences(
        {asset: Decimal(journal)},
        {asset: Balance(asset, Decimal(exchange), ZERO)},
        lambda one: STEP if one == "BTC" else ZERO,
        frozenset(unsettled),
    )


def test_less_than_a_step_of_a_coin_is_dust() -> None:
    assert found("0.5", "0.500009") == []
    assert found("0.5", "0.49999") == [Difference("BTC", Decimal("0.5"), Decimal("0.49999"))]


def test_money_is_compared_to_the_last_digit() -> None:
    assert len(found("100", "100.00000001", asset="USDT")) == 1


def test_what_an_attempt_may_still_move_proves_nothing() -> None:
    assert found("1", "2", "BTC") == []


def test_an_asset_that_only_one_side_knows_is_a_difference() -> None:
    locked = {"SOL": Balance("SOL", ZERO, Decimal(3))}
    both = differences({"ETH": Decimal(2)}, locked, lambda _: STEP, frozenset())
    assert [(each.asset, each.journal, each.exchange) for each in both] == [
        ("ETH", Decimal(2), ZERO),
        ("SOL", ZERO, Decimal(3)),
    ]
