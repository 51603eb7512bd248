"""Types that every subject uses, and the two kinds of structs.

Not here: the subjects.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from holdfast.domain.money import plain

MOST_ITEMS: Final = 500
"""Of one page."""

Amount = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$",
        max_length=62,
        description="An exact number as text, without exponent.",
        examples=["0.01"],
    ),
]
PositiveAmount = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?=.*[1-9])[0-9]{1,18}(\.[0-9]{1,18})?$",
        max_length=37,
        description="An exact number above zero, as text without exponent.",
        examples=["250"],
    ),
]
Name = Annotated[
    str,
    msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", max_length=32, examples=["main"]),
]
Symbol = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$", max_length=41, examples=["BTC/USDT"]
    ),
]
Timeframe = Annotated[
    str, msgspec.Meta(pattern=r"^[1-9][0-9]?(s|m|h|d)$", max_length=3, examples=["1m"])
]
Reason = Annotated[
    str,
    msgspec.Meta(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="For people; kept in the journal.",
    ),
]
NodeName = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", max_length=64, examples=["node-1"]),
]


class Out(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered. Every field is always there; what is not known is null."""


class In(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for. A field that nobody knows is refused: it could be a misspelt limit."""


def amount(value: Decimal) -> str:
    """An exact number as it goes over the wire."""
    return plain(value)


def amount_or_none(value: Decimal | None) -> str | None:
    """The same, of what may be unknown."""
    return None if value is None else plain(value)
