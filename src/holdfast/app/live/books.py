"""The books that strategies look at, as the exchange tells them: its depth stream and snapshots.

Not here: how a book is kept in step with the exchange's (app.markets.mirror), quotes, trades and
bars (trader).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from holdfast.app.markets.mirror import BOOKS, Mirror
from holdfast.domain.event import BookSeen
from holdfast.domain.instrument import Instrument
from holdfast.domain.market import BookLevels
from holdfast.engine.bot import BotRuntime
from holdfast.exchange.flow import Break, Refresh
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.gate import Gate
from holdfast.venues.binance.questions import Questions


def levels_wanted(bots: Iterable[BotRuntime]) -> dict[str, int]:
    """How many levels of which books any of the bots looks at."""
    found: dict[str, int] = {}
    for bot in bots:
        for symbol, book in bot.setup.books.items():
            found[symbol] = max(found.get(symbol, 0), book.levels)
    return found


async def follow_books(
    endpoints: Endpoints,
    gate: Gate,
    *,
    instruments: Mapping[str, Instrument],
    wanted: Mapping[str, int],
    take: Callable[[BookSeen], None],
    broke: Callable[[], None],
) -> None:
    """Step the engine with books as they change, until cancelled; over at once when none is wanted.

    A book that is not known, because changes were or may have been missed, is shown empty.

    Args:
        gate: the address's rate limits.
        wanted: so many levels of these symbols.
        broke: told when a book is not known any more.
    """
    if not wanted:
        return
    listed = [instruments[symbol] for symbol in wanted]
    mirror = Mirror(Questions(endpoints.rest_url, gate), endpoints.stream_url, listed, BOOKS)
    try:
        async for event in mirror.events():
            match event:
                case Refresh(symbol=symbol):
                    take(BookSeen(mirror.best(symbol, wanted[symbol])))
                case Break(symbol=symbol):
                    broke()
                    take(BookSeen(BookLevels(0, symbol)))
    finally:
        await mirror.close()
