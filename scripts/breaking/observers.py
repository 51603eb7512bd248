"""Who watches from outside: Prometheus with the committed configuration, and exporters beside it.

Not here: what they watch (cluster), what they say of it (watch).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.verify.runner import REPOSITORY, SkippedError, tool

COMMITTED: Final = REPOSITORY / "deploy" / "observability" / "prometheus"
RULES: Final = COMMITTED / "rules"
BY_HAND: Final = COMMITTED / "prometheus-by-hand.yml"
PROMETHEUS: Final = "127.0.0.1:9091"
"""Where Prometheus says that it is, in the committed configuration."""

JOBS: Final[Mapping[str, tuple[str, int]]] = {
    "machine": ("node_exporter", 9100),
    "redis": ("redis_exporter", 9121),
    "postgres": ("postgres_exporter", 9187),
}
"""Exporters by the job that scrapes them: what people call them, and their ports."""


@contextmanager
def exporters(folder: Path, redis_url: str, database_url: str) -> Iterator[dict[str, list[str]]]:
    """Start those that are here; where they tell, by job.

    Args:
        redis_url, database_url: what they look at; both over sockets of this host.
    """
    parts = {**conninfo_to_dict(database_url), "dbname": "postgres", "sslmode": "disable"}
    asked: Mapping[str, tuple[list[str], dict[str, str]]] = {
        "machine": ([], {}),
        "redis": ([f"--redis.addr={redis_url}"], {}),
        "postgres": ([], {"DATA_SOURCE_NAME": make_conninfo("", **parts)}),
    }
    targets = {}
    with ExitStack() as running:
        for job, (words, environ) in asked.items():
            name, port = JOBS[job]
            at = f"127.0.0.1:{_free_port(port)}"
            try:
                program = tool(f"prometheus-{name.replace('_', '-')}")
            except SkippedError as error:
                print(f"{name}: skipped, {error}", file=sys.stderr)
                continue
            command = [str(program), f"--web.listen-address={at}", *words]
            running.enter_context(_process(command, folder / f"{name}.log", environ))
            targets[job] = [at]
        yield targets


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Its address; it scrapes `targets`, by job, as a host without containers would have it."""
    (folder / "targets").mkdir(parents=True)
    (folder / "rules").symlink_to(RULES)
    for job, addresses in targets.items():
        aim(folder, job, addresses)
    at = f"127.0.0.1:{_free_port(9091)}"
    config = folder / "prometheus.yml"
    config.write_text(BY_HAND.read_text(encoding="utf-8").replace(PROMETHEUS, at))
    command = [
        str(tool("prometheus")), f"--config.file={config}", f"--web.listen-address={at}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
    ]  # fmt: skip
    with _process(command, folder / "prometheus.log", {}):
        yield f"http://{at}"


def aim(folder: Path, job: str, addresses: Sequence[str]) -> None:
    """Have a job scrape these from now on; Prometheus sees that the file is another one."""
    new = folder / "targets" / f"{job}.new"
    new.write_text(json.dumps([{"targets": list(addresses)}]))  # JSON is YAML
    new.rename(folder / "targets" / f"{job}.yml")


@contextmanager
def _process(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> Iterator[None]:
    with log.open("wb") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=told, env={**os.environ, **environ}
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _free_port(wanted: int) -> int:
    """The port that it has everywhere, or any where somebody else has that."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", wanted))
        except OSError:
            free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
