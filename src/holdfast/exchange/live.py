"""Lets a mirrored market happen: its events in the order told, as soon as they are told.

Not here: where they come from (app.markets.mirror), or what they do to orders (`mirror`).
"""

from __future__ import annotations

import asyncio
from typing import Final

from holdfast.domain.market import Trade
from holdfast.errors import UnreachableError
from holdfast.exchange.core import Exchange
from holdfast.exchange.flow import Break, LiveEvent, LiveFlow, Past, Refresh, Relay
from holdfast.exchange.streams import MarketStreams

FIRST_BOOKS_S: Final = 20.0


class LivePump:
    """Applies the events of a live flow.

    When a book is known again after a break, market streams are parted: what was missed meanwhile
    is not made up on them, so whoever listens must ask for it, as after any reconnection.

    Args:
        exchange: one that mirrors the flow's instruments.
    """

    def __init__(self, exchange: Exchange, flow: LiveFlow, streams: MarketStreams) -> None:
        if exchange.mirror is None:
            raise ValueError("seen: an exchange with a market of its own; expected: one of depths")
        self._exchange = exchange
        self._engine = exchange.mirror
        self._streams = streams
        self._depths = flow.depths
        self._events = flow.events()
        self._is_open = False

    async def warm_up(self) -> None:
        """Return when every book is known.

        Raises:
            UnreachableError: one is not in time.
        """
        why = "nothing was told"
        try:
            async with asyncio.timeout(FIRST_BOOKS_S):
                async for event in self._events:
                    self._apply(event)
                    if isinstance(event, Break):
                        why = event.why
                    if all(depth.is_known for depth in self._depths.values()):
                        break
        except TimeoutError as error:
            unknown = (symbol for symbol, depth in self._depths.items() if not depth.is_known)
            raise UnreachableError(
                f"seen: no book of {', '.join(unknown)} within {FIRST_BOOKS_S:.0f} s ({why}); "
                "expected: a snapshot and the changes after it; do: check the network, and that "
                "the symbol trades there now"
            ) from error
        self._is_open = True

    async def run(self) -> None:
        """Apply all other events as they come; the flow must have been warmed up."""
        async for event in self._events:
            self._apply(event)

    def _apply(self, event: LiveEvent) -> None:
        match event:
            case Trade():
                self._engine.witness(event, self._exchange.now_ns())
                self._exchange.commit()
            case Refresh():
                self._engine.refresh(event)
                if event.is_whole and self._is_open:
                    self._streams.part_all()
            case Relay():
                self._streams.relay(event)
            case Past():
                self._engine.remember(event)
            case _:
                pass  # a break needs nothing: whoever asks finds that the depth is not known
