"""`holdfast db` and `holdfast audit`: fields, words and exit codes."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.journal.port import Group
from holdfast.journal.record import FORMAT
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.version import SCHEMA_VERSION
from tests.support.journal_facts import armed
from tests.support.ports import refusing_port


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with two streams, of 3 and 2 records."""
    path = tmp_path / "journal.db"
    file = SqliteFile(path)
    for account, orders in (("main", 3), ("second", 2)):
        head = file.acquire(account, "a")
        file.commit(head, [Group((armed(number),)) for number in range(orders)], 1)
    file.close()
    return path


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_whole_journal_is_proved(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", "--database", url(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [report[key] for key in ("ok", "records", "proved_to", "first_bad")] == [
        True,
        5,
        5,
        None,
    ]
    assert main(["audit", "verify", "--database", url(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "main: proved to seq 3, unsealed after 0",
        "second: proved to seq 2, unsealed after 0",
    ]


def test_a_restored_journal_is_as_it_was_where_the_exchange_does_not_answer(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_KEY", "x")
    monkeypatch.setenv("SOME_SECRET", "y")
    config = tmp_path / "holdfast.toml"
    with refusing_port() as port:
        config.write_text(
            f'database_url = "{url(path)}"\n[cluster]\nprofile = "fast"\n[account]\nname = "main"\n'
            'api_key = "env:SOME_KEY"\napi_secret = "env:SOME_SECRET"\n'
            f'[account.venue]\nrest_url = "http://127.0.0.1:{port}"\n'
        )
        words = ["db", "restored", "--config", str(config)]

        assert main([*words, "--yes"]) == 4
        assert "main: 3 records" in capsys.readouterr().err
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        assert main(words) == 1

    assert "gone" in capsys.readouterr().err
    file = SqliteFile(path)
    assert (file.head("main").generation, file.head("main").seq) == (1, 3)
    file.close()
    alter(path, "DELETE FROM head")
    assert main([*words, "--yes"]) == 2
    assert "no record of main" in capsys.readouterr().err


def test_one_account_is_looked_at_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(path, "UPDATE record SET body = x'00' WHERE account = 'main' AND seq = 2")
    assert main(["audit", "verify", "--database", url(path), "--account", "second", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["records"], report["proved_to"]) == (True, 2, 2)


@pytest.mark.parametrize(
    ("statement", "seq", "reason"),
    [
        ("UPDATE record SET body = x'00' WHERE account = 'main' AND seq = 2", 2, "hash"),
        ("DELETE FROM record WHERE account = 'main' AND seq = 1", 1, "number 2"),
        ("DELETE FROM record WHERE account = 'main' AND seq = 3", 3, "the end at 2"),
        ("UPDATE head SET epoch = 0 WHERE account = 'main'", 4, "epoch 1"),
    ],
)
def test_the_first_bad_record_is_named(
    path: Path, statement: str, seq: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(path, statement)
    assert main(["audit", "verify", "--database", url(path), "--account", "main", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["proved_to"]) == (False, seq - 1)
    assert (report["first_bad"]["account"], report["first_bad"]["seq"]) == ("main", seq)
    assert reason in report["first_bad"]["reason"]
    assert main(["audit", "verify", "--database", url(path)]) == 1
    assert f"main: proved to seq {seq - 1}, unsealed after 0; first bad: {seq}" in (
        capsys.readouterr().out
    )


def test_a_row_that_the_stream_does_not_know_is_a_failure_with_its_name(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(path, "DELETE FROM attempt WHERE account = 'main' AND seq = 2")
    assert main(["audit", "verify", "--database", url(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["proved_to"], report["first_bad"]) == (False, 5, None)
    (bad,) = report["streams"][0]["bad_rows"]
    assert (bad["table"], bad["seq"], bad["what"]) == ("attempt", 2, "missing")
    assert main(["audit", "verify", "--database", url(path)]) == 1
    words = capsys.readouterr().out
    assert "main: proved to seq 3, unsealed after 0; 1 row of 3 is not what the" in words
    assert f"missing in attempt: cid {armed(1).cid} of record 2" in words


def test_a_file_that_is_no_journal_proves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(bytes(range(256)) * 40)
    assert main(["audit", "verify", "--database", url(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["records"], report["proved_to"]) == (False, 0, 0)
    assert "damaged" in report["first_bad"]["reason"]
    assert main(["audit", "verify", "--database", url(path)]) == 1
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["audit", "verify"], ["db", "current"]],
)
def test_a_missing_file_is_a_usage_error(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--database", url(tmp_path / "missing.db")]) == 2
    assert "cannot be opened" in capsys.readouterr().err


def test_an_unknown_account_is_a_usage_error(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify", "--database", url(path), "--account", "nobody"]) == 2
    assert "no stream of nobody" in capsys.readouterr().err


def test_another_kind_of_address_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "current", "--database", "mysql://host/db"]) == 2
    assert "sqlite:///path or postgresql://" in capsys.readouterr().err


def test_a_database_is_created_and_brought_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.db"
    assert main(["db", "upgrade", "--database", url(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"before": None, "after": SCHEMA_VERSION}
    assert main(["db", "upgrade", "--database", url(path)]) == 0
    assert capsys.readouterr().out == f"{path}: {SCHEMA_VERSION}\n"
    assert main(["db", "current", "--database", url(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "current": SCHEMA_VERSION,
        "needed": SCHEMA_VERSION,
        "oldest": SCHEMA_VERSION,
        "writes_format": FORMAT,
    }


def test_a_newer_database_is_not_touched(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(path, "UPDATE alembic_version SET version_num = '9999'")
    alter(path, "UPDATE compatibility SET oldest = '9999'")
    assert main(["db", "upgrade", "--database", url(path)]) == 2
    assert "schema 9999" in capsys.readouterr().err
    assert main(["db", "current", "--database", url(path)]) == 0
    assert capsys.readouterr().out == f"9999 (this program: {SCHEMA_VERSION})\n"


def test_a_database_that_cannot_be_made_is_a_usage_error(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "upgrade", "--database", url(path.with_name("no") / "new.db")]) == 2
    assert "cannot be opened" in capsys.readouterr().err
