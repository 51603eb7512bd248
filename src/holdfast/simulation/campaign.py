"""Many runs: workers fed with seeds, and a file to go on from.

Lives here: everything outside of a simulated process. Not here: one run (run), the processes that
make them (worker), what they come to together (results), or how a person is told (cli.simulate).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from holdfast.errors import ConfigError
from holdfast.simulation.outcome import Outcome
from holdfast.simulation.results import Settings, Total, different, read

LOWEST_PRIORITY = 19

Done = Callable[[int, Outcome | str], None]


def simulate(
    seeds: Sequence[int], settings: Settings, *, jobs: int, done: Done,
    file: Path | None = None, stop_at_first: bool = False, at_most_s: float = 0,
) -> Total:
    """Run every seed that `file` does not hold yet, and add all of them up.

    Blocks, in the main thread. Ctrl-C or SIGTERM ends it with what there is. With a `file` it gives
    way to whatever else runs on this machine: that lasts for hours.

    Args:
        jobs: processes side by side.
        done: told of each seed as it ends: its outcome, or why there is none.
        file: one line per finished seed, appended at once; a later call goes on from there.
        stop_at_first: once something was violated, begin no further seed.
        at_most_s: nor after so many seconds of real time; 0 is no limit. Those under way end.

    Raises:
        ConfigError: `file` is of other settings, or no file of a campaign.
    """
    total = Total(settings=settings)
    wanted = list(dict.fromkeys(seeds))
    if file is not None and file.exists() and file.stat().st_size:
        settings_then, outcomes = read(file, mend=True)
        if settings_then != settings:
            raise different(file, settings_then, settings)
        kept = set(wanted)
        total.outcomes = {one.seed: one for one in outcomes if one.seed in kept}
    left = [seed for seed in wanted if seed not in total.outcomes]
    began_s = time.monotonic()
    log = file.open("ab") if file is not None else None
    if log is not None:
        os.nice(LOWEST_PRIORITY - os.nice(0))
    try:
        if log is not None and file is not None and not file.stat().st_size:
            log.write(msgspec.json.encode(settings) + b"\n")
            log.flush()

        def note(seed: int, came_to: Outcome | str) -> None:
            if isinstance(came_to, str):
                total.broken[seed] = came_to
            else:
                total.outcomes[seed] = came_to
                if log is not None:
                    log.write(msgspec.json.encode(came_to) + b"\n")
                    log.flush()
            done(seed, came_to)
            over = bool(at_most_s) and time.monotonic() - began_s > at_most_s
            if over or (stop_at_first and total.violations):
                left.clear()

        asyncio.run(_work(left, settings, min(jobs, max(1, len(left))), note))
    except (KeyboardInterrupt, asyncio.CancelledError):
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
    here = asyncio.current_task()
    assert here is not None  # noqa: S101 - a coroutine runs in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, here.cancel)
    # In memory where there is some. A worker is killed when nothing is left for it to do, and
    # removes nothing of the run that it is at then.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - private within
    with tempfile.TemporaryDirectory(
        prefix=f"holdfast-sim-{os.getpid()}-", dir=memory, ignore_cleanup_errors=True
    ) as directory:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(_feed(left, settings, note, directory))


async def _feed(
    left: list[int], settings: Settings, note: Callable[[int, Outcome | str], None],
    directory: str,
) -> None:
    """One worker, fed with a seed at a time; a new one when it comes to nothing."""
    while left:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast.simulation.worker", directory,
            str(settings.minutes), str(settings.nodes), settings.bug,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            # No session: Linux may share processors between sessions first, whatever their worth.
            process_group=0,
            env=_environment(),
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


def _environment() -> dict[str, str]:
    """Of a worker: nothing of ours may be part of a run, but that it is of the same code."""
    here = Path(__file__).parents[2]  # not what else may be installed under this name
    return {
        "PYTHONHASHSEED": "0",  # the order of sets is part of a run
        "PYTHONPATH": str(here),
        "PATH": os.environ.get("PATH", ""),
    }


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
