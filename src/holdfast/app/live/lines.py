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


def venue_of(config: Config, *, share: float = 1.0) -> BinanceVenue:
    """The account's line alone.

    It heeds what any process of this host was told of staying away, and tells it to the others.

    Args:
        share: of the address's rate limits, over 0 and up to 1.

    Raises:
        ConfigError, RetryableError: as `key_of`.
    """
    account = config.account
    venue = BinanceVenue(key_of(account), endpoints_of(account.venue), share=share)
    kept = bans.bans_of(config)
    venue.gate.away_s, venue.gate.on_away = kept.news_s, kept.keep
    return venue


def connected(config: Config, now_ns: Callable[[], int]) -> tuple[BinanceVenue, BinanceMarket]:
    """The account's line and the market's; what comes without a time is stamped with `now_ns`.

    Raises:
        ConfigError, RetryableError: as `key_of`.
    """
    at = config.account.venue
    venue = venue_of(config, share=1 / at.nodes)
    return venue, BinanceMarket(endpoints_of(at), gate=venue.gate, wall_ns=now_ns)
