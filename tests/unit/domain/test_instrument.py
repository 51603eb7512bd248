"""Why a venue's filters would refuse an order, filter by filter."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.support.engine_world import BTC

PRICE = Decimal(100)


@pytest.mark.parametrize(
    ("quantity", "price", "fault"),
    [
        ("1", "100", None),
        ("1", None, None),
        ("0.0005", "100", "quantity 0.0005 is off the step 0.001"),
        ("0", "100", "quantity 0 is under the minimum 0.001"),
        ("1001", "100", "quantity 1001 is over the maximum 1000"),
        ("1", "100.005", "price 100.005 is off the tick 0.01"),
        ("1", "0", "price 0 is off the tick 0.01"),
        ("1", "-1", "price -1 is off the tick 0.01"),
        ("0.001", "100", "notional 0.1 is under the minimum 5"),
        ("0.001", None, "notional 0.1 is under the minimum 5"),
    ],
)
def test_each_filter_says_what_it_saw_and_what_it_wants(
    quantity: str, price: str | None, fault: str | None
) -> None:
    limit = None if price is None else Decimal(price)
    assert BTC.fault(Decimal(quantity), limit, PRICE) == fault


def test_market_orders_have_a_maximum_of_their_own_where_there_is_one() -> None:
    btc = msgspec.structs.replace(BTC, market_max_quantity=Decimal(10))
    assert btc.fault(Decimal(11), None, PRICE) == "quantity 11 is over the maximum 10"
    assert btc.fault(Decimal(11), PRICE, PRICE) is None


def test_an_instrument_is_read_back_from_its_text() -> None:
    assert msgspec.json.decode(BTC.to_text(), type=type(BTC)) == BTC
