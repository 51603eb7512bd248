"""An account's lines to its exchange, as its configuration has them; closed as yet.

Not here: the lines themselves (venues), another key (keys), what is kept of bans (bans).
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.app.live import bans
from holdfast.app.live.keys import key_of
from holdfast.config import Config, Venue
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.market import BinanceMarket


def endpoints_of(venue: Venue) -> Endpoints:
    """Where a configuration says that an exchange is."""
    return Endpoints(
        rest_url=venue.rest_url, ws_api_url=venue.ws_api_url, stream_url=venue.stream_url
    )


def connected(config: Config, now_ns: Callable[[], int]) -> tuple[BinanceVenue, BinanceMarket]:
    """The account's line and the market's; what comes without a time is stamped with `now_ns`.

    They heed what any process of this host was told of staying away, and tell it to the others.

    Raises:
        ConfigError, RetryableError: as `key_of`.
    """
    account = config.account
    endpoints = endpoints_of(account.venue)
    venue = BinanceVenue(key_of(account), endpoints, share=1 / account.venue.nodes)
    kept = bans.bans_of(config)
    venue.gate.away_s, venue.gate.on_away = kept.news_s, kept.keep
    return venue, BinanceMarket(endpoints, gate=venue.gate, wall_ns=now_ns)
