"""A strategy's own memory: what it must know and can derive neither from bars nor from facts.

Lives here: how a memory is written, read, and handed to one decision as a copy. Not here: where it
is kept, which is the journal, with the decision that it was returned with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

LARGEST_BYTES: Final = 16 * 1024
"""Of a memory as it is written: it is in the journal with every decision that changes it."""

_encode: Final = msgspec.json.Encoder().encode


class MemoryFault(ValueError):  # noqa: N818 - it is the strategy's fault, and stops its bot
    """A memory that cannot be kept, or cannot be read any more."""


class _Written(msgspec.Struct, frozen=True):
    version: int
    memory: msgspec.Raw


class Memories:
    """How the memories of one strategy class are written and read.

    Args:
        kind: the strategy's inner `Memory`: every field has a default, `version` is a class
            variable (1 unless told), and `migrate(version, written)`, a class method, may make one
            of an older version's plain values.

    Raises:
        MemoryFault: it is no such class.
    """

    def __init__(self, kind: Any) -> None:
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            raise MemoryFault(
                "seen: a Memory that is no msgspec.Struct; expected: class Memory(msgspec.Struct) "
                "with a default for every field"
            )
        version = getattr(kind, "version", 1)
        if not isinstance(version, int):
            raise MemoryFault(
                "seen: `version` is a field of Memory; expected: version: ClassVar[int] = 2"
            )
        self._kind: type[msgspec.Struct] = kind
        self._version = version
        self._decoder = msgspec.json.Decoder(kind)
        try:
            first = kind()
        except TypeError as error:
            raise MemoryFault(
                f"seen: Memory() raises {error}; expected: a default for every field"
            ) from error
        self.first = self.write(first)

    def write(self, memory: object) -> str:
        """Canonical JSON of a memory: what is journaled.

        Raises:
            MemoryFault: it is none, too large, or would not be read as it was written.
        """
        if type(memory) is not self._kind:
            raise MemoryFault(
                f"seen: decide returned {_shown(memory)} beside its wish; expected: a "
                f"{self._kind.__qualname__}; do: return the wish, then now.memory, changed"
            )
        try:
            body = _body(memory)
            again = self._decoder.decode(body)
        except (TypeError, ValueError, RecursionError) as error:
            raise MemoryFault(
                f"seen: a memory that cannot be written and read ({error}); expected: numbers, "
                "text, lists, dicts and structs, as its fields declare them"
            ) from error
        if again != memory:
            raise MemoryFault(
                "seen: a memory that reads otherwise than it was written; expected: fields that "
                "JSON can carry, such as list[int] or Decimal"
            )
        if len(body) > LARGEST_BYTES:
            raise MemoryFault(
                f"seen: a memory of {len(body):,} bytes; expected: at most {LARGEST_BYTES:,}, "
                "because the journal keeps each one; do: keep less, and derive from bars what can "
                "be derived"
            )
        return _encode(_Written(self._version, msgspec.Raw(body))).decode()

    def read(self, text: str | None) -> Any:
        """The memory in `text`, a new object each time; a first one where there is none.

        Raises:
            MemoryFault: another version wrote it, or it says what this one does not know.
        """
        if text is None:
            return self._kind()
        written = msgspec.json.decode(text, type=_Written)
        if written.version != self._version:
            return self._migrated(written)
        memory = self._decode(written)
        lost = _lost(msgspec.json.decode(written.memory), msgspec.json.decode(_body(memory)))
        if lost:
            raise MemoryFault(self._unknown(written, f"it has {lost}, which Memory has not"))
        return memory

    def _decode(self, written: _Written) -> msgspec.Struct:
        try:
            return self._decoder.decode(written.memory)
        except ValueError as error:
            raise MemoryFault(self._unknown(written, str(error))) from error

    def _migrated(self, written: _Written) -> msgspec.Struct:
        migrate = getattr(self._kind, "migrate", None)
        if migrate is None:
            raise MemoryFault(self._unknown(written, f"this Memory is of version {self._version}"))
        memory = migrate(written.version, msgspec.json.decode(written.memory))
        self.write(memory)
        return memory  # type: ignore[no-any-return]  # `write` has looked what it is

    def _unknown(self, written: _Written, why: str) -> str:
        return (
            f"seen: a memory of version {written.version} in the journal, and {why}; expected: one "
            "that this strategy can read; do: raise Memory.version and give it "
            "migrate(version, written), or put the older strategy back"
        )


def memories_of(strategy: object) -> Memories | None:
    """How a strategy's memories are written and read; None when it wants none.

    Raises:
        MemoryFault: its `Memory` is unusable.
    """
    kind = getattr(type(strategy), "Memory", None)
    return None if kind is None else Memories(kind)


class Recalled:
    """The memory that one decision is taken with.

    Args:
        text: as it was written last, None before the first time.
    """

    __slots__ = ("_before", "_memories", "_text", "_value")

    def __init__(self, memories: Memories, text: str | None) -> None:
        self._memories = memories
        self._text = text
        self._value: Any = None
        self._before = text or memories.first

    @property
    def value(self) -> Any:
        """A copy, made when it is first looked at.

        Raises:
            MemoryFault: see `Memories.read`.
        """
        if self._value is None:
            self._value = self._memories.read(self._text)
            self._before = self._memories.write(self._value)
        return self._value

    def after(self, returned: object) -> tuple[Any, str | None]:
        """What `decide` returned, as the wish and the memory as it is to be written from here on.

        Raises:
            MemoryFault: no such memory, or one was changed and not returned.
        """
        if isinstance(returned, tuple) and len(returned) == 2:
            wish, memory = returned
            text = self._memories.write(memory)
            return wish, text if text != (self._text or self._memories.first) else self._text
        if self._value is not None and self._memories.write(self._value) != self._before:
            raise MemoryFault(
                "seen: now.memory was changed and not returned; expected: return the wish, then "
                "the memory, because it is journaled with the decision or not at all"
            )
        return returned, self._text


def _body(memory: object) -> bytes:
    """Canonical JSON: sets and dicts are sorted, so that the same memory is the same text."""
    return _encode(msgspec.to_builtins(memory, str_keys=True, order="deterministic"))


def remembering(strategy: Any) -> Callable[[Any], Any]:
    """Asks a strategy for its wish at one view after the other, and hands its memory on.

    For backtests, where nothing fails over and no journal keeps it.

    Raises:
        MemoryFault: its `Memory` is unusable; the callable raises as `Recalled.after` does.
    """
    memories = memories_of(strategy)
    if memories is None:
        return strategy.decide  # type: ignore[no-any-return]  # the caller knows strategies
    text: str | None = None

    def ask(view: Any) -> Any:
        nonlocal text
        recalled = Recalled(memories, text)
        view.recall(recalled)
        wish, text = recalled.after(strategy.decide(view))
        return wish

    return ask


def _lost(written: Any, read: Any) -> str:
    """The first key that was written and is not there after reading, or nothing."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key not in read:
                return repr(key)
            if found := _lost(value, read[key]):
                return found
    elif isinstance(written, list) and isinstance(read, list | tuple):
        for one, other in zip(written, read, strict=False):
            if found := _lost(one, other):
                return found
    return ""


def _shown(value: object) -> str:
    return f"a {type(value).__qualname__}"
