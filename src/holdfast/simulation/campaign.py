"""Many runs: workers fed with seeds, what they come to added up, and a file to go on from.

Lives here: everything outside of a simulated process. Not here: one run (run), the processes that
make them (worker), or how a person is told (cli.simulate).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from holdfast.errors import ConfigError
from holdfast.simulation.outcome import Outcome, Violation

_FAULT = "fault "


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs of a campaign have in common.

    Attributes:
        minutes: virtual minutes under faults, per seed.
        nodes: machines that share the account.
        bug: planted in the code that runs; empty for none.
        commit: of the code; results of two are never added up.
    """

    minutes: float = 5.0
    nodes: int = 3
    bug: str = ""
    commit: str = ""


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
            "nodes": self.settings.nodes,
            "bug": self.settings.bug,
            "commit": self.settings.commit,
            "virtual_seconds": round(virtual_s, 3),
            "wall_seconds": round(sum(o.wall_s for o in self.outcomes.values()), 3),
            "cpu_seconds": round(cpu_s, 3),
            "speed": round(virtual_s / cpu_s, 1) if cpu_s else None,
            "orders": counts["orders"],
            "fills": counts["fills"],
            "failovers": counts["failovers"],
            "restarts": counts["starts"] - len(self.outcomes),
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
            "violations": [
                {"seed": seed, "invariant": one.invariant, "detail": one.detail}
                for seed, one in self.violations
            ],
            "trace_hash": told.hexdigest(),
        }


Done = Callable[[int, Outcome | str], None]


def simulate(
    seeds: Sequence[int], settings: Settings, *, jobs: int, done: Done,
    file: Path | None = None, stop_at_first: bool = False,
) -> Total:
    """Run every seed that `file` does not hold yet, and add all of them up.

    Blocks. Ctrl-C ends it with what there is.

    Args:
        jobs: processes side by side.
        done: told of each seed as it ends: its outcome, or why there is none.
        file: one line per finished seed, appended at once; a later call goes on from there.
        stop_at_first: once something was violated, begin no further seed.

    Raises:
        ConfigError: `file` is of other settings, or no file of a campaign.
    """
    total = Total(settings=settings)
    wanted = list(dict.fromkeys(seeds))
    if file is not None:
        _read(file, total)
        kept = set(wanted)
        total.outcomes = {seed: one for seed, one in total.outcomes.items() if seed in kept}
    left = [seed for seed in wanted if seed not in total.outcomes]
    log = file.open("ab") if file is not None else None
    try:
        if log is not None and file is not None and not file.stat().st_size:
            log.write(msgspec.json.encode(settings) + b"\n")

        def note(seed: int, came_to: Outcome | str) -> None:
            if isinstance(came_to, str):
                total.broken[seed] = came_to
            else:
                total.outcomes[seed] = came_to
                if log is not None:
                    log.write(msgspec.json.encode(came_to) + b"\n")
                    log.flush()
            done(seed, came_to)
            if stop_at_first and total.violations:
                left.clear()

        asyncio.run(_work(left, settings, min(jobs, max(1, len(left))), note))
    except KeyboardInterrupt:
        pass
    finally:
        if log is not None:
            log.close()
    return total


def commit_of_this() -> str:
    """The commit of the code that runs, `-dirty` when it is changed; empty when nobody knows."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607
            cwd=here, capture_output=True, text=True, timeout=10, check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


async def _work(
    left: list[int], settings: Settings, jobs: int, note: Callable[[int, Outcome | str], None]
) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(_feed(left, settings, note))


async def _feed(
    left: list[int], settings: Settings, note: Callable[[int, Outcome | str], None]
) -> None:
    """One worker, fed with a seed at a time; a new one when it comes to nothing."""
    while left:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast.simulation.worker", str(settings.minutes),
            str(settings.nodes), settings.bug,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            # The order of sets is part of a run; nothing else of the environment may be.
            env={"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")},
            limit=1 << 26,
        )
        try:
            while left:
                seed = left.pop(0)
                answer = await _ask(worker, seed, patience_s=120 + 120 * settings.minutes)
                note(seed, answer)
                if isinstance(answer, str):
                    break
        finally:
            if worker.returncode is None:
                os.killpg(worker.pid, signal.SIGKILL)
            await worker.wait()


async def _ask(
    worker: asyncio.subprocess.Process, seed: int, patience_s: float
) -> Outcome | str:
    assert worker.stdin is not None and worker.stdout is not None  # noqa: S101, PT018 - pipes
    try:
        worker.stdin.write(f"{seed}\n".encode())
        async with asyncio.timeout(patience_s):
            line = await worker.stdout.readline()
    except TimeoutError:
        return f"no end after {patience_s:g} s of real time"
    except ConnectionError as error:
        return f"the worker is gone: {error}"
    if not line:
        return "the worker ended"
    try:
        return msgspec.json.decode(line, type=Outcome)
    except msgspec.ValidationError:
        return str(msgspec.json.decode(line).get("broke", line[:500]))


def _read(file: Path, total: Total) -> None:
    """Take in what an earlier call has left in `file`."""
    if not file.exists() or not file.stat().st_size:
        return
    lines = file.read_bytes().split(b"\n")
    try:
        settings = msgspec.json.decode(lines[0], type=Settings)
        # What follows the last line break was being written when the process ended.
        outcomes = [msgspec.json.decode(line, type=Outcome) for line in lines[1:-1] if line]
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"seen: {file}: {error}; expected: a file that `simulate --campaign` has written; "
            "do: name another"
        ) from error
    if settings != total.settings:
        raise ConfigError(
            f"seen: {file} is of {settings}; expected: {total.settings}, since results of "
            "different code or settings are not added up; do: name another file"
        )
    if lines[-1]:
        with file.open("r+b") as cut:
            cut.truncate(file.stat().st_size - len(lines[-1]))
    for outcome in outcomes:
        total.outcomes[outcome.seed] = outcome


def parse_seeds(text: str) -> range:
    """`7` or `1-100`.

    Raises:
        ConfigError: it is neither.
    """
    first, dash, last = text.partition("-")
    try:
        found = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        found = range(0)
    if not found:
        raise ConfigError(f"seen: --seeds {text}; expected: A-B, such as 1-100; do: correct it")
    return found
