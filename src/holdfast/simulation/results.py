"""What runs come to together: their sums, and the files in which a campaign keeps them.

Not here: making the runs (campaign), or one of them (outcome).
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from holdfast.errors import ConfigError
from holdfast.simulation.outcome import UNTIMED, Outcome, Violation

_FAULT = "fault "
DIRTY = "-dirty"
"""How a commit ends that says that the code was changed since."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs of a campaign have in common.

    Attributes:
        minutes: virtual minutes under faults, per seed.
        nodes: machines that share the account.
        bug: planted in the code that runs; empty for none.
        commit: of the code; results of two are never added up.
        python: `3.13`; another one may go another way with the same seed.
    """

    minutes: float = 5.0
    nodes: int = 3
    bug: str = ""
    commit: str = ""
    python: str = ""


class Total(msgspec.Struct, kw_only=True):
    """Runs added up.

    Attributes:
        breaking: runs that broke an assumption on purpose; their ghosts are counted apart.
        outcomes: by seed.
        broken: runs that came to nothing, with the reason.
    """

    settings: Settings
    outcomes: dict[int, Outcome] = msgspec.field(default_factory=dict)
    broken: dict[int, str] = msgspec.field(default_factory=dict)

    @property
    def violations(self) -> list[tuple[int, Violation]]:
        """What did not hold, by seed."""
        found = [(seed, Violation("defect", why, 0.0)) for seed, why in self.broken.items()]
        found += [(o.seed, one) for o in self.outcomes.values() for one in o.violations]
        return sorted(found, key=lambda pair: pair[0])

    def _gaps(self) -> dict[str, dict[str, float]]:
        """From a single fault to the next order, by profile."""
        found: dict[str, list[float]] = {}
        for outcome in self.outcomes.values():
            if outcome.gaps_s:
                found.setdefault(outcome.profile, []).extend(outcome.gaps_s)
        return {profile: _spread(gaps_s) for profile, gaps_s in sorted(found.items())}

    def document(self) -> dict[str, Any]:
        """The figures, by the names that they have everywhere."""
        counts: Counter[str] = Counter()
        for outcome in self.outcomes.values():
            counts.update(outcome.counts)
        breaking = [o for o in self.outcomes.values() if o.breaks]
        told = hashlib.sha256()
        for seed in sorted(self.outcomes):
            told.update(f"{seed} {self.outcomes[seed].trace_hash}\n".encode())
        virtual_s = sum(o.virtual_s for o in self.outcomes.values())
        cpu_s = sum(o.cpu_s for o in self.outcomes.values())
        return {
            "seeds": len(self.outcomes) + len(self.broken),
            "of": _ranges({*self.outcomes, *self.broken}),
            "minutes": self.settings.minutes,
            "nodes": self.settings.nodes,
            "bug": self.settings.bug,
            "commit": self.settings.commit,
            "python": self.settings.python,
            "virtual_seconds": round(virtual_s, 3),
            "wall_seconds": round(sum(o.wall_s for o in self.outcomes.values()), 3),
            "cpu_seconds": round(cpu_s, 3),
            "speed": round(virtual_s / cpu_s, 1) if cpu_s else None,
            "orders": counts["orders"],
            "fills": counts["fills"],
            "failovers": counts["failovers"],
            "restarts": counts["starts"] - self.settings.nodes * len(self.outcomes),
            "in_doubt": counts["doubts"],
            "in_doubt_resolved": counts["in_doubt_resolved"],
            "ghosts": counts["ghosts"] - sum(o.counts.get("ghosts", 0) for o in breaking),
            "assumption_breaking": {
                "runs": len(breaking),
                "ghosts": sum(o.counts.get("ghosts", 0) for o in breaking),
            },
            "faults_injected": {
                name.removeprefix(_FAULT): number
                for name, number in sorted(counts.items())
                if name.startswith(_FAULT)
            },
            "gaps_alone_s": self._gaps(),
            "gaps_alone_untimed": counts[UNTIMED],
            "violations": [
                {"seed": seed, "invariant": one.invariant, "detail": one.detail}
                for seed, one in self.violations
            ],
            "trace_hash": told.hexdigest(),
        }


def sum_of(files: Sequence[Path]) -> Total:
    """What several files of one campaign come to together; a seed counts once.

    Raises:
        ConfigError: they are of different code or settings, of code that no commit names, or two
            tell different things of one seed.
    """
    total: Total | None = None
    for file in files:
        settings, outcomes = read(file, mend=False)
        if not settings.commit or settings.commit.endswith(DIRTY):
            raise ConfigError(
                f"seen: {file} of commit {settings.commit!r}; expected: results of a commit, since "
                "nobody can say what changed code was; do: commit, and run it again"
            )
        total = total or Total(settings=settings)
        if settings != total.settings:
            raise different(file, settings, total.settings)
        for one in outcomes:
            known = total.outcomes.setdefault(one.seed, one)
            if known.trace_hash != one.trace_hash:
                raise ConfigError(
                    f"seen: seed {one.seed} went another way in {file}; expected: the same seed, "
                    "the same run; do: find out what differs, such as the version of Python"
                )
    if total is None:
        raise ConfigError("seen: no file; expected: at least one; do: name it")
    return total


def read(file: Path, *, mend: bool) -> tuple[Settings, list[Outcome]]:
    """What an earlier call has left in `file`.

    Args:
        mend: cut off the line that was being written when the process ended.
    """
    try:
        lines = file.read_bytes().split(b"\n")
        settings = msgspec.json.decode(lines[0], type=Settings)
        outcomes = [msgspec.json.decode(line, type=Outcome) for line in lines[1:-1] if line]
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"seen: {file}: {error}; expected: a file that `simulate --campaign` has written; "
            "do: name another"
        ) from error
    if lines[-1] and mend:
        os.truncate(file, file.stat().st_size - len(lines[-1]))
    return settings, outcomes


def different(file: Path, seen: Settings, expected: Settings) -> ConfigError:
    """The refusal to add results of `seen` to those of `expected`."""
    return ConfigError(
        f"seen: {file} is of {seen}; expected: {expected}, since results of "
        "different code or settings are not added up; do: name another file"
    )


def _ranges(seeds: Collection[int]) -> str:
    """`1-100, 201-300`."""
    found: list[list[int]] = []
    for seed in sorted(seeds):
        if found and found[-1][1] == seed - 1:
            found[-1][1] = seed
        else:
            found.append([seed, seed])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def _spread(values: list[float]) -> dict[str, float]:
    """How many there are, and what so many of a hundred stay below."""
    values = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    last = len(values) - 1
    return {"number": len(values)} | {name: values[round(last * p)] for name, p in at.items()}
