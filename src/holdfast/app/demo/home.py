"""The folder of a demo or a paper run: what lets it go on where it was, after any end.

Lives here: what is kept where, the account's keys, the node's configuration. One run at a time has
it. Not here: what runs (plan), the journal and the exchange's state themselves.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from holdfast import files
from holdfast.app.demo.nodes import Seat
from holdfast.app.demo.plan import Plan
from holdfast.errors import ConfigError

ACCOUNT = "main"
FORMAT = 1

P = TypeVar("P", bound=Plan)
P_co = TypeVar("P_co", bound=Plan, covariant=True)

_OWN = {"holdfast.toml", "holdfast-2.toml", "api.key", "api.secret", "exchange", "logs"}
_JOURNAL = "journal.db"


class Home(Generic[P_co]):
    """The folder, opened by `open_home`."""

    def __init__(self, path: Path, plan: P_co) -> None:
        self.path = path
        self.plan = plan

    @property
    def journal(self) -> Path:
        """The node's journal file."""
        return self.path / _JOURNAL

    @property
    def config(self) -> Path:
        """The first node's configuration."""
        return self.config_of(1)

    def config_of(self, number: int) -> Path:
        """A node's configuration, from 1."""
        return self.path / ("holdfast.toml" if number == 1 else f"holdfast-{number}.toml")

    def seats(self) -> tuple[Seat, ...]:
        """A seat for each node."""
        numbers = range(1, self.plan.nodes + 1)
        if self.plan.nodes == 1:
            return (Seat("node", self.config, self.log("node")),)
        return tuple(
            Seat(f"node-{n}", self.config_of(n), self.log(f"node-{n}")) for n in numbers
        )

    @property
    def exchange_state(self) -> Path:
        """The exchange's folder."""
        return self.path / "exchange"

    @property
    def api_key(self) -> str:
        """The account's key."""
        return (self.path / "api.key").read_text(encoding="utf-8").strip()

    def log(self, name: str) -> Path:
        """Where a process's standard error goes."""
        return self.path / "logs" / f"{name}.log"

    def save(self) -> None:
        """Write the plan: whole or not at all."""
        body = msgspec.json.format(msgspec.json.encode(self.plan))
        files.replace(self.path / f"{self.plan.verb}.json", body + b"\n")

    def keep_keys(self, api_key: str, secret: str) -> None:
        """Keep the account's keys where only this user may read them."""
        files.replace(self.path / "api.key", f"{api_key}\n".encode())
        files.replace(self.path / "api.secret", f"{secret}\n".encode())

    def write_config(self, url: str) -> None:
        """The nodes' configurations, for an exchange at `url`."""
        for number in range(1, self.plan.nodes + 1):
            files.replace(self.config_of(number), _toml(self, url, number).encode())

    def free_port(self) -> int:
        """The exchange's last port if it is free, else any (0)."""
        if not self.plan.port:
            return 0
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.plan.port))
            except OSError:
                return 0
        return self.plan.port


@contextmanager
def open_home(
    path: Path, kind: type[P], choose: Callable[[P | None], P], *, fresh: bool
) -> Iterator[Home[P]]:
    """The folder at `path`, for this process alone.

    Args:
        kind: of plan that is kept there.
        choose: the plan to go on with, from what is kept; None where nothing is, or not all of it.
        fresh: throw away what an earlier run has left there.

    Raises:
        ConfigError: it cannot be written, is in use, is something else's, or is damaged.
    """
    path = path.absolute()
    lock = _lock(path, kind)
    try:
        kept = None if fresh else _read(path, kind)
        home = Home(path, choose(kept))
        if kept is None:
            _clear(path, kind)
        (path / "logs").mkdir(exist_ok=True)
        home.save()
        yield home
    finally:
        os.close(lock)


def _lock(path: Path, kind: type[Plan]) -> int:
    name = f"{kind.verb}.lock"
    try:
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if not is_new and not (path / name).exists() and any(path.iterdir()):
            raise ConfigError(
                f"seen: {path} holds something that is no {kind.kind}'s; expected: a "
                f"{kind.kind}'s folder, an empty or a new one; do: name another with --dir"
            )
        file = os.open(path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"seen: {path}: {(error.strerror or str(error)).lower()}; expected: a folder that may "
            "be written; do: name another with --dir"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise ConfigError(
            f"seen: {path} is in use by another {kind.kind}; expected: one at a time; "
            "do: end that one, or name another folder with --dir"
        ) from error
    return file


def _read(path: Path, kind: type[P]) -> P | None:
    """What an earlier run left; None where there was none, or it ended before it had keys."""
    file = path / f"{kind.verb}.json"
    try:
        plan = msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"seen: {file} cannot be read ({error}); expected: what a {kind.kind} writes there; "
            "do: begin anew with --fresh"
        ) from error
    if plan.format != FORMAT:
        raise ConfigError(
            f"seen: {file} has format {plan.format}; expected: {FORMAT}; "
            "do: begin anew with --fresh, or use the version that wrote it"
        )
    if not plan.is_complete:
        return None
    missing = [name for name in ("api.key", "api.secret", "exchange") if not (path / name).exists()]
    if missing:
        raise ConfigError(
            f"seen: {path} without {', '.join(missing)}; expected: all that a {kind.kind} keeps; "
            "do: restore it, or begin anew with --fresh"
        )
    return plan


def _clear(path: Path, kind: type[Plan]) -> None:
    """Remove the run's own files, and nothing else."""
    own = {*_OWN, f"{kind.verb}.json"}
    for item in path.iterdir():
        if item.name not in own and not item.name.startswith(_JOURNAL):
            continue
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def _toml(home: Home[P], url: str, number: int) -> str:
    websocket = url.replace("http", "ws", 1)
    text = json.dumps  # a JSON string is a TOML string
    shared = home.plan.nodes > 1
    cluster = f'[cluster]\nnode = "node-{number}"\nprofile = "fast"\n' if shared else ""
    return f"""\
# Written by `holdfast {home.plan.verb}` at each start; the node is started with it.
deployment = "{home.plan.verb}"
database_url = {text(f"sqlite:///{home.journal}")}
log_level = "info"

{cluster}
[api]
demo = {"true" if home.plan.verb == "demo" else "false"}

[account]
name = "{ACCOUNT}"
api_key = {text(f"file:{home.path / 'api.key'}")}
api_secret = {text(f"file:{home.path / 'api.secret'}")}

[account.venue]
rest_url = "{url}"
stream_url = "{websocket}/stream"
ws_api_url = "{websocket}/ws-api/v3"

{home.plan.bots()}"""
