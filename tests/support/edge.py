"""The edge of `deploy/edge`, run for real on loopback: nginx or HAProxy before whatever serves.

The shipped files are used; what belongs to containers (names, ports, paths of certificates) is
replaced, and a word that another file lost fails the test. Not here: what is asked of it.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scripts.verify.nginx import made_ready, self_signed
from tests.support.operations_tools import operations_tool
from tests.support.ports import reserved_port
from tests.support.waiting import PATIENCE_S

EDGE = Path(__file__).parents[2] / "deploy" / "edge"


@contextmanager
def nginx_before(backends: Sequence[int], folder: Path) -> Iterator[tuple[int, int]]:
    """nginx with the shipped configuration before these ports; yields its plain and TLS ports."""
    program = operations_tool("nginx")
    with two_ports() as (plain, tls):
        file = nginx_file(folder, backends, plain, tls)
        command = [str(program), "-p", str(file.parent), "-c", str(file), "-e", str(folder / "err")]
        with running([*command, "-g", "daemon off;"], tls, folder / "edge.log"):
            yield plain, tls


def nginx_file(folder: Path, backends: Sequence[int], plain: int, tls: int) -> Path:
    """The shipped folder made ready for these ports; the path of nginx.conf in it."""
    place = folder / "nginx"
    file = made_ready(EDGE / "nginx", place)
    text = file.read_text(encoding="utf-8")
    servers = re.findall(r"\n +server 127\.0\.0\.1:8080 [^\n]+", text)
    assert len(servers) == 3, "the shipped file has not three servers any more"
    wanted = [
        server.replace(":8080", f":{port}")
        for server, port in zip(servers, backends, strict=False)
    ]
    text = replaced(text, "".join(servers), "".join(wanted))
    text = replaced(text, "listen 8080;", f"listen 127.0.0.1:{plain};")
    text = replaced(text, "listen 8443 ssl;", f"listen 127.0.0.1:{tls} ssl;")
    text = replaced(text, "_path /tmp/", f"_path {folder}/")
    file.write_text(f"pid {folder}/nginx.pid;\n{text}", encoding="utf-8")
    return file


@contextmanager
def haproxy_before(backends: Sequence[int], folder: Path) -> Iterator[tuple[int, int]]:
    """HAProxy with the shipped configuration before these ports."""
    program = operations_tool("haproxy")
    with two_ports() as (plain, tls):
        file = haproxy_file(folder, backends, plain, tls)
        with running([str(program), "-db", "-f", str(file)], tls, folder / "edge.log"):
            yield plain, tls


def haproxy_file(folder: Path, backends: Sequence[int], plain: int, tls: int) -> Path:
    """The shipped file with its own names and ports replaced."""
    (folder / "tried.pem").write_bytes(self_signed())
    text = (EDGE / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
    for number in range(1, 4):
        port = backends[min(number, len(backends)) - 1]
        name = f"server api-{number}"
        text = replaced(text, f"{name} api-{number}:8080", f"{name} 127.0.0.1:{port}")
    text = replaced(text, "bind :8080", f"bind 127.0.0.1:{plain}")
    text = replaced(text, "bind :8443", f"bind 127.0.0.1:{tls}")
    text = replaced(text, "/etc/haproxy/tls.pem", str(folder / "tried.pem"))
    file = folder / "haproxy.cfg"
    file.write_text(text, encoding="utf-8")
    return file


def replaced(text: str, old: str, new: str) -> str:
    """`text` with `old` replaced; it must be there."""
    assert old in text, f"{old!r} is not in the shipped file any more"
    return text.replace(old, new)


@contextmanager
def two_ports() -> Iterator[tuple[int, int]]:
    """Kept for two listeners that bind with SO_REUSEADDR."""
    with ExitStack() as held:
        yield held.enter_context(reserved_port()), held.enter_context(reserved_port())


@contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """A program, once it accepts connections; it is ended on the way out."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while not _accepts(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline_s, log.read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _accepts(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0
