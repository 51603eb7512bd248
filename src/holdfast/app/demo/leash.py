"""A leash: runs `holdfast` in a process group that ends with whoever holds the other end of a pipe.

However that one ends, kill -9 included, the system closes its end; then everything here is killed,
stopped processes too. Called as `python -m holdfast.app.demo.leash FD VERB OPTION...` by the leader
of a new session. Not here: anything that `holdfast` does.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from threading import Thread


def hold(leash: int) -> None:
    """Return never; end the whole process group when the other end of the pipe is gone."""
    os.read(leash, 1)  # nothing is ever written: it returns when the other end is gone
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Hold the leash and become `holdfast`."""
    if os.getpgrp() != os.getpid():
        sys.exit("seen: no process group of its own; expected: to be started by the demo")
    leash = int(sys.argv[1])
    os.set_inheritable(leash, False)
    Thread(target=hold, args=(leash,), name="leash", daemon=True).start()
    sys.argv = ["holdfast", *sys.argv[2:]]
    runpy.run_module("holdfast", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
