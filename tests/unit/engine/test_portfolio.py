"""A bot with several symbols: one decision for all, each with its own position and orders."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.limits import Limits
from holdfast.engine.bot import BotRuntime
from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Target
from tests.support.engine_world import BTC, FREE_LIMITS, Scripted, World, bot, flow

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


def test_a_purchase_that_waits_for_a_sale_goes_at_once_when_another_bot_frees_the_cash() -> None:
    made = World(
        bot("bot", symbols=BOTH),
        bot("other", symbol="ETH/USDT"),
        instruments=(BTC, ETH),
        cash=D(1_000),
        prices={"BTC/USDT": D(100), "ETH/USDT": D(100)},
    )
    made.bars_close(*BOTH)
    made.wish({"ETH/USDT": Target(quantity=D(1))})
    made.bars_close(*BOTH)
    made.settle()
    made.wish({"ETH/USDT": KEEP})
    made.wish(Target(quantity=D(5)), "other")
    made.bars_close(*BOTH)
    made.arm()
    (theirs,) = made.unanswered
    made.wish({"BTC/USDT": Target(quantity=D(8)), "ETH/USDT": FLAT})
    made.wish(KEEP, "other")
    made.bars_close(*BOTH)
    made.arm()
    (sale,) = set(made.unanswered) - {theirs}
    assert made.unanswered[sale].spec.symbol == "ETH/USDT"
    assert not made.arming, "what BTC costs is the other's until that has bought"
    made.not_sent(theirs)
    (action,) = made.arming
    assert [order.order.spec.symbol for order in action.orders] == ["BTC/USDT"]


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
    keys = [decided.key for decided in made.decided]
    assert keys == ["wish BTC/USDT monday", "wish ETH/USDT monday"]


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


def test_a_key_is_its_symbol_s_whatever_place_that_has_in_the_configuration() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1), key="monday")})
    made.bars_close(*BOTH)
    made.settle()
    made.bots = (bot("bot", symbols=BOTH[::-1]),)
    made.restart()
    made.wish(
        {
            "BTC/USDT": Target(quantity=D(2), key="monday"),
            "ETH/USDT": Target(quantity=D(5), key="monday"),
        }
    )
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(1), D(5))


def test_a_key_is_not_used_up_by_a_decision_that_its_wish_is_no_part_of() -> None:
    made = world()
    made.commit(flow("BNB", D(1)))  # nobody knows its price: a weight is a weight of nothing
    made.wish({"BTC/USDT": Target(weight=0.5, key="monday"), "ETH/USDT": Target(quantity=D(2))})
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(0), D(2))
    made.commit(flow("BNB", D(-1)))
    made.bars_close(*BOTH)
    made.settle()
    assert positions(made) == (D(50), D(2))


def test_a_take_profit_that_was_given_up_is_not_taken_because_another_symbol_has_one() -> None:
    made = world()
    made.wish(
        {
            "BTC/USDT": Target(quantity=D(1), take_profit=Percent(10)),
            "ETH/USDT": Target(quantity=D(5), take_profit=Percent(10)),
        }
    )
    made.bars_close(*BOTH)
    made.settle()
    made.wish({"BTC/USDT": Target(quantity=D(1))})
    made.bars_close(*BOTH, BTC=120)
    made.settle()
    assert positions(made) == (D(1), D(5))


def test_a_symbol_that_stays_away_is_waited_for_from_the_first_close_that_it_missed() -> None:
    patient = BotRuntime(
        "bot", Scripted(), symbols=BOTH, timeframe_s=60, limits=FREE_LIMITS, join_timeout_s=90
    )
    made = World(patient, instruments=(BTC, ETH))
    made.bars_close(*BOTH)
    made.wish({"BTC/USDT": Target(quantity=D(1))})
    made.bars_close("BTC/USDT")
    made.bars_close("BTC/USDT")  # each close begins no wait of its own, or it would never end
    made.tick(29)
    assert not made.arming
    made.tick(2)
    assert len(made.arming) == 1


def test_a_decision_that_had_to_wait_is_not_taken_between_two_bars_of_one_close() -> None:
    made = world()
    made.wish({"BTC/USDT": Target(quantity=D(1))})
    made.bars_close(*BOTH)
    made.wish({"BTC/USDT": Target(quantity=D(2))})
    made.bars_close(*BOTH)  # the first one is not in the journal yet
    made.bars_close("BTC/USDT")
    made.arm()
    assert not made.arming
    made.now_ns -= 60_000_000_000
    made.bars_close("ETH/USDT")
    assert len(made.arming) == 1
    made.settle()
    assert positions(made) == (D(2), D(0))


def test_what_was_earned_in_a_symbol_counts_when_the_bot_trades_it_no_more() -> None:
    limits = Limits(max_orders_per_minute=None, price_band_pct=None, max_daily_loss=D(10))
    made = World(
        bot("bot", symbols=BOTH, limits=limits),
        instruments=(BTC, ETH),
        prices={"BTC/USDT": D(100), "ETH/USDT": D(10)},
    )
    made.bars_close(*BOTH)
    made.wish({"ETH/USDT": Target(quantity=D(5))})
    made.bars_close(*BOTH)
    made.settle()
    made.bars_close(*BOTH, ETH=20)
    made.now_ns += 86_400_000_000_000  # the day begins with what was earned so far
    made.bars_close(*BOTH)
    made.wish({"ETH/USDT": FLAT})
    made.bars_close(*BOTH)
    made.settle()
    made.bots = (bot("bot", symbols=BOTH[:1], limits=limits),)
    made.restart()
    made.wish(Target(quantity=D(1)))
    made.bar()
    made.settle()
    assert made.refusals == []
    assert positions(made) == (D(1), D(0))


def test_a_refusal_in_one_symbol_is_kept_once_while_another_is_decided_on() -> None:
    limits = Limits(
        max_orders_per_minute=None, price_band_pct=None, max_position_notional=D(500)
    )
    made = World(
        bot("bot", symbols=BOTH, limits=limits),
        instruments=(BTC, ETH),
        prices={"BTC/USDT": D(100), "ETH/USDT": D(10)},
    )
    made.bars_close(*BOTH)
    for quantity in (1, 2, 3):
        made.wish({"BTC/USDT": Target(quantity=D(7)), "ETH/USDT": Target(quantity=D(quantity))})
        made.bars_close(*BOTH)
        made.settle()
    assert [refusal.leg for refusal in made.refusals] == ["BTC/USDT"]
    assert positions(made) == (D(0), D(3))
