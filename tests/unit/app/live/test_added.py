"""When a node begins anew with other accounts, and what it begins with."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.app.live import added as module
from holdfast.app.live.added import (
    LONGEST_S,
    PATIENCE_S,
    SETTLE_S,
    TURN_S,
    WARM_S,
    Added,
    Turn,
    added_file,
    as_known_here,
)
from holdfast.config import Config
from holdfast.config.added import AddedAccount
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.accounts import rows

SECOND = AddedAccount(name="second", like="main", api_key="env:K", api_secret="env:S")
ALONE: dict[str, float] = {}


def test_a_node_that_is_alone_begins_anew_at_once() -> None:
    turn = Turn("one", 100.0)
    assert not turn.has_come(100.0 + SETTLE_S - 0.1, ALONE)
    assert turn.has_come(100.0 + SETTLE_S, ALONE)


def test_nodes_take_turns_in_the_order_of_their_names() -> None:
    beside = {"one": 60.0, "zoe": 60.0}
    turn = Turn("two", 100.0)
    assert not turn.has_come(100.0 + SETTLE_S, beside)
    assert turn.has_come(100.0 + SETTLE_S + TURN_S, beside)


def test_one_that_is_away_for_its_turn_goes_first_all_the_same() -> None:
    turn = Turn("two", 100.0)
    assert not turn.has_come(102.0, {"one": 60.0})
    assert not turn.has_come(100.0 + SETTLE_S, ALONE), "it begins anew just now"
    assert not turn.has_come(100.0 + SETTLE_S + TURN_S, {"one": WARM_S - 0.1}), "it is not warm"
    assert turn.has_come(100.0 + SETTLE_S + TURN_S, {"one": WARM_S})


def test_one_that_begins_again_and_again_is_waited_for_only_so_long() -> None:
    turn, due_s = Turn("a", 0.0), SETTLE_S
    for s in range(round(due_s), round(due_s + PATIENCE_S)):
        beside = {"b": 20_000.0, "c": s % (WARM_S - 1)}
        assert not turn.has_come(s, beside)
        assert turn.awaited(s, beside) == ["c"]
    assert turn.has_come(due_s + PATIENCE_S, {"b": 20_000.0, "c": 1.0})
    assert not turn.has_come(due_s + PATIENCE_S, {"b": 1.0, "c": 1.0}), "that one begins anew now"


def test_nodes_with_another_name_at_each_start_are_waited_for_only_so_long() -> None:
    ends = {name: Turn(name, 0.0) for name in ("n", "o")}
    came: dict[str, int] = {}
    for s in range(2 * round(LONGEST_S)):
        new = {f"host-{s // 5}": s % 5.0}
        for name, turn in ends.items():
            others = {other: 20_000.0 for other in ends if other != name}
            if name not in came and turn.has_come(s, {**others, **new}):
                came[name] = s
    assert came["n"] >= LONGEST_S
    assert came["o"] - came["n"] >= TURN_S, "one after the other all the same"


def test_no_two_of_three_nodes_are_away_at_once() -> None:
    """Each notices within a look of the others, and is away for a while when its turn has come."""
    away_s = 2.0
    for late in ((0.0, 0.0, 0.0), (2.0, 1.0, 0.0), (0.0, 1.0, 2.0)):
        names = ("a", "b", "c")
        turns = {name: Turn(name, at) for name, at in zip(names, late, strict=True)}
        back = dict.fromkeys(names, -60.0)  # since when each is there
        done: set[str] = set()
        for tenth in range(1200):
            now_s = tenth / 10
            for name, noticed_s in zip(names, late, strict=True):
                if name in done or now_s < noticed_s:
                    continue
                beside = {n: now_s - back[n] for n in names if n != name and now_s >= back[n]}
                if turns[name].has_come(now_s, beside):
                    assert len(beside) == 2, (late, name, now_s)
                    done.add(name)
                    back[name] = now_s + away_s
        assert done == set(names)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    database = SqliteDatabase(tmp_path / "journal.db")
    database.upgrade()
    return Config(database_url=f"sqlite:///{database.name}", state_dir=str(tmp_path / "state"))


def put(config: Config, account: AddedAccount) -> None:
    database = SqliteDatabase(Path(config.database_url.removeprefix("sqlite:///")))
    with closing(database.platform()) as store:
        store.change(lambda change: rows.add(change, account, by="test", now_ns=1))


def test_what_is_found_is_what_the_next_start_begins_with(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "SETTLE_S", 0.0)
    first = Added(config, "one")
    assert first.there == ()

    async def work() -> None:
        changed = asyncio.create_task(first.changed(lambda: ALONE))
        await asyncio.sleep(0.1)
        assert not changed.done(), "nothing has changed"
        await asyncio.to_thread(put, config, SECOND)
        await asyncio.wait_for(changed, 10)

    asyncio.run(work())
    again = Added(config, "one")
    assert again.there == (SECOND,)
    assert [account.name for account in again.joined().config.all_accounts] == ["main", "second"]
    Path(config.database_url.removeprefix("sqlite:///")).unlink()
    assert as_known_here(config).for_account("second").account.api_key == "env:K"


def test_who_is_waited_for_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "SETTLE_S", 0.0)
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    put(config, SECOND)
    asyncio.run(asyncio.wait_for(Added(config, "one").changed(lambda: {"two": 1.0}), 10))
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    told = [line for line in lines if line["action"] == "accounts_turn"]
    assert [(line["event"], line["nodes"]) for line in told] == [
        ("waits", ["two"]), ("does not wait", ["two"])
    ]  # fmt: skip


def test_a_node_that_does_not_know_yet_who_else_is_there_waits(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "SETTLE_S", 0.0)
    put(config, SECOND)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Added(config, "one").changed(lambda: None), 0.2)

    asyncio.run(work())


def test_a_node_begins_without_a_file_of_it_that_is_damaged(config: Config) -> None:
    file = added_file(config.state_dir, config.cluster.node)
    file.parent.mkdir(parents=True)
    file.write_text('[{"name": "second"')
    assert Added(config, "one").there == ()


def test_what_cannot_be_kept_does_not_make_a_node_begin_anew_for_ever(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "SETTLE_S", 0.0)
    (tmp_path / "state").write_text("a file where a folder should be")
    put(config, SECOND)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Added(config, "one").changed(lambda: ALONE), 0.2)

    asyncio.run(work())
