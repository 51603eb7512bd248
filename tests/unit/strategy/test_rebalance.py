"""`rebalance`, traded: weights are reached, kept within their band, and traded back beyond it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.order import Side
from holdfast.errors import ConfigError
from holdfast.strategy.load import create
from tests.support.engine_world import BTC, World, bot

ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
BOTH = ("BTC/USDT", "ETH/USDT")


def world(**parameters: object) -> World:
    made = World(
        bot("bot", symbols=BOTH, strategy=create("rebalance", parameters)),
        instruments=(BTC, ETH),
        cash=Decimal(10_000),
        prices={"BTC/USDT": Decimal(100), "ETH/USDT": Decimal(10)},
    )
    made.bars_close(*BOTH)
    made.settle()
    return made


def weights(made: World) -> tuple[float, float]:
    """Of both symbols, at last prices."""
    worth = [made.held("bot", symbol) * made.prices[symbol] for symbol in BOTH]
    total = sum(worth) + made.account.holdings["USDT"]
    return float(worth[0] / total), float(worth[1] / total)


def test_the_parts_are_bought_and_the_rest_stays_cash() -> None:
    made = world(weights="BTC/USDT=0.6, ETH/USDT=0.3")
    assert weights(made) == pytest.approx((0.6, 0.3), abs=1e-4)


def test_without_weights_the_symbols_share_what_can_be_paid_for() -> None:
    made = world()
    # A market order may cost two percent more than the last price: so much is kept back.
    assert weights(made) == pytest.approx((0.49, 0.49), abs=0.001)


def test_within_the_band_nothing_is_traded_and_beyond_it_the_winner_pays_for_the_loser() -> None:
    made = world(weights="BTC/USDT=0.5,ETH/USDT=0.4", band=0.05)
    orders = len(made.armed)
    made.bars_close(*BOTH, BTC=115)
    made.settle()
    assert len(made.armed) == orders
    made.bars_close(*BOTH, BTC=160)
    made.settle()
    assert weights(made) == pytest.approx((0.5, 0.4), abs=0.005)
    assert [armed.spec.side for armed in made.armed[orders:]] == [Side.SELL, Side.BUY]
    assert made.refusals == []


def test_while_a_symbol_stays_away_nothing_is_traded() -> None:
    made = world(weights="BTC/USDT=0.5,ETH/USDT=0.4")
    orders = len(made.armed)
    made.bars_close("BTC/USDT", BTC=200)
    made.tick(10)
    assert len(made.armed) == orders
    made.bars_close(*BOTH)
    made.settle()
    assert len(made.armed) == orders + 2


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_failover_after_every_bar_changes_no_decision(from_snapshot: bool) -> None:
    closes = [(100, 10), (130, 9), (160, 8), (120, 12), (90, 14), (150, 9)]
    calm, restarted = world(band=0.02), world(band=0.02)
    for btc, eth in closes:
        for made in (calm, restarted):
            made.bars_close(*BOTH, BTC=btc, ETH=eth)
            made.settle()
        restarted.restart(from_snapshot=from_snapshot)
        restarted.settle()
        restarted.check()
    assert len(calm.decided) > 3
    assert [a.spec for a in restarted.armed] == [a.spec for a in calm.armed]
    assert [(d.wish, d.legs) for d in restarted.decided] == [(d.wish, d.legs) for d in calm.decided]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("BTC/USDT", "'BTC/USDT' in weights"),
        ("BTC/USDT=much", "'BTC/USDT=much' in weights"),
        ("BTC/USDT=0.5,BTC/USDT=0.4", "'BTC/USDT=0.4' in weights"),
        ("BTC/USDT=-0.1", "'BTC/USDT=-0.1' in weights"),
        ("BTC/USDT=nan", "'BTC/USDT=nan' in weights"),
        ("=0.5", "'=0.5' in weights"),
        ("BTC/USDT=0.7,ETH/USDT=0.4", "weights that add up to 1.1"),
    ],
)
def test_weights_that_cannot_be_meant_say_so(text: str, seen: str) -> None:
    with pytest.raises(ConfigError, match=seen):
        create("rebalance", {"weights": text})


@pytest.mark.parametrize("text", ["BTC/USDT=0.5", "BTC/USDT=0.5,ETH/USDT=0.2,SOL/USDT=0.1"])
def test_each_of_the_bots_symbols_needs_a_weight(text: str) -> None:
    with pytest.raises(ConfigError, match="one for each of the bot's symbols, BTC/USDT, ETH/USDT"):
        bot("bot", symbols=BOTH, strategy=create("rebalance", {"weights": text}))
