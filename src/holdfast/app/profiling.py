"""A flame graph of a process that trades: looked at from outside, for a while, by py-spy.

Nothing is put into the process and nothing in it is stopped: a leader that a profiler held would
lose its lease. Not here: the verb (cli.profile).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from holdfast.app.live.members import nodes
from holdfast.config import Config
from holdfast.config.environment import is_profiling_allowed
from holdfast.errors import ConfigError, UnreachableError

MOST_S: Final = 300
RATE_HZ: Final = 100
_PATIENCE_S: Final = 30.0
_SWITCH: Final = "ENABLE_PROFILING"


class Profiled(msgspec.Struct, frozen=True):
    """What was written."""

    pid: int
    seconds: int
    rate_hz: int
    written: str


def require_allowed(environ: Mapping[str, str] = os.environ) -> None:
    """See that somebody meant it: a flame graph shows what a strategy is made of.

    Raises:
        ConfigError: `ENABLE_PROFILING` does not say yes, or py-spy is not installed.
    """
    if not is_profiling_allowed(environ):
        raise ConfigError(
            f"seen: {_SWITCH} is not set; expected: {_SWITCH}=true, because a profile shows what "
            f"strategies are made of; do: run it as {_SWITCH}=true holdfast profile ..."
        )
    _program()


def node_pid(config: Config, name: str) -> int:
    """The process of a node of this machine; its accounts are its children.

    Raises:
        ConfigError: no live node is called so, or it is on another machine.
        UnreachableError: the lease store cannot be read.
    """
    live = {node.name: node.pid for node in nodes(config) if node.is_live}
    if name not in live:
        raise ConfigError(
            f"seen: no live node {name!r}; expected: one of {', '.join(sorted(live)) or 'none'}; "
            "do: correct the name, or name a process with --pid"
        )
    if "holdfast" not in _command(live[name]):
        raise ConfigError(
            f"seen: node {name} is process {live[name]}, and that is no holdfast of this machine; "
            "expected: a node that runs here; do: run this on its host"
        )
    return live[name]


def record(pid: int, seconds: int, into: Path) -> Profiled:
    """Look at a process and its children for so long, and draw what they did.

    Blocks; Ctrl-C draws what was seen until then.

    Args:
        seconds: 1 to `MOST_S`.
        into: an SVG file.

    Raises:
        ConfigError: this user may not look into that process, or the file cannot be written.
        UnreachableError: there is no such process, or it ended at once.
    """
    if not _command(pid):
        raise UnreachableError(
            f"seen: no process {pid}; expected: one that runs; do: `holdfast cluster nodes` tells"
        )
    words = [
        _program(), "record", "--pid", str(pid), "--duration", str(seconds), "--rate",
        str(RATE_HZ), "--format", "flamegraph", "--output", str(into), "--nonblocking",
        "--subprocesses",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - numbers and a path
        words, capture_output=True, text=True, check=False, timeout=seconds + _PATIENCE_S
    )
    if done.returncode != 0 or not into.is_file():
        raise _explained(pid, into, f"{done.stdout}\n{done.stderr}".strip())
    return Profiled(pid, seconds, RATE_HZ, str(into))


def _explained(pid: int, into: Path, told: str) -> ConfigError | UnreachableError:
    lowered = told.lower()
    if "permission denied" in lowered or "operation not permitted" in lowered:
        if not os.access(into.parent, os.W_OK):
            return ConfigError(
                f"seen: {into.parent} cannot be written; expected: a folder of this user; do: name "
                "another with --output"
            )
        return ConfigError(
            f"seen: user {os.getuid()} may not look into process {pid}; expected: the capability "
            "SYS_PTRACE, which containers of ours drop and keep dropped; do: run it with sudo, or "
            "beside a container: docker run --rm --pid=container:NAME --cap-add=SYS_PTRACE "
            "--user 0 IMAGE profile --pid 1"
        )
    last = told.splitlines()[-1] if told else "nothing was said"
    return UnreachableError(
        f"seen: process {pid} could not be looked at ({last[:200]}); expected: a process of "
        "Python's that goes on meanwhile; do: see that it still runs"
    )


def _program() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.is_file() else shutil.which("py-spy")
    if found is None:
        raise ConfigError(
            "seen: no py-spy; expected: the extra `profile`; do: pip install 'holdfast[profile]'"
        )
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, PermissionError):
        return ""
