"""Figures of runs so small that they can be checked by eye, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast.domain.fill import Fill
from holdfast.domain.order import Side
from holdfast.lab.figures import figures
from holdfast.lab.round_trips import round_trips

D = Decimal
DAY_NS = 86_400 * 10**9
START_NS = 1_704_067_200 * 10**9


def made(equity: list[float], **other: Any) -> Any:
    n = len(equity)
    given: dict[str, Any] = {
        "cash": D(100),
        "times_ns": [START_NS + i * DAY_NS for i in range(n)],
        "equity": equity,
        "prices": [50.0] * n,
        "exposure": [0.0] * n,
        "fills": [],
        **other,
    }
    return figures(**given)


def fill(side: str, quantity: str, price: str, fee: str = "0", asset: str = "USDT") -> Fill:
    return Fill(
        symbol="BTC/USDT",
        side=Side(side),
        trade_id="1",
        venue_order_id="1",
        cid="",
        quantity=D(quantity),
        price=D(price),
        fee=D(fee),
        fee_asset=asset,
        at_ns=0,
    )


def test_a_fall_by_a_quarter_that_is_made_up_after_three_days() -> None:
    found = made([100.0, 120.0, 90.0, 100.0, 120.0, 119.0])
    assert found.max_drawdown_pct == 25
    assert found.longest_drawdown_days == 3
    assert found.return_pct == pytest.approx(19)


def test_a_loss_at_the_first_close_is_a_drawdown_from_the_cash() -> None:
    assert made([80.0]).max_drawdown_pct == pytest.approx(20)


def test_a_year_that_doubles_has_grown_by_a_hundred_percent_a_year() -> None:
    found = made([100.0, *[100.0] * 364, 200.0])
    assert found.cagr_pct == pytest.approx(100)


def test_what_is_not_defined_is_none() -> None:
    found = made([100.0])
    undefined = ("cagr_pct", "sharpe", "sortino", "calmar", "win_rate_pct", "profit_factor")
    assert {getattr(found, name) for name in undefined} == {None}
    assert found.fees == 0


def test_a_minute_s_gain_is_not_compounded_into_infinity() -> None:
    found = made([100.0, 150.0], times_ns=[START_NS, START_NS + 60 * 10**9])
    assert found.cagr_pct is None


def test_the_exact_final_equity_is_kept_when_it_is_known() -> None:
    assert made([0.1 + 0.2], final_equity=D("0.3")).final_equity == D("0.3")
    assert made([100.25]).final_equity == D("100.25")


def test_a_position_worth_no_more_than_dust_is_no_exposure() -> None:
    assert made([100.0, 100.0], exposure=[0.04, 0.06], dust=D(5)).exposure_pct == 50


def test_a_fee_in_base_counts_at_its_fill_s_price_and_makes_the_rest_dearer() -> None:
    fills = [fill("BUY", "1", "100", "0.001", "BTC"), fill("SELL", "0.999", "101")]
    found = made([100.0], fills=fills)
    assert found.fees == D("0.1")
    (trip,) = round_trips(fills)
    assert trip.profit == D("0.899")


def test_a_fee_in_a_third_asset_makes_undefined_what_it_would_flatter() -> None:
    found = made([100.0], fills=[fill("BUY", "1", "100", "0.1", "BNB"), fill("SELL", "1", "200")])
    assert found.round_trips == 1
    assert (found.fees, found.win_rate_pct, found.profit_factor) == (None, None, None)


def test_dust_that_stays_ends_a_trip_and_goes_into_the_next_with_its_cost() -> None:
    fills = [
        fill("BUY", "1", "100"),
        fill("SELL", "0.99", "110"),
        fill("BUY", "1", "100"),
        fill("SELL", "1.01", "110"),
    ]
    first, second = round_trips(fills, dust=D(5))
    assert (first.first, first.last, first.profit) == (0, 1, D("9.9"))
    assert (second.first, second.last, second.profit) == (2, 3, D("10.1"))
    assert len(round_trips(fills)) == 1


def test_symbols_have_their_own_trips() -> None:
    other = [
        Fill(
            symbol="ETH/USDT",
            side=side,
            trade_id="1",
            venue_order_id="1",
            cid="",
            quantity=D(1),
            price=D(10),
            fee=D(0),
            fee_asset="USDT",
            at_ns=0,
        )
        for side in (Side.BUY, Side.SELL)
    ]
    trips = round_trips([fill("BUY", "1", "100"), *other, fill("SELL", "1", "90")])
    assert [(trip.symbol, trip.profit) for trip in trips] == [
        ("ETH/USDT", D(0)),
        ("BTC/USDT", D(-10)),
    ]


def test_an_open_trip_is_not_counted() -> None:
    found = made([100.0], fills=[fill("BUY", "1", "100")])
    assert found.round_trips == 0
    assert found.win_rate_pct is None


def test_only_winners_have_no_profit_factor() -> None:
    found = made([100.0], fills=[fill("BUY", "1", "100"), fill("SELL", "1", "101")])
    assert (found.win_rate_pct, found.profit_factor) == (100, None)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"equity": []}, "at least one"),
        ({"prices": [1.0]}, "as many of each"),
        ({"equity": [1.0, float("nan")]}, "equity must be finite"),
        ({"exposure": [1.0, float("inf")]}, "exposure must be finite"),
        ({"prices": [1.0, 0.0]}, "prices must be positive"),
        ({"times_ns": [START_NS, START_NS]}, "ascend"),
        ({"cash": D(0)}, "cash must be positive"),
        ({"fills": [fill("SELL", "1", "1")]}, "only 0 is held"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(**{"equity": [1.0, 2.0], **wrong})
