"""The port of a signal's source: what it hands over, and why that may be refused.

Lives here: the shape of an entry and its bounds. Not here: sources (file, poll, webhook), whether
an entry follows the ones before (order).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import msgspec

MOST_BYTES: Final = 4096
"""Of one value: it is journaled as it is, and kept in every snapshot."""
_MOST_ID: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(msgspec.Struct, frozen=True):
    """One value of a series, as a source tells it.

    Attributes:
        value: JSON text.
        known_at_ns: UTC nanoseconds; None where the source does not tell, which means now.
        entry_id: unique within the series; empty without.
    """

    value: str
    known_at_ns: int | None = None
    entry_id: str = ""


class SignalRefused(Exception):  # noqa: N818 - a verdict, and an ordinary one
    """An entry that cannot be taken.

    Attributes:
        status: what it would be as an HTTP status: 400 malformed, 409 out of order, 413 too large,
            422 from the future, 429 too many.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    value: msgspec.Raw
    known_at: str | None = None
    id: str = ""


_decoder: Final = msgspec.json.Decoder(_Written)


def read_entry(body: bytes | str) -> Entry:
    """The entry in a JSON object of `value`, and perhaps `known_at` and `id`.

    Raises:
        SignalRefused: it is none, or too large.
    """
    try:
        written = _decoder.decode(body)
        msgspec.json.decode(written.value)  # until here it was passed over, not looked at
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SignalRefused(
            400,
            f"seen: {shown(body)} ({error}); expected: a JSON object "
            '{"value": …, "known_at": "2026-01-31T12:00:00Z", "id": "…"}, of which only value is '
            "needed",
        ) from error
    return make_entry(bytes(written.value), written.known_at, written.id)


def make_entry(value: bytes, known_at: str | None, entry_id: str) -> Entry:
    """An entry from its parts, within bounds.

    Args:
        value: JSON.
        known_at: ISO 8601 with a zone.

    Raises:
        SignalRefused: a part is too large, or no such time.
    """
    if len(value) > MOST_BYTES or len(entry_id) > _MOST_ID:
        raise SignalRefused(
            413,
            f"seen: a value of {len(value):,} bytes and an id of {len(entry_id)} characters; "
            f"expected: at most {MOST_BYTES:,} and {_MOST_ID}",
        )
    return Entry(value.decode(), None if known_at is None else _time_ns(known_at), entry_id)


def as_value(text: str) -> bytes:
    """The JSON of a cell: the number, list or object that it is, or else a text."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(text)
    return text.encode()


def shown(body: bytes | str) -> str:
    """What was seen, in one short line."""
    return repr(body[:80])


def _time_ns(text: str) -> int:
    found: datetime | None = None
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
    if found is None or found.tzinfo is None:
        raise SignalRefused(
            400, f"seen: known_at {shown(text)}; expected: such as 2026-01-31T12:00:00Z, with zone"
        )
    since = found - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
