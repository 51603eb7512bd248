"""A demo with its dashboard, as a user starts it, for who looks at it with a browser.

Not here: the browser (browsing).
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.waiting import PATIENCE_S

STARTS_WITHIN_S = 4 * PATIENCE_S


class Demo(NamedTuple):
    """A demo that runs.

    Attributes:
        url: of its dashboard.
        link: that signs in once.
    """

    url: str
    link: str
    directory: Path


@contextmanager
def running_demo(directory: Path) -> Iterator[Demo]:
    """One demo, from its first order until the block ends; it must end green."""
    words = [sys.executable, "-m", "holdfast", "demo", "--headless", "--dir", str(directory)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(STARTS_WITHIN_S, process.kill)
        watchdog.start()
        told: list[str] = []
        found = _link_in(process, told)
        watchdog.cancel()
        assert found is not None, "".join(told)
        # Whoever says something must be heard, or he waits for ever.
        listener = threading.Thread(target=lambda: told.extend(process.stderr or ()), daemon=True)
        listener.start()
        try:
            yield Demo(found[1], f"{found[1]}/#link={found[2]}", directory)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STARTS_WITHIN_S)
            finally:
                process.kill()
        listener.join()
        assert process.stdout is not None
        assert process.returncode == 0, "".join([*told, process.stdout.read()])


def _link_in(process: subprocess.Popen[str], told: list[str]) -> re.Match[str] | None:
    for line in process.stderr or ():
        told.append(line)
        found = re.search(r"dashboard at (http://[^/\s]+)/#link=(\S+)", line)
        if found is not None:
            return found
    return None
