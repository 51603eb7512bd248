"""What a seed draws before anything runs."""

from __future__ import annotations

import random

from holdfast.exchange.accounts import RECEIVED
from holdfast.simulation.weather import THIRD_ASSET, draw_purse


def test_some_accounts_pay_their_fees_with_a_third_asset_and_most_do_not() -> None:
    drawn = [draw_purse(random.Random(f"fees {seed}")) for seed in range(1, 101)]
    third = [purse for plan, purse in drawn if plan.asset == THIRD_ASSET]
    assert 10 <= len(third) <= 30
    assert all(purse.keys() == {THIRD_ASSET} for purse in third)
    assert {plan.asset for plan, _ in drawn} == {THIRD_ASSET, RECEIVED}
