"""`holdfast api` as a person starts it: a process, its two ports, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.waiting import PATIENCE_S


@contextmanager
def serving(folder: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process, and what it said when it listened."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("_URL", "_SECRET")) and name not in {"PORT", "METRICS_PORT"}
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "api", "--json"],
            cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
            env={**plain, "PORT": "0", "METRICS_PORT": "0", **environ},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()
            yield process, json.loads(line)
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE_S)


def check(url: str, most_ms: float) -> tuple[int, dict[str, Any]]:
    """What the health check says."""
    done = subprocess.run(
        [sys.executable, "-m", "holdfast.healthcheck", url, "--most-ms", str(most_ms)],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_it_serves_on_two_ports_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with serving(tmp_path, DATADOG_API_KEY="dd0123456789example", ENV="staging") as (process, told):
        health = httpx.get(f"{told['listening']}/health").json()
        assert health["status"] == "ok"
        assert httpx.get(f"{told['listening']}/api/v1/overview").status_code == 401
        metrics = httpx.get(f"{told['metrics']}/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=")
        assert 'http_requests_total{endpoint="/health",method="GET",status="200"} 1.0' in (
            metrics.text
        )
        detailed = httpx.get(f"{told['metrics']}/health").json()
        assert detailed["details"]["disk_free_bytes"] > 0
        assert httpx.get(f"{told['metrics']}/livez").json() == {"alive": True}
        assert httpx.get(f"{told['metrics']}/ready").json() == {"ready": True}
        assert httpx.get(f"{told['listening']}/metrics").status_code == 404

        code, found = check(f"{told['listening']}/health", 20_000)
        assert (code, found["status"]) == (0, "ok")
        code, found = check(f"{told['listening']}/health", 0.001)
        assert code == 1
        assert "took" in found["why"]
        assert check(f"{told['listening']}/nothing", 20_000)[0] == 1

        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    said = (tmp_path / "log").read_text()
    assert '"environment":"staging"' in said
    assert '"variable":"DATADOG_API_KEY"' in said
    assert "dd0123456789" not in said


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, told):
        port = told["listening"].rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "holdfast", "api"], cwd=tmp_path, text=True, check=False,
            capture_output=True, timeout=PATIENCE_S, env={**os.environ, "PORT": port},
        )  # fmt: skip
        assert second.returncode == 4
        assert f"127.0.0.1:{port} cannot be listened on" in second.stderr
