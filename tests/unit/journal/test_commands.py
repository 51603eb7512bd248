"""Operator commands: asked for by one process, taken by another, exactly once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.domain.fact import CommandTaken
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.commands import UNDER_WAY, WHOLE_S, Command, SqliteCommands, Waiting
from holdfast.journal.port import Group, Refused
from holdfast.journal.sqlite_file import SqliteFile
from tests.support.journal_facts import flow


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    file = SqliteFile(tmp_path / "journal.db")
    yield file
    file.close()


@pytest.fixture
def commands(file: SqliteFile) -> Iterator[SqliteCommands]:
    commands = SqliteCommands(file.path, now_ns=lambda: 7, busy_timeout_s=0.05)
    yield commands
    commands.close()


def take(command: Command) -> Group:
    return Group(
        (
            CommandTaken(command_id=command.command_id, name=command.name, by=command.by),
            flow(),
        )
    )


def test_pending_commands_come_in_the_order_they_were_asked_for(commands: SqliteCommands) -> None:
    ids = [commands.submit("main", name, '{"a":1}', "ana") for name in ("halt", "resume", "halt")]
    commands.submit("other", "halt", "", "ben")
    pending = commands.pending("main")
    assert [command.command_id for command in pending] == ids
    assert pending[0] == Command(1, ids[0], "main", "halt", '{"a":1}', "ana", 7)
    assert [command.name for command in commands.pending("other")] == ["halt"]


def test_the_commit_that_takes_a_command_is_what_marks_it(
    file: SqliteFile, commands: SqliteCommands
) -> None:
    first, second = (commands.submit("main", name, "", "ana") for name in ("halt", "resume"))
    head = file.acquire("main", "a")
    assert commands.taken_at(first) is None
    head, _ = file.commit(head, [Group((flow(),)), take(commands.pending("main")[0])], 1)
    assert [command.command_id for command in commands.pending("main")] == [second]
    assert (commands.taken_at(first), commands.taken_at(second)) == (2, None)


def test_a_command_is_taken_once(file: SqliteFile, commands: SqliteCommands) -> None:
    commands.submit("main", "halt", "", "ana")
    (command,) = commands.pending("main")
    head = file.acquire("main", "a")
    head, _ = file.commit(head, [take(command)], 1)
    _, outcomes = file.commit(head, [take(command)], 1)
    assert outcomes == [Refused(f"command {command.command_id}")]


def test_what_waits_is_found_at_every_look_and_what_was_committed_late_within_a_minute(
    file: SqliteFile, commands: SqliteCommands
) -> None:
    now_s = [0.0]
    waiting = Waiting(commands, "main", lambda: now_s[0])
    for _ in range(2 * UNDER_WAY):
        commands.submit("main", "halt", "", "ana")
    late, kept = commands.pending("main")[5], commands.pending("main")[-1]
    head = file.acquire("main", "a")
    done = [one for one in commands.pending("main") if one not in {late, kept}]
    head, _ = file.commit(head, [take(one) for one in done], 1)
    with closing(sqlite3.connect(file.path)) as hand:  # as if it were not committed yet
        hand.execute("DELETE FROM command WHERE id = ?", (late.command_id,))
        hand.commit()
        assert waiting.look() == waiting.look() == (kept,)
        head, _ = file.commit(head, [take(kept)], 1)
        assert waiting.look() == ()
        hand.execute(
            'INSERT INTO command (number, id, account, name, arguments, "by", at_ns)'
            " VALUES (?, ?, 'main', 'halt', '', 'ana', 7)",
            (late.number, late.command_id),
        )
        hand.commit()
    assert waiting.look() == (), "not every command that ever was is looked at"
    newest = commands.submit("main", "resume", "", "ana")
    assert [one.command_id for one in waiting.look()] == [newest]
    now_s[0] = WHOLE_S
    assert [one.command_id for one in waiting.look()] == [late.command_id, newest]
    assert waiting.look() == waiting.look(), "until it is taken"


def test_commands_survive_a_close(file: SqliteFile, commands: SqliteCommands) -> None:
    command_id = commands.submit("main", "halt", "", "ana")
    commands.close()
    commands.close()
    again = SqliteCommands(file.path)
    assert [command.command_id for command in again.pending("main")] == [command_id]
    again.close()


def test_a_locked_journal_takes_no_command(file: SqliteFile, commands: SqliteCommands) -> None:
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RetryableError, match="locked"):
            commands.submit("main", "halt", "", "ana")
        assert commands.pending("main") == ()


def test_commands_make_no_journal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        SqliteCommands(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []
