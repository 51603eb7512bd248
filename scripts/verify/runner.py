"""How checks run and what is told of them: one line each, PASS, FAIL or SKIP with its reason.

Not here: the checks (table).
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_UNPACKED: Final = REPOSITORY / ".tools" / "operations" / "bin"
_FOLDERS: Final = (
    str(REPOSITORY / ".venv" / "bin"), os.environ.get("PATH", ""), "/usr/sbin", "/sbin",
    str(_UNPACKED), str(REPOSITORY / ".tools" / "bin"),
)  # fmt: skip
MOST_S: Final = 120.0
"""No program that is asked may take longer."""


class FaultError(Exception):
    """An artefact is not what it must be; the text says which, and how."""


class SkippedError(Exception):
    """It cannot be looked at here; the text says why, and what to do."""


class Verdict(StrEnum):
    """What became of a check."""

    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"


class Row(NamedTuple):
    """One check that was made.

    Attributes:
        reason: of what is not PASS; may have several lines.
    """

    verdict: Verdict
    check: str
    reason: str
    seconds: float

    @property
    def line(self) -> str:
        """For people: the reason of a SKIP is part of it, that of a FAIL comes after it."""
        verdict = f"SKIP({self.reason})" if self.verdict is Verdict.SKIP else self.verdict.value
        return f"{verdict}  {self.check}  {self.seconds:.1f} s"


class Tree:
    """A checkout, whose artefacts are looked at.

    Args:
        asks_network: whether a check may ask beyond this machine.
    """

    def __init__(self, root: Path = REPOSITORY, *, asks_network: bool = False) -> None:
        self.root = root
        self.asks_network = asks_network
        self._files = tuple(_files_of(root))

    def files(self, *patterns: str) -> list[Path]:
        """Files whose path below the root matches one of `patterns`, by path; `*` spans folders."""
        return [
            self.root / file
            for file in self._files
            if any(fnmatch.fnmatch(file, pattern) for pattern in patterns)
        ]

    def some(self, *patterns: str) -> list[Path]:
        """The same; without any, the check is skipped."""
        found = self.files(*patterns)
        if not found:
            raise SkippedError(f"there is no {' or '.join(patterns)}")
        return found

    def name(self, path: Path) -> str:
        """A file as people call it."""
        return str(path.relative_to(self.root))

    def run(self, program: str, *arguments: str | Path) -> str:
        """What a program says, on both its streams.

        Raises:
            FaultError: it says no, or does not end.
            SkippedError: it is not here.
        """
        command = [str(tool(program)), *map(str, arguments)]
        try:
            ran = subprocess.run(
                command, cwd=self.root, capture_output=True, text=True, timeout=MOST_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise FaultError(f"{program} did not end within {MOST_S:g} s") from error
        said = f"{ran.stdout}\n{ran.stderr}".strip()
        if ran.returncode:
            raise FaultError(said or f"{program} ended with {ran.returncode}")
        return said


class Check(NamedTuple):
    """One line of the table.

    Attributes:
        work: returns when all is well; raises FaultError or SkippedError.
    """

    name: str
    work: Callable[[Tree], None]


def tool(program: str) -> Path:
    """Where a program is.

    Raises:
        SkippedError: it is nowhere; the text says how to get it.
    """
    found = shutil.which(program, path=os.pathsep.join(_FOLDERS))
    if found is None:
        raise SkippedError(f"no {program} here; to run this: scripts/operations-tools")
    return Path(found)


def rows(checks: Iterable[Check], tree: Tree) -> Iterator[Row]:
    """Make the checks, one after the other."""
    for check in checks:
        begun_s = time.perf_counter()
        verdict, reason = Verdict.PASS, ""
        try:
            check.work(tree)
        except FaultError as error:
            verdict, reason = Verdict.FAIL, str(error)
        except SkippedError as error:
            verdict, reason = Verdict.SKIP, str(error)
        yield Row(verdict, check.name, reason, round(time.perf_counter() - begun_s, 2))


def faults(found: Sequence[str]) -> None:
    """Raise what was found, a line each; nothing when nothing was."""
    if found:
        raise FaultError("\n".join(found))


def _files_of(root: Path) -> Iterator[str]:
    """What is committed or would be; every file where there is no repository."""
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=root, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        # What was removed and not yet committed is still listed.
        yield from sorted(f for f in listed.split("\0") if f and (root / f).is_file())
    else:
        yield from sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
