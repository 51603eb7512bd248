"""Symbols paid in different currencies: weights and losses are in what the account counts in."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.limits import Limits
from holdfast.strategy import Target
from tests.support.engine_world import BTC, World, bot, flow

D = Decimal
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")


PAIR = msgspec.structs.replace(
    ETH, symbol="ETH/BTC", venue_symbol="ETHBTC", quote="BTC", price_tick=D("0.0001"),
    min_notional=D("0.0001"),
)  # fmt: skip
NO_LIMITS = Limits(max_orders_per_minute=None, price_band_pct=None)


def two_quotes(limits: Limits = NO_LIMITS) -> World:
    """A bot paid in BTC on an account that counts in USDT: 2 BTC at 50,000, ETH at 2,500."""
    made = World(
        bot("bot", symbol="ETH/BTC", limits=limits),
        bot("btc"),
        bot("eth", symbol="ETH/USDT"),
        instruments=(BTC, ETH, PAIR),
        cash=D(1),
        prices={"BTC/USDT": D(50_000), "ETH/USDT": D(2_500), "ETH/BTC": D("0.05")},
    )
    made.commit(flow("BTC", D(2), "deposit", rate=D(50_000), equity=D(1)))
    return made


ALL_THREE = ("BTC/USDT", "ETH/USDT", "ETH/BTC")


def test_a_weight_is_one_of_the_equity_whatever_the_symbol_is_paid_in() -> None:
    made = two_quotes()
    made.bars_close(*ALL_THREE)
    made.wish(Target(weight=0.1))
    made.bars_close(*ALL_THREE)
    made.settle()
    assert made.held("bot", "ETH/BTC") == D("4.000")  # 10,000 of 100,001 USDT


def test_a_weight_waits_for_a_price_of_what_its_symbol_is_paid_in() -> None:
    made = two_quotes()
    made.wish(Target(weight=0.1))
    made.bars_close("ETH/BTC")
    made.settle()
    assert made.decided == []
    made.bars_close(*ALL_THREE)
    made.settle()
    assert made.held("bot", "ETH/BTC") == D("4.000")


def halved(limits: Limits) -> World:
    """Four ETH bought, at 2,500 USDT each, and worth half as much a moment later."""
    made = two_quotes(limits)
    made.bars_close(*ALL_THREE)
    made.wish(Target(quantity=D(4)))
    made.bars_close(*ALL_THREE)
    made.settle()
    for _ in range(6):  # until it is marked
        made.bars_close(*ALL_THREE)
    made.prices |= {"ETH/USDT": D(1_250), "ETH/BTC": D("0.025")}
    made.bars_close(*ALL_THREE)
    return made


def test_a_bot_s_daily_loss_is_in_what_the_account_counts_in() -> None:
    made = halved(msgspec.structs.replace(NO_LIMITS, max_daily_loss=D(100)))
    made.wish(Target(quantity=D(5)))
    made.bars_close(*ALL_THREE)
    made.settle()
    assert [(r.rule, r.seen, r.limit) for r in made.refusals] == [("max_daily_loss", "5000", "100")]


def test_a_bot_s_drawdown_is_in_what_the_account_counts_in() -> None:
    made = halved(msgspec.structs.replace(NO_LIMITS, max_drawdown_pct=D(4)))
    assert made.account.bots["bot"].halted.startswith("drawdown 5.00 %")
    assert made.account.units.bot_last["bot"] == -5_000


@pytest.mark.parametrize("limit", ["max_daily_loss", "max_drawdown_pct"])
def test_a_loss_that_cannot_be_told_stops_entries(limit: str) -> None:
    made = two_quotes(msgspec.structs.replace(NO_LIMITS, **{limit: D(1)}))
    made.commit(flow("BTC", D(-2), "withdrawal"))  # so equity can be told without its price
    made.wish(Target(quantity=D(1)))
    made.bars_close("ETH/BTC")
    made.settle()
    assert [(r.rule, r.seen) for r in made.refusals] == [(limit, "profit unknown")]
