"""A leader of Redis, a follower and three Sentinels, all real and on this machine alone.

Not here: a single server (tests.support.redis), what is tested on it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.ports import refusing_port, reserved_port
from tests.support.redis import end_with_parent, server_binary
from tests.support.waiting import PATIENCE_S

REDIS = Path(__file__).parents[2] / "deploy" / "redis"
SERVICE = "holdfast"
DOWN_AFTER_MS = 500
_SECRETS = (
    "redis_password", "redis_replica_password", "redis_sentinel_password", "redis_monitor_password",
)  # fmt: skip


class Sentinels:
    """The five processes, begun by the scripts of `deploy/redis`; the first server leads.

    Attributes:
        servers: ports of leader and follower.
        watchers: ports of the Sentinels.
        url: where clients ask; the first Sentinel it names is at a port where nobody listens.
        referring_url: the same, with references to the passwords.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._secrets = {name: secrets.token_hex(16) for name in _SECRETS}
        self._write_secrets()
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(server_binary())
        self._held = ExitStack()
        nobody = self._held.enter_context(refusing_port())
        ports = [self._held.enter_context(reserved_port()) for _ in range(5)]
        self.servers, self.watchers = ports[:2], ports[2:]
        asked = ",".join(f"127.0.0.1:{port}" for port in (nobody, *self.watchers))
        self.url = (
            f"redis+sentinel://holdfast:{self._secrets['redis_password']}@{asked}/{SERVICE}/0"
            f"?sentinel_password={self._secrets['redis_sentinel_password']}"
        )
        self.referring_url = (
            f"redis+sentinel://holdfast@{asked}/{SERVICE}/0"
            f"?password_from=file:{folder}/redis_password"
            f"&sentinel_password_from=file:{folder}/redis_sentinel_password"
        )
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for port in self.servers:
            self._start("server.sh", port)
        self._wait_for(lambda: "connected_slaves:1" in self.ask(self.servers[0], "INFO"))
        for port in self.watchers:
            self._start("sentinel.sh", port)
        self._wait_for(lambda: all(map(self._sees_all, self.watchers)))

    def kill_leader(self) -> None:
        """SIGKILL to the first server."""
        self._processes[self.servers[0]].kill()
        self._processes[self.servers[0]].wait(PATIENCE_S)

    def give_sentinels_another_password(self) -> None:
        """Write it where `deploy/redis` reads it, and start all five again."""
        self._secrets["redis_sentinel_password"] = secrets.token_hex(16)
        self._write_secrets()
        for port in (*self.servers, *self.watchers):
            self._processes[port].kill()
            self._processes[port].wait(PATIENCE_S)
            self._start("server.sh" if port in self.servers else "sentinel.sh", port)
        self._wait_for(lambda: all(map(self._sees_all, self.watchers)))

    def stop(self) -> None:
        """End all of them."""
        for process in self._processes.values():
            process.kill()
            process.wait(PATIENCE_S)
        self._held.close()

    def ask(self, port: int, *words: str) -> str:
        """What a server tells the user who may look; empty while it does not."""
        is_server = port in self.servers
        user = ("monitor",) if is_server else ()
        kept = "redis_monitor_password" if is_server else "redis_sentinel_password"
        password = self._secrets[kept]
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                line.sendall(_command("AUTH", *user, password))
                if not line.recv(256).startswith(b"+OK"):
                    return ""
                line.sendall(_command(*words))
                return line.recv(1 << 16).decode(errors="replace")
        except OSError:
            return ""

    def _sees_all(self, watcher: int) -> bool:
        told = self.ask(watcher, "INFO", "sentinel")
        return "status=ok" in told and "slaves=1" in told and "sentinels=3" in told

    def _write_secrets(self) -> None:
        for name, value in self._secrets.items():
            (self._folder / name).write_text(f"{value}\n", encoding="utf-8")

    def _start(self, script: str, port: int) -> None:
        own = self._folder / str(port)
        own.mkdir(exist_ok=True)
        environ = {
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
            "SECRETS_DIR": str(self._folder),
            "DATA_DIR": str(own), "WORK_DIR": str(own), "PORT": str(port), "BIND": "127.0.0.1",
            "NAME": "127.0.0.1", "FIRST_LEADER": "127.0.0.1",
            "FIRST_LEADER_PORT": str(self.servers[0]), "DOWN_AFTER_MS": str(DOWN_AFTER_MS),
        }  # fmt: skip
        with (self._folder / f"{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen(
                [str(REDIS / script)], env=environ, stdout=log, stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            )  # fmt: skip
        self._wait_for(lambda: self.ask(port, "PING").startswith("+PONG"))

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
