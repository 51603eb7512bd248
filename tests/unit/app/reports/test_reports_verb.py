"""The verb that fills the tables of reports, and those that go on following."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.reports import projector
from holdfast.app.reports.projector import Followed
from holdfast.cli import main
from holdfast.errors import PlatformError
from holdfast.journal.database import Database
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.reports import Reports
from tests.support.report_stream import (
    ACCOUNT,
    KEEP_ALL,
    made,
    spoil,
    stream,
    trade,
    write,
)
from tests.support.waiting import PATIENCE_S, until


def address(journal: Database) -> str:
    if isinstance(journal, PostgresDatabase):
        return journal.url
    return f"sqlite:///{journal.name}"


def test_the_verb_fills_and_says_where_they_are(
    journal: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write(journal, stream(3))
    assert main(["db", "report", "--database", address(journal), "--json"]) == 0
    told = capsys.readouterr().out
    assert '"main":{"seq":31,"end":31,"begun_anew":false}' in told.replace(" ", "")
    assert main(["db", "report", "--database", address(journal), "--rebuild"]) == 0
    assert "main: reports have come to record 31" in capsys.readouterr().out


def test_it_follows_until_it_is_told_to_stop(journal: Database, tmp_path: Path) -> None:
    write(journal, stream(3))
    command = [sys.executable, "-m", "holdfast", "db", "report", "--follow", "--json"]
    process = subprocess.Popen(
        [*command, "--database", address(journal)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ}, text=True,
    )  # fmt: skip
    reports = journal.reports(KEEP_ALL)
    try:
        _until_filled(journal, reports, 31)
        write(journal, [batch for number in (4, 5) for batch in trade(number)])
        _until_filled(journal, reports, 49)
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        reports.close()
    assert process.returncode == 0, said
    assert '"seq":49' in out.replace(" ", "")


def test_any_number_may_follow_and_one_of_them_fills(
    journal: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits goes on when the one that fills them is gone."""
    monkeypatch.setattr(projector, "STAND_BY_S", 0.05)
    write(journal, stream(3))
    reports = made(journal)
    other = journal.own(projector.FILLER)  # another process
    stop = threading.Event()
    following = threading.Thread(
        target=projector.follow, args=(journal, reports, lambda: [ACCOUNT], stop)
    )
    following.start()
    assert not stop.wait(0.2)
    assert reports.reached(ACCOUNT) == 0
    other.release()
    _until_filled(journal, reports, 31)
    stop.set()
    following.join(PATIENCE_S)
    journal.own(projector.FILLER).release()
    reports.close()


def test_accounts_after_one_whose_journal_does_not_hold_are_followed(journal: Database) -> None:
    for account in (ACCOUNT, "second"):
        write(journal, stream(3), account)
    spoil(journal, 20)
    reports = made(journal)
    stop = threading.Event()
    filled: dict[str, Followed] = {}

    def follow() -> None:
        every = partial(projector.accounts_in, journal)
        filled.update(projector.follow(journal, reports, every, stop, every_s=0.01))

    following = threading.Thread(target=follow)
    following.start()
    try:
        _until_filled(journal, reports, 31, "second")
        write(journal, trade(4), "second")
        _until_filled(journal, reports, 40, "second")
    finally:
        stop.set()
        following.join(PATIENCE_S)
    assert filled == {"second": Followed(40, 40)}
    assert reports.reached(ACCOUNT) == 0
    reports.close()


def _until_filled(journal: Database, reports: Reports, seq: int, account: str = ACCOUNT) -> None:
    def come() -> Any:
        try:
            return reports.reached(account) >= seq
        except PlatformError:
            return False  # the tables are not made yet

    asyncio.run(until(come, f"record {seq}", every_s=0.05))
