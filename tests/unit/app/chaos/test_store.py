"""How a node reaches the store of a chaos run."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.app.chaos.store import ChaosStore, chaos_store
from holdfast.errors import ConfigError
from holdfast.journal.database import database_at
from tests.support import postgres


def test_a_file_is_reached_directly(tmp_path: Path) -> None:
    with chaos_store("sqlite", tmp_path) as store:
        assert store.through(4711) == f"sqlite:///{tmp_path / 'journal.db'}"
        assert store.upstream == ""
        assert list(store.database.read("main")) == []


def test_a_server_that_is_named_is_used_through_a_link_and_left_as_it_was(tmp_path: Path) -> None:
    with postgres.database(empty=True) as url:
        with chaos_store("postgres", tmp_path, {"DATABASE_URL": url}) as store:
            made = store.url
            assert store.server is None
            assert list(store.database.read("main")) == []
        with pytest.raises(Exception, match="does not exist"):
            database_at(made).version()


def test_the_address_over_a_link_differs_in_host_and_port_alone(tmp_path: Path) -> None:
    parts = {"user": "me", "dbname": "books", "host": "db.example", "port": "6432"}
    store = ChaosStore(database_at(f"sqlite:///{tmp_path}/x"), "", "db.example:6432", None, parts)
    assert store.through(4711) == "postgresql:///books?user=me&host=127.0.0.1&port=4711"


def test_another_kind_of_store_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="sqlite or postgres"),
        chaos_store("paper", tmp_path),
    ):
        pass
