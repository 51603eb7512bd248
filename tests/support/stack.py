"""The stack of `deploy/compose/prod.yml`, brought up on this machine with podman-compose.

The shipped files run as they are, in a copy of `deploy`; a second file names images that are here
and adds an exchange. Not here: the engine and its images (tests.support.containers).
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.support.containers import EDGE, REPOSITORY, STORES, Engine
from tests.support.ports import reserved_port

FILES: Final = Path(__file__).parent / "stack_files"
_COMPOSE: Final = (
    str(REPOSITORY / ".tools" / "bin" / "uvx"), "--from", "podman-compose==1.6.0", "podman-compose",
)  # fmt: skip
_EXCHANGE: Final = "exchange:8443"
_BOT: Final = """
[[bots]]
name = "trend"
strategy = "sma_cross"
symbols = ["BTC/USDT"]
timeframe = "1s"
params = {fast = 3, slow = 8, quantity = "0.01"}
limits = {max_order_notional = "5000", max_position_notional = "5000"}
"""


class Stack:
    """One installation with secrets of its own; nothing of it runs until it is told `up`.

    Attributes:
        https_port: of the edge, on loopback.
        certificate: that the edge shows.
    """

    def __init__(self, engine: Engine, folder: Path, name: str, tag: str) -> None:
        self._engine, self._name = engine, name
        self._compose_dir = folder / "deploy" / "compose"
        self._secrets = self._compose_dir / "secrets"
        self.certificate = self._compose_dir / "tls" / "fullchain.pem"
        shutil.copytree(REPOSITORY / "deploy", folder / "deploy")
        self._held = ExitStack()
        http_port, self.https_port = (self._held.enter_context(reserved_port()) for _ in range(2))
        self._environ = {
            **engine.environ, "COMPOSE_PROJECT_NAME": name, "VERSION": tag,
            "HTTP_PORT": f"127.0.0.1:{http_port}", "HTTPS_PORT": f"127.0.0.1:{self.https_port}",
        }  # fmt: skip
        self._make_secrets(folder / "deploy" / "market")
        self._configure()
        text = (FILES / "stack.yml").read_text(encoding="utf-8")
        for word, value in {"STORES": STORES, "EDGE": EDGE, "FILES": FILES, "TAG": tag}.items():
            text = text.replace(f"@{word}@", str(value))
        (self._compose_dir / "stack.yml").write_text(text, encoding="utf-8")

    def compose(self, *words: str) -> None:
        """What podman-compose does; AssertionError with what it said when it fails."""
        command = [*_COMPOSE, "--file", "prod.yml", "--file", "stack.yml", *words]
        ran = subprocess.run(
            command, cwd=self._compose_dir, env=self._environ, text=True, capture_output=True,
            check=False, timeout=300,
        )  # fmt: skip
        said = f"{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        assert ran.returncode == 0, f"podman-compose {' '.join(words)}\n{said}"

    def up(self, *services: str) -> None:
        """Start these, and nothing that they wait for: podman 4.3 cannot wait."""
        self.compose("up", "--detach", "--no-deps", *services)

    def take_away(self) -> None:
        """End and remove all of it, however far it came."""
        # One that is in another's network goes with that one, and is not missed then.
        at_once = ("--time", "0", "--depend", "--ignore", "--volumes")
        for kind, asked, how in (
            ("container", ("--all",), at_once), ("volume", (), ()), ("network", (), ()),
        ):  # fmt: skip
            if names := self._listed(kind, *asked):
                self._engine.run(kind, "rm", "--force", *how, *names)
        self._held.close()

    def containers(self) -> dict[str, dict[str, Any]]:
        """Those that there are, as the engine describes them, by service."""
        names = self._listed("container", "--all")
        found: list[dict[str, Any]] = json.loads(self._engine.run("inspect", *names))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def container(self, service: str) -> str:
        """The name of its container."""
        name: str = self.containers()[service]["Name"]
        return name

    def execute(self, service: str, *words: str) -> str:
        """What a command in a container says; AssertionError when it fails."""
        return self._engine.run("exec", self.container(service), *words)

    def is_healthy(self, service: str) -> bool:
        """Asked once, as its own check asks: without systemd podman has nobody who asks."""
        return self._engine.succeeds("healthcheck", "run", self.container(service))

    def open_account(self) -> None:
        """At the exchange, with its key where the nodes read it."""
        made = json.loads(self.execute("exchange", "python", "-c", _asking(
            "admin/accounts", '{"balances": {"USDT": "10000"}}'
        )))  # fmt: skip
        for secret, member in (("exchange_api_key", "apiKey"), ("exchange_api_secret", "secret")):
            (self._secrets / secret).write_text(made[member], encoding="utf-8")

    def replace_secret(self, name: str) -> None:
        """By another password, in place: a file that is mounted stays the same file."""
        (self._secrets / name).write_text(secrets.token_hex(24), encoding="utf-8")

    def orders(self) -> int:
        """How many the exchange has taken."""
        told = self.execute("exchange", "python", "-c", _asking("admin/ledger"))
        return len(json.loads(told)["orders"])

    def _listed(self, kind: str, *words: str) -> list[str]:
        ours = f"label=io.podman.compose.project={self._name}"
        shown = {"container": "{{.Names}}", "volume": "{{.Name}}", "network": "{{.Name}}"}[kind]
        told = self._engine.run(kind, "ls", *words, "--filter", ours, "--format", shown)
        return told.splitlines()

    def _make_secrets(self, market: Path) -> None:
        make = [str(self._compose_dir / "make-secrets.sh"), "localhost"]
        subprocess.run(make, env=self._environ, check=True, capture_output=True)
        market.mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=exchange",
             "-addext", "subjectAltName=DNS:exchange", "-keyout", str(market / "key"),
             "-out", str(market / "certificate")],
            check=True, capture_output=True,
        )  # fmt: skip
        for path in market.iterdir():
            path.chmod(0o444)  # of user 101 in its container

    def _configure(self) -> None:
        """What the how-to has one change: where the exchange is, and a bot."""
        path = self._compose_dir / "holdfast.toml"
        text = path.read_text(encoding="utf-8")
        table = "[account.venue]\n"
        assert table in text
        venue = (
            f'{table}rest_url = "https://{_EXCHANGE}"\nstream_url = "wss://{_EXCHANGE}/stream"\n'
            f'ws_api_url = "wss://{_EXCHANGE}/ws-api/v3"\n'
        )
        path.write_text(text.replace(table, venue) + _BOT, encoding="utf-8")


def _asking(path: str, body: str = "") -> str:
    """A program that asks the exchange from within: it listens on loopback alone."""
    data = body.encode() if body else None
    return (
        "import urllib.request as u; "
        f"print(u.urlopen('http://127.0.0.1:8900/{path}', {data!r}).read().decode())"
    )
