"""A strategy's memory: what can be kept, what is told when it cannot, and who sees it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import pytest

from holdfast.strategy import FLAT, Strategy, Target, View, Wish, check_strategy, play
from holdfast.strategy.check import BROKEN, HOLDS, NOT_CHECKED
from holdfast.strategy.memory import LARGEST_BYTES, Memories, MemoryFault

ONE = Target(quantity=Decimal(1))


class Every(Strategy):
    """Long at each `n`-th close that it is asked at, which no bar can tell."""

    n: int = 3

    class Memory(msgspec.Struct):
        asked: int = 0

    def decide(self, now: View) -> tuple[Wish, Memory]:
        memory = now.memory
        memory.asked += 1
        return (FLAT if memory.asked % self.n else ONE), memory


class Rich(msgspec.Struct):
    """Whatever JSON carries."""

    name: str = ""
    sizes: list[Decimal] = []
    slots: dict[int, float] = {}


class Second(msgspec.Struct):
    """What `Rich` became."""

    title: str = ""
    version: ClassVar[int] = 2

    @classmethod
    def migrate(cls, version: int, written: dict[str, Any]) -> Second:
        return cls(title=f"{written['name']} of {version}")


class Hoard(msgspec.Struct):
    """Fields that say nothing of what they hold."""

    kept: Any = None


RICH = Rich("a", [Decimal("0.10")], {7: 0.1})


def test_a_memory_is_read_as_it_was_written_each_time_anew() -> None:
    memories = Memories(Rich)
    text = memories.write(RICH)
    one, other = memories.read(text), memories.read(text)
    assert one == other == RICH
    assert one is not other
    assert memories.write(one) == text
    assert memories.read(None) == Rich()


def test_a_field_that_came_later_has_its_default() -> None:
    class Older(msgspec.Struct):
        name: str = ""

    assert Memories(Rich).read(Memories(Older).write(Older("a"))) == Rich("a")


def test_another_version_is_migrated_where_the_author_says_how() -> None:
    assert Memories(Second).read(Memories(Rich).write(RICH)) == Second("a of 1")


class Lacking(msgspec.Struct):
    """As `Rich`, without most of it."""

    name: str = ""


class Retyped(msgspec.Struct):
    """As `Rich`, with a number for a name."""

    name: int = 0


class Third(msgspec.Struct):
    """As `Rich`, of a version that says nothing of older ones."""

    version: ClassVar[int] = 3


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Lacking, "it has 'sizes', which Memory has not"),
        (Retyped, "Expected `int`, got `str`"),
        (Third, "this Memory is of version 3"),
    ],
)
def test_what_another_memory_left_is_refused_with_what_to_do(kind: type, told: str) -> None:
    text = Memories(Rich).write(RICH)
    with pytest.raises(MemoryFault, match=r"a memory of version 1 in the journal.*do: raise") as e:
        Memories(kind).read(text)
    assert told in str(e.value)


@pytest.mark.parametrize(
    ("memory", "told"),
    [
        ({"asked": 1}, "seen: decide returned a dict beside its wish"),
        (None, "seen: decide returned a NoneType beside its wish"),
        (Hoard(object()), "cannot be written and read"),
        (Hoard((1, 2)), "reads otherwise than it was written"),
        (Hoard({1: 2}), "reads otherwise than it was written"),
        (Hoard(float("nan")), "reads otherwise than it was written"),
        (Hoard("x" * LARGEST_BYTES), "expected: at most 16,384"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_kept_is_refused(memory: object, told: str) -> None:
    with pytest.raises(MemoryFault, match=told):
        Memories(Hoard).write(memory)


def test_a_memory_of_just_the_size_is_kept() -> None:
    memories = Memories(Hoard)
    body = len(msgspec.json.encode(Hoard("")))
    memory = Hoard("x" * (LARGEST_BYTES - body))
    assert memories.read(memories.write(memory)) == memory


class NoDefault(msgspec.Struct):
    """One that nothing can be made of at first."""

    asked: int


class FieldVersion(msgspec.Struct):
    """One whose version would be part of what is kept."""

    version: int = 2


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (dict, "no msgspec.Struct"),
        (NoDefault, "a default for every field"),
        (FieldVersion, "version: ClassVar"),
    ],
)
def test_a_class_that_is_no_memory_is_refused(kind: type, told: str) -> None:
    with pytest.raises(MemoryFault, match=told):
        Memories(kind)


def test_play_hands_each_decision_what_the_last_one_left() -> None:
    played = play(Every(n=2), closes=[100, 101, 102, 103])
    assert list(played.wishes) == [FLAT, ONE, FLAT, ONE]
    assert played.memory == '{"version":1,"memory":{"asked":4}}'


class Forgetful(Every):
    """Changes its copy, and returns only a wish."""

    def decide(self, now: View) -> Wish:  # type: ignore[override]  # the mistake that is told
        now.memory.asked += 1
        return FLAT


class Without(Strategy):
    """Asks for a memory that it has not."""

    def decide(self, now: View) -> Wish:
        return FLAT if now.memory else ONE


def test_a_copy_that_was_changed_and_not_returned_is_told() -> None:
    with pytest.raises(MemoryFault, match=r"changed and not returned"):
        play(Forgetful(), closes=[1, 2])


def test_who_has_no_memory_is_told_how_to_have_one() -> None:
    with pytest.raises(AttributeError, match=r"class Memory\(msgspec.Struct\)"):
        play(Without(), closes=[1, 2])


def test_the_fifth_law_is_tried_where_there_is_a_memory() -> None:
    check = check_strategy(Every())
    assert [law.verdict for law in check.laws] == [HOLDS] * 5, check.laws
    broken = check_strategy(Forgetful())
    assert [law.verdict for law in broken.laws] == [*[NOT_CHECKED] * 4, BROKEN]
    assert "changed and not returned" in broken.laws[4].why
    assert broken.laws[4].bar == 0


class Unmoved(Every):
    """Never has anything to remember."""

    def decide(self, now: View) -> tuple[Wish, Every.Memory]:
        return FLAT, now.memory


def test_a_memory_that_never_changed_was_not_tried() -> None:
    law = check_strategy(Unmoved()).laws[4]
    assert (law.verdict, law.why) == (
        NOT_CHECKED,
        "it never returned another memory on these bars",
    )
