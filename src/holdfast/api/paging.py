"""Pages: a cursor says where the last one ended, and for which list.

Not here: reading a page (the ports).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Final

import msgspec
from litestar.params import QueryParameter

from holdfast.api.ports import Mark
from holdfast.api.problem import ProblemError
from holdfast.api.shapes.base import MOST_ITEMS

DEFAULT_ITEMS: Final = 100

Limit = Annotated[
    int, QueryParameter(ge=1, le=MOST_ITEMS, description="How many items at most.", required=False)
]
Cursor = Annotated[
    str | None,
    QueryParameter(
        name="cursor", max_length=400, pattern=r"^[A-Za-z0-9_-]+$", required=False,
        description="`next_cursor` of the page before; with the same filters.",
    ),
]  # fmt: skip


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    of: str
    mark: Mark


def cursor(end: Mark | None, *filters: object) -> str | None:
    """What asks for the page after `end`; None when there is none."""
    if end is None:
        return None
    text = msgspec.json.encode(_Cursor(_name(filters), end))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def mark(given: str | None, *filters: object) -> Mark | None:
    """Where a page begins.

    Raises:
        ProblemError: it is no cursor, or of a list with other filters.
    """
    if given is None:
        return None
    try:
        text = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        found = msgspec.json.decode(text, type=_Cursor)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise _wrong("no cursor") from error
    if found.of != _name(filters):
        raise _wrong("a cursor of a list with other filters")
    if not 0 <= found.mark.at_ns < 1 << 63 or not 0 <= found.mark.seq < 1 << 63:
        raise _wrong("no cursor")
    return found.mark


def _name(filters: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:8]


def _wrong(seen: str) -> ProblemError:
    return ProblemError(
        422, "invalid",
        f"seen: {seen}; expected: `next_cursor` of the page before, with the same filters; do: "
        "leave it out to begin anew",
        errors=({"at": "cursor", "why": seen},),
    )  # fmt: skip
