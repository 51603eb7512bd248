"""What queries of a seed's exchange show late or no more, apart from faults that come and go.

Systems of their own keep orders, trades and balances: each may be behind, for the whole of a run.
Not here: how a view is kept (exchange.views), faults that delay it further (faults).
"""

from __future__ import annotations

import random

import msgspec

from holdfast.exchange.core import ARCHIVE_AFTER_S, Exchange, Source
from holdfast.exchange.views import Aspect

LAGGING_SHARE = 0.5
MOST_LAGS_MS = (0.0, 50.0, 300.0, 1000.0, 2000.0)
"""The last is all that the protocol leaves a query until it shows the result."""
ARCHIVING_SHARE = 0.25
ARCHIVE_AFTER_S_CHOICES = (1.0, 5.0, 30.0)


class Views(msgspec.Struct, frozen=True):
    """What a seed draws of them.

    Attributes:
        most_ms: by aspect: each change of it shows after up to so much.
        archive_after_s: see `exchange.core.Exchange`.
    """

    most_ms: dict[Aspect, float] = {}
    archive_after_s: float = ARCHIVE_AFTER_S


def put_behind(exchange: Exchange, seed: int, *, alone: bool) -> None:
    """Have an exchange show what `seed` draws.

    Args:
        alone: faults strike one at a time, while all else is well; what is behind is a fault.
    """
    if not alone:
        source = random.Random(f"views {seed}")
        keep(draw_views(source), exchange, source)


def draw_views(source: random.Random) -> Views:
    """What a seed draws."""
    most_ms: dict[Aspect, float] = {}
    if source.random() < LAGGING_SHARE:
        most_ms = {aspect: source.choice(MOST_LAGS_MS) for aspect in Aspect}
    if source.random() >= ARCHIVING_SHARE:
        return Views(most_ms)
    return Views(most_ms, source.choice(ARCHIVE_AFTER_S_CHOICES))


def keep(views: Views, exchange: Exchange, source: random.Random) -> None:
    """Have an exchange show what `views` say; a fault that delays a change more has its way."""
    faulty = exchange.lag_ms

    def lag_ms(where: Source, aspect: Aspect | None) -> float:
        own_ms = views.most_ms.get(aspect, 0.0) if aspect is not None else 0.0
        return max(source.uniform(0, own_ms) if own_ms else 0.0, faulty(where, aspect))

    exchange.archive_after_s = views.archive_after_s
    exchange.lag_ms = lag_ms
