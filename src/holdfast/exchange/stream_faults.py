"""What faults do to one event on its way to a subscriber: lost, doubled, late, or the line cut.

Not here: who subscribes (`user_stream`, `streams`).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from holdfast.exchange.faults import Fault, FaultBook, FaultKind

METHOD = "STREAM"
DEFAULT_LATE_MS = 200.0


class StreamDoor(StrEnum):
    """The two kinds of streams."""

    USER = "user"
    MARKET = "market"


class Fate(msgspec.Struct, frozen=True):
    """What happens to one event.

    Attributes:
        copies: how often it is sent; 0 loses it.
        late_ms: by how much later events overtake it.
        is_cut: the connection ends here instead.
    """

    copies: int = 1
    late_ms: float = 0.0
    is_cut: bool = False


_UNHARMED = Fate()


def fate_of(
    faults: FaultBook, door: StreamDoor, event: str, key: str = "", stream: str = ""
) -> Fate:
    """The fate of an event, drawn from the faults in force.

    Args:
        event: its type.
        stream: of market events the stream that it is of.
    """
    if not faults.faults:
        return _UNHARMED

    def drawn(kind: FaultKind) -> Fault | None:
        return faults.draw(kind, METHOD, event, door.value, key, stream=stream)

    def strikes(kind: FaultKind) -> bool:
        return drawn(kind) is not None

    if strikes(FaultKind.STREAM_DISCONNECT):
        return Fate(copies=0, is_cut=True)
    if strikes(FaultKind.STREAM_SILENCE) or strikes(FaultKind.STREAM_DROP):
        return Fate(copies=0)
    late = drawn(FaultKind.STREAM_REORDER)
    return Fate(
        copies=2 if strikes(FaultKind.STREAM_DUPLICATE) else 1,
        late_ms=0.0 if late is None else faults.ms(late, default=DEFAULT_LATE_MS),
    )
