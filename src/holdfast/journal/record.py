"""The record: versioned bytes, hashed as stored, never re-serialised.

Lives here: the bytes of a record and the chain over them. Not here: where they are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from holdfast.domain.fact import AnyFact, BotConfigured, BotRemoved, LimitsSet, Restored
from holdfast.errors import CorruptionError
from holdfast.platform.port import Event

R = TypeVar("R", "Record", Event)

FORMAT: Final = 2
"""What this program can write; it reads this one and those before."""

SINCE: Final[dict[type, int]] = {BotConfigured: 2, BotRemoved: 2, LimitsSet: 2, Restored: 2}
"""Facts that came after format 1, with the first format that has them."""

GENESIS: Final = bytes(32)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of a stream.

    Attributes:
        v: format version; a reader refuses what is newer than it knows.
        seq: position in the stream, from 1, no gaps.
        epoch: of the writer.
        at_ns: the writer's clock, UTC nanoseconds; for people, nothing is decided by it.
    """

    v: int
    seq: int
    epoch: int
    at_ns: int
    fact: AnyFact


_encoder: Final = msgspec.json.Encoder(decimal_format="string")
_decoder: Final = msgspec.json.Decoder(Record)
_event_decoder: Final = msgspec.json.Decoder(Event)


encode: Final[Callable[[Record], bytes]] = _encoder.encode
"""The bytes to store of a record."""


def link(previous: bytes, body: bytes) -> bytes:
    """The chain hash (32 bytes) of `body` after a record whose hash is `previous`."""
    return hashlib.sha256(previous + body).digest()


def decode(body: bytes) -> Record:
    """The record in `body`.

    Raises:
        CorruptionError: the bytes are no record, or of a format newer than this program.
    """
    return _known(_decoder, body)


def decode_event(body: bytes) -> Event:
    """The same of the platform's stream, which has facts of its own.

    Raises: as `decode`.
    """
    return _known(_event_decoder, body)


def _known(decoder: msgspec.json.Decoder[R], body: bytes) -> R:
    try:
        record = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptionError(_why_unreadable(body)) from error
    if record.v > FORMAT:  # it may say more than its known fields do
        raise CorruptionError(_why_unreadable(body))
    return record


def _why_unreadable(body: bytes) -> str:
    try:
        version = msgspec.json.decode(body).get("v")
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        return (
            f"seen: {len(body)} bytes that are no record; expected: a record; do: restore a backup"
        )
    if isinstance(version, int) and version > FORMAT:
        return (
            f"seen: a record of format {version}; expected: at most {FORMAT}; "
            "do: start the newer version that wrote it"
        )
    return f"seen: a record of unknown content ({body[:99]!r}); expected: a fact; do: restore it"
