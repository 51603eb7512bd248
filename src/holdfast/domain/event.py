"""Everything that can enter `engine.step`: one closed union, so that a reader sees every way in.

Not here: where events come from (venues, journal, operators).
"""

from __future__ import annotations

import msgspec

from holdfast.domain.fact import AnyFact
from holdfast.domain.market import Bar, BookLevels, Quote, Trade


class BarClosed(msgspec.Struct, frozen=True, gc=False):
    """A candle closed. `live` is False while history is replayed to warm indicators up."""

    bar: Bar
    live: bool = True


class QuoteSeen(msgspec.Struct, frozen=True, gc=False):
    """The top of the book moved."""

    quote: Quote


class BookSeen(msgspec.Struct, frozen=True, gc=False):
    """A book changed; told only where a strategy asks for it."""

    book: BookLevels


class TradeSeen(msgspec.Struct, frozen=True, gc=False):
    """Somebody traded; told only where a strategy asks for it."""

    trade: Trade


class Committed(msgspec.Struct, frozen=True, gc=False):
    """A fact is durable at this place of the stream.

    Attributes:
        more: another fact of the same group follows; what the group means shows after the last.
    """

    seq: int
    at_ns: int
    fact: AnyFact
    more: bool = False


class ArmFailed(msgspec.Struct, frozen=True, gc=False):
    """These orders were not journaled, so none was sent.

    Attributes:
        decision: number of the decision that was not journaled either, 0 when there was none or it
            will be without them.
        passes: what kept them out is of this node, its journal or its lease, and over in a moment
            or for good.
    """

    intent_ids: tuple[str, ...]
    bot: str
    reason: str
    decision: int = 0
    passes: bool = False


class Ticked(msgspec.Struct, frozen=True, gc=False):
    """Time passed: retries and daily marks are due by it."""

    now_ns: int


class OperatorAsked(msgspec.Struct, frozen=True, gc=False):
    """A durable command of a person: such as `halt` or `drain`, each with its arguments."""

    command_id: str
    name: str
    by: str
    arguments: dict[str, str]


Event = (
    BarClosed | QuoteSeen | BookSeen | TradeSeen | Committed | ArmFailed | Ticked | OperatorAsked
)
