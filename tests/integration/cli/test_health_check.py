"""`scripts/deploy/health-check.sh` on a real API: well, slow to start, and dead, in bounded time.

Not here: each thing that the doctor looks at (tests/integration/app).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.doctor import Asking
from holdfast.app.doctor.processes import processes
from holdfast.operations.doctor.finding import Grade

SCRIPT = Path(__file__).parents[3] / "scripts" / "deploy" / "health-check.sh"
PATIENCE_S = 60.0


class Running:
    """`holdfast api` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            name: value for name, value in os.environ.items() if name != "DATABASE_URL"
        } | {"PORT": "0", "METRICS_PORT": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "api", "--json"], cwd=folder, env=self.environ,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.told: dict[str, str] = json.loads(self.process.stdout.readline())

    @property
    def urls(self) -> str:
        return f"{self.told['listening']} {self.told['metrics']}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.end()


def checked(running: Running, *words: str, **environ: str) -> tuple[int, Any]:
    ran = subprocess.run(
        [SCRIPT, *words, "--json"], cwd=running.folder, env=running.environ | environ,
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else ran.stderr


def test_an_installation_that_is_well_is_0_and_one_with_a_dead_process_4(running: Running) -> None:
    code, told = checked(running, "local", HEALTH_URLS=running.urls)
    asked = [one for one in told["checks"] if one["check"].startswith("process ")]
    assert (code, told["ok"], len(asked)) == (0, True, 2)
    assert all("lives and is ready" in one["seen"] for one in asked)
    running.end()
    begun_s = time.monotonic()
    code, told = checked(running, "staging", HEALTH_URLS=running.urls, HEALTH_WAIT_S="1")
    failing = [one for one in told["checks"] if one["grade"] == "fail"]
    assert (code, [one["check"].partition(" ")[0] for one in failing]) == (4, ["process"] * 2)
    assert "no answer" in failing[0]["seen"]
    assert time.monotonic() - begun_s >= 1


@pytest.mark.parametrize(
    ("status", "delay_s", "grade", "words"),
    [
        ("degraded", 0.0, Grade.WARN, "(degraded)"),
        ("ok", 0.1, Grade.FAIL, "more than 50"),
    ],
)
def test_a_process_that_lacks_something_or_is_slow_is_told(
    status: str, delay_s: float, grade: Grade, words: str
) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay_s)
            body = json.dumps({"status": status}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        most_ms = 50.0 if delay_s else 10_000.0
        (found,) = processes(Asking((f"http://127.0.0.1:{server.server_port}",), 0.0, most_ms))
        server.shutdown()
    assert (found.grade, words in found.seen, found.is_unreachable) == (grade, True, False)


@pytest.mark.parametrize("words", [[], ["nowhere"], ["production"]])
def test_wrong_usage_is_2_and_says_what_to_do(words: list[str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert ran.returncode == 2
    assert "do: " in ran.stderr
