"""Jobs for tests: each does one thing that a job can do, or do wrong.

They run in processes of their own; what they did is read from files. Not here: who asks for them.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec

from holdfast.errors import ConfigError, RetryableError
from holdfast.platform.jobs.kinds import Kind, Part, Work
from holdfast.platform.jobs.port import MOST_RESULT_BYTES, JobState


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two numbers."""

    a: int
    b: int


class Marked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job that notes each attempt in `marks`: a line of its process id.

    Attributes:
        go: it waits for this file.
        good_attempt: the first that does not fail.
    """

    marks: str
    go: str = ""
    good_attempt: int = 1


class Many(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many sums; the part of the number `bad` fails."""

    count: int
    bad: int = 0


def add(given: Add, work: Work) -> int:
    work.tell(0.5, f"adding {given.b}")
    if given.b < 0:
        raise ConfigError("seen: a number below zero; expected: none")
    (work.folder / "sum.txt").write_text(str(given.a + given.b))
    print("what a strategy prints")
    return given.a + given.b


def wait(given: Marked, work: Work) -> str:
    _mark(given)
    work.tell(0.25, "waiting")
    while not Path(given.go).exists():
        time.sleep(0.02)
    return work.folder.name  # the number of the attempt


def fail_at_first(given: Marked, work: Work) -> int:
    attempt = _mark(given)
    if attempt < given.good_attempt:
        raise RetryableError(f"seen: attempt {attempt}; expected: a later one")
    return attempt


def poison(given: Marked, work: Work) -> None:
    _mark(given)
    os.kill(os.getpid(), signal.SIGKILL)


def mistake(given: Marked, work: Work) -> None:
    _mark(given)
    raise ZeroDivisionError("a mistake\0 of ours")


def leak(given: Marked, work: Work) -> None:
    raise ConfigError("seen: postgresql://desk:hunter2-of-the-desk@db/x; expected: none")


def large(given: Marked, work: Work) -> str:
    _mark(given)
    return "x" * MOST_RESULT_BYTES


def endless(given: Marked, work: Work) -> None:
    _mark(given)
    while True:
        pass


def split(given: Many, work: Work) -> list[Part]:
    numbers = range(1, given.count + 1)
    pairs = [Add(100, -n if n == given.bad else n) for n in numbers]
    return [Part("add", msgspec.Raw(msgspec.json.encode(pair))) for pair in pairs]


def gather(given: Many, work: Work) -> dict[str, Any]:
    done = [part for part in work.parts if part.state is JobState.DONE]
    return {
        "sums": [msgspec.json.decode(part.result) for part in done],
        "errors": [part.error for part in work.parts if part.error],
    }


def _mark(given: Marked) -> int:
    """Note an attempt; how many there are now."""
    with Path(given.marks).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(Path(given.marks).read_text().splitlines())


def _kind(name: str, takes: type[msgspec.Struct], run: str, **more: Any) -> Kind:
    return Kind(name=name, takes=takes, run=f"{__name__}:{run}", **more)


KINDS = {
    kind.name: kind
    for kind in (
        _kind("add", Add, "add"),
        _kind("wait", Marked, "wait"),
        _kind("flaky", Marked, "fail_at_first"),
        _kind("poison", Marked, "poison", attempts=2),
        _kind("mistake", Marked, "mistake"),
        _kind("large", Marked, "large"),
        _kind("leak", Marked, "leak"),
        _kind("endless", Marked, "endless", most_s=0.5),
        _kind("many", Many, "gather", split=f"{__name__}:split"),
        _kind("inner", Marked, "wait", is_public=False),
    )
}
