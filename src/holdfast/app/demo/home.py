"""The demo's folder: what lets it go on where it was, after any end.

Lives here: what is kept where, the account's keys, the node's configuration. One demo at a time has
it. Not here: the journal and the exchange's state themselves.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from holdfast.errors import ConfigError

DEFAULT_SEED = 7
ACCOUNT = "main"
DEPLOYMENT = "demo"
FORMAT = 1

_MANIFEST = "demo.json"
_LOCK = "demo.lock"
_OWN = {_MANIFEST, _LOCK, "holdfast.toml", "api.key", "api.secret", "exchange", "logs"}
_JOURNAL = "journal.db"


class Manifest(msgspec.Struct, kw_only=True):
    """What the demo keeps of itself.

    Attributes:
        seed: of the market; it begins anew at each start, the money does not.
        port: where the exchange listened last.
        grid_low, grid_high: prices between which the grid trades, text; empty until the account
            exists, and then the folder is complete.
        runs: how often it was started.
    """

    format: int = FORMAT
    seed: int = DEFAULT_SEED
    port: int = 0
    grid_low: str = ""
    grid_high: str = ""
    runs: int = 0


class Home:
    """The folder, opened by `open_home`."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @property
    def is_complete(self) -> bool:
        """Whether the account exists at the exchange and its keys are here."""
        return bool(self.manifest.grid_low)

    @property
    def journal(self) -> Path:
        """The node's journal file."""
        return self.path / _JOURNAL

    @property
    def config(self) -> Path:
        """The node's configuration."""
        return self.path / "holdfast.toml"

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
        """Write the manifest: whole or not at all."""
        body = msgspec.json.format(msgspec.json.encode(self.manifest))
        _write(self.path / _MANIFEST, body + b"\n")

    def keep_keys(self, api_key: str, secret: str) -> None:
        """Keep the account's keys where only this user may read them."""
        _write(self.path / "api.key", f"{api_key}\n".encode())
        _write(self.path / "api.secret", f"{secret}\n".encode())

    def write_config(self, url: str) -> None:
        """The node's configuration, for an exchange at `url`."""
        _write(self.config, _toml(self, url).encode())

    def free_port(self) -> int:
        """The exchange's last port if it is free, else any (0)."""
        if not self.manifest.port:
            return 0
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.manifest.port))
            except OSError:
                return 0
        return self.manifest.port


@contextmanager
def open_home(path: Path, *, fresh: bool, seed: int | None) -> Iterator[Home]:
    """The demo's folder at `path`, for this process alone.

    Args:
        fresh: throw away what an earlier demo has left there.
        seed: of the market from now on; None keeps the folder's.

    Raises:
        ConfigError: it cannot be written, is in use, is something else's, or is damaged.
    """
    path = path.absolute()
    lock = _lock(path)
    try:
        manifest = None if fresh else _read(path)
        if manifest is None:
            _clear(path)
            manifest = Manifest()
        if seed is not None:
            manifest.seed = seed
        home = Home(path, manifest)
        (path / "logs").mkdir(exist_ok=True)
        home.save()
        yield home
    finally:
        os.close(lock)


def _lock(path: Path) -> int:
    try:
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if not is_new and not (path / _LOCK).exists() and any(path.iterdir()):
            raise ConfigError(
                f"seen: {path} holds something that is no demo's; expected: a demo's folder, an "
                "empty or a new one; do: name another with --dir"
            )
        file = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
            f"seen: {path} is in use by another demo; expected: one at a time; "
            "do: end that one, or name another folder with --dir"
        ) from error
    return file


def _read(path: Path) -> Manifest | None:
    """What an earlier demo left; None where there was none, or it ended before it had keys."""
    file = path / _MANIFEST
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"seen: {file} cannot be read ({error}); expected: what a demo writes there; "
            "do: begin anew with --fresh"
        ) from error
    if manifest.format != FORMAT:
        raise ConfigError(
            f"seen: {file} has format {manifest.format}; expected: {FORMAT}; "
            "do: begin anew with --fresh, or use the version that wrote it"
        )
    if not manifest.grid_low:
        return None
    missing = [name for name in ("api.key", "api.secret", "exchange") if not (path / name).exists()]
    if missing:
        raise ConfigError(
            f"seen: {path} without {', '.join(missing)}; expected: all that a demo keeps; "
            "do: restore it, or begin anew with --fresh"
        )
    return manifest


def _clear(path: Path) -> None:
    """Remove a demo's own files, and nothing else."""
    for item in path.iterdir():
        if item.name == _LOCK or (item.name not in _OWN and not item.name.startswith(_JOURNAL)):
            continue
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def _write(file: Path, content: bytes) -> None:
    """Replace `file` in one step; for this user's eyes only."""
    part = file.with_name(f"{file.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def _toml(home: Home, url: str) -> str:
    websocket = url.replace("http", "ws", 1)
    text = json.dumps  # a JSON string is a TOML string
    return f"""\
# Written by `holdfast demo` at each start; the node is started with it.
deployment = "{DEPLOYMENT}"
database_url = {text(f"sqlite:///{home.journal}")}
log_level = "info"

[account]
name = "{ACCOUNT}"
api_key = {text(f"file:{home.path / 'api.key'}")}
api_secret = {text(f"file:{home.path / 'api.secret'}")}

[account.venue]
rest_url = "{url}"
stream_url = "{websocket}/stream"
ws_api_url = "{websocket}/ws-api/v3"

[account.limits]
max_orders_per_minute = 240

[[bots]]
name = "trend"
strategy = "sma_cross"
symbols = ["BTC/USDT"]
timeframe = "1s"
params = {{ fast = 2, slow = 3, quantity = "0.003" }}
limits = {{ max_orders_per_minute = 120, max_position_notional = "2500" }}

[[bots]]
name = "grid"
strategy = "grid"
symbols = ["ETH/USDT"]
timeframe = "1s"
limits = {{ max_orders_per_minute = 120, max_position_notional = "2500" }}

[bots.params]
low = "{home.manifest.grid_low}"
high = "{home.manifest.grid_high}"
cells = 16
unit = "0.04"
"""
