"""Accounts that were added, as rows, in each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.config.added import AddedAccount
from holdfast.domain.platform import AccountAdded, AccountDropped
from holdfast.errors import CorruptionError
from holdfast.platform.accounts import rows
from holdfast.platform.identity.values import AbsentError, TakenError
from holdfast.platform.port import PlatformStore
from tests.support.platform_stores import KINDS, journal


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformStore]:
    with journal(request.param, tmp_path) as database:
        database.upgrade()
        made = database.platform()
        yield made
        made.close()


def account(name: str, key: str = "env:KEY") -> AddedAccount:
    return AddedAccount(name=name, like="main", api_key=key, api_secret="env:SECRET")


def add(store: PlatformStore, added: AddedAccount, at_ns: int) -> None:
    store.change(lambda change: rows.add(change, added, by="user:ada", now_ns=at_ns))


def names(store: PlatformStore) -> list[str]:
    return [row.account.name for row in store.look(rows.every)]


def test_accounts_are_told_in_the_order_in_which_they_were_added(store: PlatformStore) -> None:
    add(store, account("later"), 2)
    add(store, account("first"), 1)
    assert names(store) == ["first", "later"]
    assert store.look(rows.every)[0] == rows.Row(account("first"), "user:ada", 1)


def test_each_change_is_in_the_stream_and_the_same_again_is_none(store: PlatformStore) -> None:
    add(store, account("second"), 1)
    add(store, account("second"), 2)
    store.change(lambda change: rows.drop(change, "second", by="user:bob", now_ns=2))
    assert [event.fact for event in store.events(0, 10)] == [
        AccountAdded(
            by="user:ada", account="second", like="main", api_key="env:KEY",
            api_secret="env:SECRET",
        ),
        AccountDropped(by="user:bob", account="second"),
    ]  # fmt: skip
    assert names(store) == []
    assert store.look(rows.dropped) == {"second"}
    add(store, account("second", "env:OTHER"), 3)
    assert names(store) == ["second"]
    assert store.look(rows.dropped) == frozenset()


def test_another_account_of_a_name_is_refused_and_so_is_dropping_what_is_not_there(
    store: PlatformStore,
) -> None:
    add(store, account("second"), 1)
    with pytest.raises(TakenError, match="user:ada added"):
        add(store, account("second", "env:OTHER"), 2)
    with pytest.raises(AbsentError, match="no account 'third'"):
        store.change(lambda change: rows.drop(change, "third", by="user:ada", now_ns=2))
    assert store.head() == 1


def test_a_row_that_cannot_be_read_is_named(store: PlatformStore) -> None:
    add(store, account("second"), 1)
    store.change(lambda change: change.run("UPDATE added_account SET written = ?", "{}"))
    with pytest.raises(CorruptionError, match="added account second"):
        names(store)
