"""The edge of `deploy/edge`: real nginx and HAProxy, with TLS, before real API processes.

Not here: what the API answers (tests/unit/api).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import aiohttp
import httpx
import pytest

from scripts.verify.nginx import made_ready, temporary
from tests.support.edge import EDGE, haproxy_before, nginx_before
from tests.support.operations_tools import operations_tool
from tests.support.waiting import PATIENCE_S

Edge = Callable[[list[int], Path], AbstractContextManager[tuple[int, int]]]
both = pytest.mark.parametrize("edge", [nginx_before, haproxy_before])

HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@contextmanager
def api_processes(folder: Path) -> Iterator[dict[int, subprocess.Popen[str]]]:
    """Three `holdfast api` on one database, each by its port."""
    (folder / "holdfast.toml").write_text(
        '[api]\nhosts = ["localhost"]\nproxies = ["127.0.0.1/32"]\n', encoding="utf-8"
    )
    environ = {
        name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_SECRET"))
    }
    found: dict[int, subprocess.Popen[str]] = {}
    started: list[subprocess.Popen[str]] = []
    with (folder / "api.log").open("w") as log:
        try:
            for number in range(3):
                started.append(subprocess.Popen(
                    [sys.executable, "-m", "holdfast", "api", "--json"], cwd=folder, text=True,
                    stdout=subprocess.PIPE, stderr=log,
                    env={**environ, "PORT": "0", "METRICS_PORT": "0"},
                ))  # fmt: skip
                if number == 0:  # it makes the tables
                    found[_port_of(started[0], folder)] = started[0]
            for process in started[1:]:
                found[_port_of(process, folder)] = process
            yield found
        finally:
            for process in started:
                process.kill()
            for process in started:
                process.communicate(timeout=PATIENCE_S)


def _port_of(process: subprocess.Popen[str], folder: Path) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "api.log").read_text()
    return int(json.loads(line)["listening"].rpartition(":")[2])


class Deaf:
    """A server that reads a request, keeps its first line, and hangs up without an answer."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            with line:
                first = line.recv(1 << 16).decode(errors="replace").partition("\r\n")[0]
                if first and " /ready " not in first:
                    self.heard.append(first)
                elif first:
                    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def deaf_servers() -> Iterator[list[Deaf]]:
    servers = [Deaf(), Deaf()]
    try:
        yield servers
    finally:
        for server in servers:
            server.close()


def trusting(folder: Path) -> ssl.SSLContext:
    found = [*folder.rglob("tried.pem")]
    return ssl.create_default_context(cafile=str(found[0]))


@pytest.mark.slow
def test_three_api_processes_are_one_behind_tls(tmp_path: Path) -> None:
    """With either edge: headers, redirect, WebSocket; one process dies, and reading goes on."""
    with api_processes(tmp_path) as processes:
        for edge in (nginx_before, haproxy_before):
            folder = tmp_path / edge.__name__
            folder.mkdir()
            with edge(list(processes), folder) as (plain, tls):
                look_around(plain, tls, folder)
        folder = tmp_path / "one-dies"
        folder.mkdir()
        with nginx_before(list(processes), folder) as (_, tls):
            one_dies(tls, processes, folder)


def look_around(plain: int, tls: int, folder: Path) -> None:
    asked = httpx.get(f"http://localhost:{plain}/somewhere?a=1")
    assert asked.status_code == 308
    assert asked.headers["location"].startswith("https://localhost")
    assert asked.headers["location"].endswith("/somewhere?a=1")
    assert httpx.get(f"http://localhost:{plain}/edge").status_code == 204
    with httpx.Client(base_url=f"https://localhost:{tls}", verify=trusting(folder)) as client:
        health = client.get("/health")
        assert health.json()["status"] == "ok"
        for name, value in HEADERS.items():
            assert health.headers.get_list(name) == [value], name
        assert len(health.headers.get_list("content-security-policy")) == 1
        assert "server" not in health.headers or "/" not in health.headers["server"]
        assert client.get("/health", headers={"Host": "elsewhere"}).status_code >= 400
        someone = {"email": "a@b.cd", "password": "wrong-as-can-be"}
        told = client.post("/api/v1/auth/sign-in", json=someone)
        assert told.status_code in {401, 422}, told.text
        assert told.headers["content-type"] == "application/problem+json"
    assert asyncio.run(closed_with(tls, folder)) == 4401


async def closed_with(tls: int, folder: Path) -> int:
    """The code with which a stream is closed for a token that proves nothing."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"wss://localhost:{tls}/api/v1/stream", ssl=trusting(folder)
        ) as stream,
    ):
        await stream.send_json({"type": "auth", "token": "proves-nothing"})
        told = await stream.receive(timeout=PATIENCE_S)
        return int(told.data)


def one_dies(tls: int, processes: dict[int, subprocess.Popen[str]], folder: Path) -> None:
    victim = next(iter(processes.values()))
    with httpx.Client(base_url=f"https://localhost:{tls}", verify=trusting(folder)) as client:
        statuses = []
        for number in range(30):
            if number == 6:
                victim.send_signal(signal.SIGKILL)
            statuses.append(client.get("/livez").status_code)
    assert statuses == [200] * 30


@both
def test_what_was_sent_and_not_answered_is_repeated_for_reading_alone(
    edge: Edge, tmp_path: Path
) -> None:
    with deaf_servers() as servers:
        with edge([server.port for server in servers], tmp_path) as (_, tls):
            base, trust = f"https://localhost:{tls}", trusting(tmp_path)
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                answer = httpx.request(method, f"{base}/api/v1/bots", verify=trust)
                assert answer.status_code in {502, 503}, method
                # What the edge says alone carries the headers as well.
                for name, value in HEADERS.items():
                    assert answer.headers.get_list(name) == [value], name
        heard = [line.split()[0] for server in servers for line in server.heard]
    assert {method: heard.count(method) for method in ("POST", "PUT", "DELETE", "PATCH")} == {
        "POST": 1, "PUT": 1, "DELETE": 1, "PATCH": 1,
    }  # fmt: skip
    assert heard.count("GET") == 2


def test_a_host_s_own_file_is_valid_too(tmp_path: Path) -> None:
    """`nginx -t` of site.conf; `make verify` tries the others."""
    nginx = operations_tool("nginx")
    place = made_ready(EDGE / "nginx", tmp_path / "nginx").parent
    site = (place / "site.conf").read_text(encoding="utf-8")
    by_hand = place / "by-hand.conf"
    # What Debian's nginx.conf says where it includes sites; a word that is there twice is an error.
    debian = (
        "sendfile on; tcp_nopush on; types_hash_max_size 2048; server_tokens build; gzip on;"
        "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; access_log /dev/null;"
    )
    http = f"{temporary(tmp_path)}\n{debian}\n{site}"
    whole = f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{http}\n}}\n"
    by_hand.write_text(whole, encoding="utf-8")
    command = [str(nginx), "-t", "-p", str(place), "-c", str(by_hand), "-e", str(tmp_path / "e")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert "[warn]" not in ran.stderr, ran.stderr
