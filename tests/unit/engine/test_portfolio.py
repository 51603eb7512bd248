"""A bot with several symbols: one decision for all, each with its own position and orders."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Target
from tests.support.engine_world import BTC, World, bot

D = Decimal
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
BOTH = ("BTC/USDT", "ETH/USDT")


def world(*, cash: int = 10_000, btc: int = 100, eth: int = 10) -> World:
    """A bot on two symbols, first prices known."""
    made = World(
        bot("bot", symbols=BOTH),
        instruments=(BTC, ETH),
        cash=D(cash),
        prices={"BTC/USDT": D(btc), "ETH/USDT": D(eth)},
    )
    made.bars_close(*BOTH)
    return made


def positions(made: World) -> tuple[D, D]:
    return made.held("bot", "BTC/USDT"), made.held("bot", "ETH/USDT")


def test_one_decision_holds_the_quantities_of_all_symbols() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(weight=0.5), "ETH/USDT": Target(weight=0.25)})
    made.bars_close(*BOTH)
    made.settle()
    (decided,) = made.decided
    assert [(leg.symbol, leg.target) for leg in decided.legs] == [
        ("BTC/USDT", D(50)),
        ("ETH/USDT", D(250)),
    ]
    assert list(json.loads(decided.wish)) == list(BOTH)
    assert positions(made) == (D(50), D(250))


def test_it_decides_once_when_the_last_bar_of_a_close_is_in() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1)), "ETH/USDT": Target(quantity=D(2))})
    made.bars_close("ETH/USDT")
    assert not made.arming
    made.now_ns -= 60_000_000_000
    made.bars_close("BTC/USDT")
    assert len(made.arming) == 1
    assert len(made.arming[0].orders) == 2


def test_a_bar_that_does_not_come_is_waited_for_no_longer_than_agreed() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1))})
    made.bars_close("BTC/USDT")
    made.tick(4.9)
    assert not made.arming
    made.tick(0.2)
    assert len(made.arming) == 1
    made.settle()
    assert positions(made) == (D(1), D(0))
    made.now_ns = made.now_ns // 60_000_000_000 * 60_000_000_000 - 60_000_000_000
    made.wish(FLAT)
    made.bars_close("ETH/USDT")  # late: it is taken in, and nothing is decided on it
    assert not made.arming


def test_a_symbol_that_is_left_out_or_kept_keeps_its_wish() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1)), "ETH/USDT": Target(quantity=D(2))})
    made.bars_close(*BOTH)
    made.settle()
    made.wish({"ETH/USDT": FLAT})
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(1), D(0))
    made.wish({"BTC/USDT": KEEP, "ETH/USDT": Target(quantity=D(3))})
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(1), D(3))
    made.wish(FLAT)  # without a name it is about the bot's own symbol
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(0), D(3))


def test_a_wish_that_says_nothing_new_decides_nothing() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(weight=0.5), "ETH/USDT": FLAT})
    made.bars_close(*BOTH)
    made.settle()
    made.bars_close(*BOTH, BTC=150)
    made.settle()
    assert len(made.decided) == 1


def test_weights_that_leave_their_band_are_traded_back_and_sales_pay_for_purchases() -> None:
    made = world()
    weights = {
        "BTC/USDT": Target(weight=0.5, band=0.05),
        "ETH/USDT": Target(weight=0.5, band=0.05),
    }
    made.wish(weights)
    made.bars_close(*BOTH)
    made.settle()
    bought = positions(made)
    assert bought == (D("49.019"), D("490.196"))  # both a little less: a market order may cost more
    made.bars_close(*BOTH, BTC=110)
    made.settle()
    assert positions(made) == bought  # within the band
    made.bars_close(*BOTH, BTC=200)
    assert [order.order.spec.side for order in made.arming[0].orders] == ["SELL"]
    made.settle()
    btc, eth = positions(made)
    equity = btc * 200 + eth * 10 + made.account.free("USDT")
    assert abs(btc * 200 / equity - D("0.5")) < D("0.02")
    assert abs(eth * 10 / equity - D("0.5")) < D("0.02")
    assert made.refusals == []


def test_all_of_the_cash_is_shared_out_in_proportion() -> None:
    made = world(cash=10_200)
    made.wish({"BTC/USDT": Target(weight=0.75), "ETH/USDT": Target(weight=0.25)})
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(75), D(250))
    assert made.refusals == []


def test_a_resting_order_stays_when_another_symbol_is_decided_on() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1), limit=D(90)), "ETH/USDT": FLAT})
    made.bars_close(*BOTH)
    made.arm()
    (limit,) = made.unanswered
    made.ack(limit)
    for quantity in (1, 2):
        made.wish({"ETH/USDT": Target(quantity=D(quantity))})
        made.bars_close(*BOTH)
        made.settle()
    assert [order.armed.cid for order in made.working()] == [limit]
    assert not made.cancelling
    made.wish({"BTC/USDT": Target(quantity=D(1), limit=D(91))})
    made.bars_close(*BOTH)
    made.arm()
    assert list(made.cancelling) == [limit]


def test_quotes_on_one_symbol_and_a_target_on_another() -> None:
    made = world()
    made.wish(
        {
            "BTC/USDT": Quotes(bids=[Level(D(90), D(1))]),
            "ETH/USDT": Target(quantity=D(5), stop=Percent(10)),
        }
    )
    made.bars_close(*BOTH)
    made.settle()
    resting = {order.armed.spec.symbol: order.armed.spec for order in made.working()}
    assert resting["BTC/USDT"].price == D(90)
    assert resting["ETH/USDT"].stop_price == D(9)


def test_a_stop_that_fires_spends_the_wish_of_its_symbol_alone() -> None:
    made = world()
    made.wish(
        {
            "BTC/USDT": Target(quantity=D(1), stop=Percent(10)),
            "ETH/USDT": Target(quantity=D(5), stop=Percent(10)),
        }
    )
    made.bars_close(*BOTH)
    made.settle()
    (stop,) = [o.armed.cid for o in made.working() if o.armed.spec.symbol == "ETH/USDT"]
    made.fill(stop, D(5))
    made.settle()
    made.bars_close(*BOTH, ETH=9)
    made.settle()
    assert positions(made) == (D(1), D(0))
    made.wish({"BTC/USDT": FLAT})  # the spent wish is carried along, and stays spent
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(0), D(0))


def test_keys_of_several_symbols_are_claimed_one_after_the_other() -> None:
    made = world()
    shares = {
        "BTC/USDT": Target(quantity=D(1), key="monday"),
        "ETH/USDT": Target(quantity=D(2), key="monday"),
    }
    made.wish(shares)
    made.bars_close(*BOTH)
    made.settle()
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(1), D(2))
    assert [decided.key for decided in made.decided] == ["wish monday", "wish ETH/USDT monday"]


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_new_process_goes_on_with_every_symbol(from_snapshot: bool) -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1)), "ETH/USDT": Target(quantity=D(2))})
    made.bars_close(*BOTH)
    made.settle()
    made.restart(from_snapshot=from_snapshot)
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(1), D(2))
    assert len(made.decided) == 1


def test_a_bot_that_had_one_symbol_keeps_its_wish_when_it_gets_another() -> None:
    made = World(instruments=(BTC, ETH), prices={"ETH/USDT": D(10)})
    made.wish(Target(quantity=D(1)))
    made.bar()
    made.settle()
    made.bots = (bot("bot", symbols=BOTH),)
    made.restart()
    made.wish({"BTC/USDT": Target(quantity=D(1)), "ETH/USDT": FLAT})
    made.bars_close(*BOTH)
    made.settle()
    assert len(made.decided) == 1
    made.wish({"ETH/USDT": Target(quantity=D(2))})
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(1), D(2))
