"""Exporters of Debian, running beside a test, and what of ours they do not tell.

Not here: the servers that they look at.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.error import URLError

from holdfast.operations.dashboards import exporters
from holdfast.telemetry.catalogue import FOREIGN
from tests.support.operations_tools import operations_tool
from tests.support.ports import reserved_port
from tests.support.waiting import PATIENCE_S


@contextmanager
def exporter_running(
    kind: str, *words: str, environ: Mapping[str, str] | None = None
) -> Iterator[str]:
    """What it tells, as text, of the first scrape that it answers.

    Args:
        kind: `node`, `redis` or `postgres`.
        environ: beside our own.
    """
    program = operations_tool(f"prometheus-{kind}-exporter")
    with reserved_port() as port:
        process = subprocess.Popen(
            [program, f"--web.listen-address=127.0.0.1:{port}", *words],
            env={**os.environ, **(environ or {})}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield _scraped(process, f"http://127.0.0.1:{port}/metrics")
        finally:
            process.kill()
            process.wait()


def faults(told: str, prefix: str, without: Iterable[str] = ()) -> Iterator[str]:
    """What our catalogues claim of names that begin with `prefix`, and `told` does not bear out.

    Args:
        without: names that this version does not know yet.
    """
    # A parser would call counters by other names than Prometheus stores them under.
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", told, re.MULTILINE))
    labels = {
        name: set(re.findall(r'(\w+)="', inside))
        for name, inside in re.findall(r"^(\w+)(?:{(.*)})? ", told, re.MULTILINE)
    }
    named = {metric.name for metric in exporters.METRICS} | FOREIGN.keys()
    late = set(without)
    for name in sorted(one for one in named if one.startswith(prefix)):
        if (name in labels) is (name in late):
            yield f"{name} is {'told by now' if name in late else 'not told'}"
    for metric in exporters.METRICS:
        if metric.name not in labels:
            continue
        if kinds[metric.name] != metric.kind:
            yield f"{metric.name} is a {kinds[metric.name]}, not a {metric.kind}"
        if unknown := set(metric.label_names) - labels[metric.name]:
            yield f"{metric.name} has no label {', '.join(sorted(unknown))}"


def _scraped(process: subprocess.Popen[bytes], url: str) -> str:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())
        except URLError:
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < deadline_s, f"no answer at {url}"
            time.sleep(0.02)
