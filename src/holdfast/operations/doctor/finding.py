"""What the doctor finds: one thing, how well it is, and what to do about it.

Not here: looking.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from holdfast.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_UNREACHABLE,
    PlatformError,
    RetryableError,
    UnreachableError,
)


class Grade(StrEnum):
    """What a finding means."""

    OK = "ok"
    WARN = "warn"  # trading works, and somebody should know
    FAIL = "fail"  # do not trade like this
    SKIP = "skip"  # it was not looked at; what was seen says why


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        check: its name, the same at every examination.
        seen: what was found.
        do: what to do about it; empty when nothing.
        account: that it is about; empty when it is about the installation.
        is_unreachable: it fails because something did not answer.
    """

    check: str
    grade: Grade
    seen: str
    do: str = ""
    account: str = ""
    is_unreachable: bool = False

    def of(self, account: str) -> Finding:
        """The same, about an account."""
        return msgspec.structs.replace(self, account=account)


def ok(check: str, seen: str) -> Finding:
    """It is well."""
    return Finding(check, Grade.OK, seen)


def warn(check: str, seen: str, do: str) -> Finding:
    """Trading works, and somebody should know."""
    return Finding(check, Grade.WARN, seen, do)


def fail(check: str, seen: str, do: str) -> Finding:
    """Nobody should trade like this."""
    return Finding(check, Grade.FAIL, seen, do)


def skip(check: str, why: str) -> Finding:
    """It was not looked at."""
    return Finding(check, Grade.SKIP, why)


def failed(check: str, error: PlatformError, do: str) -> Finding:
    """What an error says, in its own words where it has them for each part."""
    seen, expected, told = parts(str(error))
    unreachable = isinstance(error, UnreachableError | RetryableError)
    what = f"{seen}; expected: {expected}" if expected else seen
    return Finding(check, Grade.FAIL, what, told or do, is_unreachable=unreachable)


def exit_code(found: Iterable[Finding]) -> int:
    """0 when nothing fails, 4 when all that fails is that something does not answer, else 1."""
    fails = [one for one in found if one.grade is Grade.FAIL]
    if not fails:
        return EXIT_OK
    return EXIT_UNREACHABLE if all(one.is_unreachable for one in fails) else EXIT_FAILED


def parts(text: str) -> tuple[str, str, str]:
    """What an error of ours has seen, expected, and advises."""
    rest, _, do = text.removeprefix("seen: ").partition("; do: ")
    seen, _, expected = rest.partition("; expected: ")
    return seen, expected, do
