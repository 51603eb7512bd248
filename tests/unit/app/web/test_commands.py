"""Commands by a key: the same request is asked for once, and whatever else uses the key is too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from holdfast.api.ports import Given
from holdfast.api.shapes.commands import Command, CommandState
from holdfast.app.web.commands import REPEATED_NS, JournalCommands
from holdfast.config import Config
from holdfast.domain.fact import CommandTaken
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group, Head
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.platform.identity.values import Principal, Role, Scope
from tests.support.journal_facts import flow

TOM = Principal(user_id="1", name="tom", role=Role.TRADER, scopes=frozenset({Scope.TRADE}))
HALT = {"level": "entries"}


class Desk:
    """A `JournalCommands`, and the leader that takes what it keeps."""

    def __init__(self, database: SqliteDatabase, journal: SqliteFile) -> None:
        self.now_ns = 1_000
        self.store = database.platform()
        self.commands = JournalCommands(database, self.store, Config(), lambda: self.now_ns)
        self._journal = journal
        self._head: Head = journal.acquire("main", "leader")
        self._head, _ = journal.commit(self._head, [Group((flow(),))], 1)

    def give(
        self, arguments: Mapping[str, str], *, name: str = "halt", by_key: bool = True
    ) -> Command:
        """Ask by the same key, without waiting."""
        given = Given(
            command_id="a" * 32, account="main", name=name, arguments=arguments, by_key=by_key
        )
        (done,) = asyncio.run(self.commands.give(TOM, (given,), "request-1", 0.0))
        return done

    def take(self, command: Command, refused: str = "") -> None:
        """What a leader does with it."""
        fact = CommandTaken(
            command_id=command.command_id, name=command.name, by=command.by, refused=refused
        )
        self._head, _ = self._journal.commit(self._head, [Group((fact,))], 1)

    def asked(self) -> list[str]:
        """The arguments of all that was asked for, in order."""
        statement = "SELECT arguments FROM command ORDER BY number"
        return [text for (text,) in self.store.look(lambda look: look.rows(statement))]

    def noted(self) -> int:
        """How many commands the audit has."""
        return len(self.store.events(0, 1_000))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = SqliteDatabase(tmp_path / "journal.db")
    database.upgrade()
    journal = SqliteFile(tmp_path / "journal.db")
    made = Desk(database, journal)
    with closing(made.store):
        yield made
    journal.close()


def test_a_key_that_was_forgotten_after_its_week_asks_anew(desk: Desk) -> None:
    first = desk.give(HALT)
    desk.take(first)
    desk.now_ns += REPEATED_NS
    assert desk.give(HALT).command_id == first.command_id, "a repetition, to the last moment"
    desk.now_ns += 1
    again = desk.give(HALT)
    assert (again.state, again.seq) == (CommandState.WAITING, None)
    assert len(desk.asked()) == desk.noted() == 2


@pytest.mark.parametrize("arguments", [HALT, {"level": "cancel"}])
def test_what_the_leader_refused_has_not_used_its_key(
    desk: Desk, arguments: dict[str, str]
) -> None:
    first = desk.give(HALT)
    desk.take(first, refused="seen: a bot that is not flat")
    again = desk.give(arguments)
    assert again.state is CommandState.WAITING
    assert again.command_id != first.command_id
    assert desk.asked()[1:] == [msgspec.json.encode(arguments).decode()]


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_repetition_of_a_request_whose_answer_was_lost_asks_for_nothing_new(
    desk: Desk, is_taken: bool
) -> None:
    first = desk.give(HALT)
    if is_taken:
        desk.take(first)
    for _ in range(3):
        assert desk.give(HALT).command_id == first.command_id
    assert len(desk.asked()) == desk.noted() == 1


def test_another_request_by_a_key_that_was_released_is_not_told_of_the_first(desk: Desk) -> None:
    first = desk.give(HALT)
    desk.take(first)
    for name, arguments in (("halt", {"level": "cancel"}), ("resume", {})):
        other = desk.give(arguments, name=name)
        assert (other.name, other.state) == (name, CommandState.WAITING)
        assert desk.give(arguments, name=name) == other, "that is asked for once as well"
    assert len(desk.asked()) == 3


def test_a_key_that_is_used_again_and_again_asks_each_time(desk: Desk) -> None:
    ids = set()
    for number in range(40):
        made = desk.give({"reason": str(number)})
        assert desk.give({"reason": str(number)}) == made
        ids.add(made.command_id)
    assert len(ids) == len(desk.asked()) == 40


def test_an_id_of_the_caller_s_own_asks_once_for_ever(desk: Desk) -> None:
    """Messages and signals are never used anew: what comes again is the same one."""
    first = desk.give(HALT, by_key=False)
    desk.take(first, refused="seen: an old value")
    desk.now_ns += 2 * REPEATED_NS
    again = desk.give(HALT, by_key=False)
    assert (again.command_id, again.state) == (first.command_id, CommandState.REFUSED)
    assert len(desk.asked()) == desk.noted() == 1


def test_a_request_that_was_given_up_and_still_writes_is_not_mistaken_for_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = desk.store.change
    late = iter([{"level": "cancel"}])

    def crossed(work):  # type: ignore[no-untyped-def]
        for arguments in late:
            desk.give(arguments)
        return change(work)

    monkeypatch.setattr(desk.store, "change", crossed)
    desk.give(HALT)
    assert desk.asked() == ['{"level":"cancel"}', '{"level":"entries"}']


def test_a_command_names_the_bot_that_it_is_for(desk: Desk) -> None:
    mine = desk.give({**HALT, "bot": "cross"}, by_key=False)
    assert (mine.account, mine.bot) == ("main", "cross")
    admin = msgspec.structs.replace(TOM, role=Role.ADMIN)
    assert asyncio.run(desk.commands.find(admin, mine.command_id)) == mine
    assert desk.give(HALT).bot == ""
