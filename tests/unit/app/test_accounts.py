"""Dropping an account that a command added: when it may be, and what it leaves.

Not here: nodes that trade one (tests/acceptance/test_added_accounts), rows (platform).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.app.accounts import add, drop
from holdfast.config import Config
from holdfast.config.added import AddedAccount
from holdfast.errors import RejectedError
from holdfast.journal.database import SqliteDatabase
from holdfast.ledger.state import AccountState, BotState
from holdfast.platform.accounts import rows
from holdfast.platform.port import PlatformStore

SECOND = AddedAccount(name="second", like="main", api_key="env:K", api_secret="env:S")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlatformStore]:
    database = SqliteDatabase(tmp_path / "journal.db")
    database.upgrade()
    with closing(database.platform()) as made:
        add(made, Config(), SECOND, by="user:ada", now_ns=1)
        yield made


def commands(store: PlatformStore) -> list[tuple[str, str, str]]:
    """Account, name and reason of what leaders were asked for."""
    statement = "SELECT account, name, arguments FROM command ORDER BY number"
    found = store.look(lambda look: look.rows(statement))
    return [(account, name, json.loads(told)["reason"]) for account, name, told in found]


def test_an_account_is_halted_with_the_drop_while_some_node_leads_it_yet(
    store: PlatformStore,
) -> None:
    drop(store, "second", AccountState(account="second"), by="user:ada", now_ns=2)
    assert store.look(rows.every) == ()
    assert commands(store) == [("second", "halt", "the account was dropped")]


def test_of_an_account_that_never_had_a_journal_nobody_is_asked_anything(
    store: PlatformStore,
) -> None:
    drop(store, "second", None, by="user:ada", now_ns=2)
    assert commands(store) == []


def test_an_account_at_which_something_goes_on_is_not_dropped(store: PlatformStore) -> None:
    running = AccountState(account="second", bots={"flip": BotState(running=True)})
    with pytest.raises(RejectedError, match="bot flip runs"):
        drop(store, "second", running, by="user:ada", now_ns=2)
    assert [row.account for row in store.look(rows.every)] == [SECOND]
    assert commands(store) == []


def test_what_was_never_added_is_not_halted_either(store: PlatformStore) -> None:
    with pytest.raises(RejectedError, match="no account 'main'"):
        drop(store, "main", AccountState(account="main"), by="user:ada", now_ns=2)
    assert commands(store) == []
