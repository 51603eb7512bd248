"""A worker: a warm process that forks one child for each seed and passes on what it came to.

`python -m holdfast.simulation.worker DIRECTORY MINUTES MACHINES [BUG]` reads seeds from stdin, one
a line, and answers each with one line of JSON on stdout. Time is replaced before anything else is
imported. What runs leave below DIRECTORY is removed by whoever made it.
"""

from __future__ import annotations

import os
import sys
import traceback

from holdfast.simulation import clock

clock.install()

import gc  # noqa: E402 - see above
import shutil  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

import msgspec  # noqa: E402

from holdfast.simulation import run as one_run  # noqa: E402

GARBAGE = (20_000, 20, 50)
"""Of what is made anew in a run little is garbage, and next to nothing is in cycles: looked for as
often as unless told, that takes a tenth of a run's time."""


def main() -> None:
    """Serve seeds until stdin ends."""
    within, minutes, machines = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    bug = sys.argv[4] if len(sys.argv) > 4 else ""
    with tempfile.TemporaryDirectory(dir=within) as once:
        one_run.warm_up(Path(once))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    for line in sys.stdin:
        directory = Path(tempfile.mkdtemp(dir=within))
        _fork(int(line), minutes, machines, bug, directory)
        shutil.rmtree(directory, ignore_errors=True)  # the next run needs the memory


def _fork(seed: int, minutes: float, machines: int, bug: str, directory: Path) -> None:
    """One seed in a process of its own, which ends without cleaning up anything."""
    pid = os.fork()
    if pid == 0:
        try:
            outcome = one_run.run(seed, minutes, bug, machines=machines, directory=directory)
            sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
            sys.stdout.buffer.flush()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent tells of it
            text = {"seed": seed, "broke": traceback.format_exc()}
            sys.stdout.buffer.write(msgspec.json.encode(text) + b"\n")
            sys.stdout.buffer.flush()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        text = {"seed": seed, "broke": f"ended by signal {os.WTERMSIG(status)}"}
        sys.stdout.buffer.write(msgspec.json.encode(text) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
