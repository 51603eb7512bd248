"""A leader of Redis, a follower and three Sentinels, all real and on this machine alone.

Not here: a single server (tests.support.redis), what is tested on it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.ports import refusing_port, reserved_port
from tests.support.redis import end_with_parent, server_binary
from tests.support.waiting import PATIENCE_S

SERVICE = "holdfast"
PASSWORD = "planted-with-@-and-:"
DOWN_AFTER_MS = 500


class Sentinels:
    """The five processes; the first server leads at the start.

    Attributes:
        servers: ports of leader and follower.
        url: where clients ask; the first Sentinel it names is at a port where nobody listens.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = ExitStack()
        nobody = self._held.enter_context(refusing_port())
        ports = [self._held.enter_context(reserved_port()) for _ in range(5)]
        self.servers, self._watchers = ports[:2], ports[2:]
        asked = ",".join(f"127.0.0.1:{port}" for port in (nobody, *self._watchers))
        password = PASSWORD.replace("@", "%40").replace(":", "%3A")
        self.url = f"redis+sentinel://:{password}@{asked}/{SERVICE}/0"
        self._processes = {port: self._server(port) for port in self.servers}
        self._wait_for(lambda: "connected_slaves:1" in self.ask(self.servers[0], "INFO"))
        self._processes |= {port: self._watcher(port) for port in self._watchers}
        self._wait_for(lambda: all(map(self._sees_all, self._watchers)))

    def kill_leader(self) -> None:
        """SIGKILL to the first server."""
        self._processes[self.servers[0]].kill()
        self._processes[self.servers[0]].wait(PATIENCE_S)

    def stop(self) -> None:
        """End all of them."""
        for process in self._processes.values():
            process.kill()
            process.wait(PATIENCE_S)
        self._held.close()

    def ask(self, port: int, *words: str) -> str:
        """What a server answers; empty while it does not."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                if port in self.servers:
                    line.sendall(_command("AUTH", PASSWORD))
                    line.recv(64)
                line.sendall(_command(*words))
                return line.recv(1 << 16).decode(errors="replace")
        except OSError:
            return ""

    def _sees_all(self, watcher: int) -> bool:
        told = self.ask(watcher, "INFO", "sentinel")
        return "status=ok" in told and "slaves=1" in told and "sentinels=3" in told

    def _server(self, port: int) -> subprocess.Popen[bytes]:
        leader = () if port == self.servers[0] else ("--replicaof", f"127.0.0.1 {self.servers[0]}")
        return self._started(port, [
            "--save", "", "--requirepass", PASSWORD, "--masterauth", PASSWORD, *leader,
            "--repl-diskless-sync-delay", "0",
        ])  # fmt: skip

    def _watcher(self, port: int) -> subprocess.Popen[bytes]:
        file = self._folder / f"sentinel-{port}.conf"
        file.write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.servers[0]} 2\n"
            f'sentinel auth-pass {SERVICE} "{PASSWORD}"\n'
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n",
            encoding="utf-8",
        )
        return self._started(port, [str(file), "--sentinel"])

    def _started(self, port: int, words: Sequence[str]) -> subprocess.Popen[bytes]:
        file, options = (words[:1], words[1:]) if words[0].endswith(".conf") else ([], words)
        common = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / f"{port}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(server_binary()), *file, *common, *options],
                stdout=log, stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            )  # fmt: skip
        self._wait_for(lambda: self.ask(port, "PING").startswith("+PONG"))
        return process

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline_s:
                said = [log.read_text()[-2000:] for log in self._folder.glob("*.log")]
                raise AssertionError("\n".join(said))
            time.sleep(0.02)


@contextmanager
def sentinels() -> Iterator[Sentinels]:
    """All of them, until the context ends."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-sentinels-"))
    found = Sentinels(folder)
    try:
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _command(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()
