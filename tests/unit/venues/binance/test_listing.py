"""exchangeInfo, recorded in several years, as instruments and rate limits."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.instrument import TradingStatus
from holdfast.venues.binance.decode import GarbledError
from holdfast.venues.binance.listing import listing
from holdfast.venues.budget import LimitKind, RateLimit
from tests.support.recordings import recording


def test_the_recorded_listing_of_2021_is_read_whole() -> None:
    line = recording("payloads/cryptofeed/BINANCE.0").read_bytes().split(b"\n")[0]
    found = listing(line[line.index(b"{") :])
    by_symbol = {each.symbol: each for each in found.instruments}
    market = by_symbol["BTC/USDT"]
    assert len(by_symbol) == len(found.instruments) > 1_000
    assert (market.venue_symbol, market.price_tick) == ("BTCUSDT", Decimal("0.01"))
    assert (market.quantity_step, market.min_notional) == (Decimal("0.00001"), Decimal(10))
    assert all(each.price_tick > 0 and each.quantity_step > 0 for each in found.instruments)
    assert {each.status for each in found.instruments} == set(TradingStatus)


def test_the_recorded_limits_are_read() -> None:
    path = "payloads/nautilus-binance-samples/http/http_spot_market_exchange_info.json"
    assert listing(recording(path).read_bytes()).limits == (
        RateLimit(LimitKind.WEIGHT, 60_000, 1_200),
        RateLimit(LimitKind.ORDERS, 10_000, 50),
        RateLimit(LimitKind.ORDERS, 86_400_000, 160_000),
        RateLimit(LimitKind.REQUESTS, 300_000, 6_100),
    )


def test_a_recorded_listing_with_the_notional_filter_is_read() -> None:
    path = "payloads/basana/binance_btc_usdt_exchange_info.json"
    (market,) = listing(recording(path).read_bytes()).instruments
    assert market.symbol == "BTC/USDT"
    assert market.min_notional > 0
    assert market.market_max_quantity > 0


BARE = (
    b'{"symbols":[{"symbol":"AB","status":"BREAK","baseAsset":"A","quoteAsset":"B",'
    b'"baseAssetPrecision":4,"quoteAssetPrecision":2,"isSpotTradingAllowed":%s,'
    b'"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.00"},{"filterType":"NEW","x":{}}]}]}'
)


def test_a_filter_that_is_switched_off_leaves_the_assets_precision() -> None:
    (market,) = listing(BARE % b"true").instruments
    assert (market.price_tick, market.quantity_step) == (Decimal("0.01"), Decimal("0.0001"))
    assert market.status is TradingStatus.HALTED
    assert market.max_quantity > 0


def test_what_is_not_spot_is_left_out() -> None:
    assert listing(BARE % b"false").instruments == ()


@pytest.mark.parametrize("body", [b"{}", b"", b'{"symbols":[{}]}'])
def test_what_is_no_listing_is_garbled(body: bytes) -> None:
    with pytest.raises(GarbledError):
        listing(body)
