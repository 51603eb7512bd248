"""Rounding and grids are exact: checked against fractions, which cannot round at all."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ceil_to, floor_to, is_multiple, parse, plain

steps = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.sampled_from([1, 2, 5, 25]),
    st.integers(-12, 3),
)
values = st.decimals(
    min_value=-(10**12), max_value=10**12, places=12, allow_nan=False, allow_infinity=False
)
amounts = st.decimals(min_value=0, max_value=10**9, places=10)
prices = st.decimals(min_value=Decimal("0.00000001"), max_value=10**7, places=8)


@given(values, steps)
def test_floor_and_ceil_are_the_nearest_multiples_on_their_side(
    value: Decimal, step: Decimal
) -> None:
    exact, grid = Fraction(value), Fraction(step)
    assert Fraction(floor_to(value, step)) == floor(exact / grid) * grid
    assert Fraction(ceil_to(value, step)) == ceil(exact / grid) * grid


@given(values, steps)
def test_what_was_rounded_is_on_the_grid_and_stays_where_it_is(
    value: Decimal, step: Decimal
) -> None:
    down = floor_to(value, step)
    assert is_multiple(down, step)
    assert floor_to(down, step) == ceil_to(down, step) == down
    assert is_multiple(value, step) == ((Fraction(value) / Fraction(step)).denominator == 1)


@given(values)
def test_plain_text_is_read_back_as_the_same_value(value: Decimal) -> None:
    text = plain(value)
    assert parse(text) == value
    assert "E" not in text.upper()
    assert text == plain(parse(text))


@given(amounts, amounts, prices, prices)
def test_products_and_their_sums_are_exact(
    one: Decimal, other: Decimal, price: Decimal, other_price: Decimal
) -> None:
    exact = Fraction(one) * Fraction(price) + Fraction(other) * Fraction(other_price)
    assert Fraction(one * price + other * other_price) == exact


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    step = draw(st.sampled_from([Decimal("0.00001"), Decimal("0.001"), Decimal(1)]))
    return Instrument(
        symbol="BTC/USDT",
        venue_symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        price_tick=draw(st.sampled_from([Decimal("0.01"), Decimal("0.5"), Decimal("0.00000001")])),
        quantity_step=step,
        min_quantity=step * draw(st.integers(1, 20)),
        max_quantity=step * 10**9,
        min_notional=Decimal(draw(st.integers(0, 20))),
    )


@given(instruments(), prices)
def test_the_smallest_order_passes_the_filters_and_one_step_less_does_not(
    instrument: Instrument, price: Decimal
) -> None:
    price = max(instrument.floor_price(price), instrument.price_tick)
    smallest = instrument.smallest_order(price)
    if smallest > instrument.max_quantity:
        return
    assert instrument.fault(smallest, price, price) is None
    assert instrument.fault(smallest, None, price) is None
    assert instrument.fault(smallest - instrument.quantity_step, price, price) is not None


@given(instruments(), amounts, prices)
def test_rounded_orders_are_never_off_the_grid(
    instrument: Instrument, quantity: Decimal, price: Decimal
) -> None:
    for rounded in (instrument.floor_price(price), instrument.ceil_price(price)):
        fault = instrument.fault(instrument.floor_quantity(quantity), rounded, price)
        if rounded > 0:
            assert fault is None or fault.startswith(("quantity", "notional"))
            assert "off" not in (fault or "")
