"""`holdfast worker` and `holdfast job` as a person uses them: a backtest, a sweep, the numbers.

Not here: workers that are struck (tests/integration/platform).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast.config.database import ReportPolicy
from holdfast.errors import RetryableError
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.reports import Reports, Row
from holdfast.telemetry.catalogue.metric import Emitter
from tests.support.redis import redis_url
from tests.support.report_stream import ACCOUNT, stream, write
from tests.support.scraped import faults, missing, names_of
from tests.support.waiting import PATIENCE_S

HOLDFAST = [sys.executable, "-m", "holdfast"]
BACKTEST = '{"strategy": "sma_cross", "data": ["invented"], "params": {"fast": 5}}'
SWEEP = '{"strategy": "sma_cross", "data": ["invented"], "trials": 2, "walk_forward": 2}'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "holdfast.toml"
    file.write_text(
        f'database_url = "sqlite:///{tmp_path}/journal.db"\nstate_dir = "{tmp_path}"\n'
        "[jobs]\nslots = 2\n"
    )
    return file


@pytest.fixture
def worker(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (config.parent / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*HOLDFAST, "worker", "--config", str(config), "--json"],
            stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    yield process
    if process.poll() is None:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_workers_keep_the_reports_of_accounts_beside_their_jobs(
    config: Path, worker: subprocess.Popen[bytes]
) -> None:
    database = SqliteDatabase(config.parent / "journal.db")
    write(database, stream(3))  # after the worker had begun, as a first node would
    reports = database.reports(ReportPolicy())
    deadline_s = time.monotonic() + PATIENCE_S
    while len(_fills(reports)) < 6:
        log = (config.parent / "worker.log").read_text()
        assert time.monotonic() < deadline_s, log
        assert worker.poll() is None, log
        time.sleep(0.1)
    reports.close()


def _fills(reports: Reports) -> Sequence[Row]:
    try:
        return reports.read("report_fill", ACCOUNT)
    except RetryableError:  # not made yet
        return []


def said(config: Path, *words: str) -> Any:
    done = subprocess.run(
        [*HOLDFAST, "job", *words, "--config", str(config), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ended(config: Path, job_id: str) -> Any:
    deadline_s = time.monotonic() + PATIENCE_S
    while (job := said(config, "show", job_id))["state"] in {"queued", "running"}:
        assert time.monotonic() < deadline_s, (config.parent / "worker.log").read_text()
    return job


@pytest.mark.slow
def test_a_person_asks_and_a_worker_does(config: Path, worker: subprocess.Popen[bytes]) -> None:
    said(config, "submit", "backtest", BACKTEST, "--id", "b1")
    said(config, "submit", "sweep", SWEEP, "--id", "s1")
    backtest = ended(config, "b1")
    assert backtest["state"] == "done", backtest["error"]
    assert backtest["result"]["figures"]["bars"] == 8760
    assert Path(backtest["files"]["run.json"]).is_file()
    sweep = ended(config, "s1")
    assert sweep["state"] == "done", sweep["error"]
    assert sum(sweep["result"]["states"].values()) == 4
    assert len(sweep["result"]["out_of_sample"]["windows"]) == 2
    log = (config.parent / "worker.log").read_text()
    found = re.search(r'"metrics_port":(\d+)', log)
    assert found is not None, log
    numbers = _get(f"http://127.0.0.1:{found[1]}/metrics")
    assert missing(names_of(numbers), Emitter.WORKER) == []
    assert list(faults(numbers)) == []
    assert 'jobs{state="done"}' in numbers
    assert '"ok":true' in _get(f"http://127.0.0.1:{found[1]}/livez")
    assert '"ok":true' in _get(f"http://127.0.0.1:{found[1]}/ready")
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=PATIENCE_S)
    assert (worker.returncode, json.loads(out)) == (0, {"stopped": True})


@pytest.mark.slow
def test_with_a_broker_the_same_words_make_a_celery_worker(tmp_path: Path) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text(
        f'database_url = "sqlite:///{tmp_path}/journal.db"\nstate_dir = "{tmp_path}"\n'
        f'deployment = "t{os.getpid()}"\n[jobs]\nbroker_url = "{redis_url()}"\n'
    )
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [*HOLDFAST, "worker", "--config", str(config), "--json"],
            stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    try:
        said(config, "submit", "backtest", BACKTEST, "--id", "b1")
        assert ended(config, "b1")["state"] == "done"
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=PATIENCE_S)
        told = (tmp_path / "worker.log").read_text()
        assert (worker.returncode, json.loads(out)) == (0, {"stopped": True}), told
        assert '"action":"worker_start"' in told
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.communicate()


def test_words_that_cannot_be_meant_are_usage(config: Path) -> None:
    for words in (["submit", "none", "{}"], ["submit", "backtest", "{"], ["show", "none"]):
        done = subprocess.run(
            [*HOLDFAST, "job", *words, "--config", str(config)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "seen:" in done.stderr
        assert "Traceback" not in done.stderr


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())
