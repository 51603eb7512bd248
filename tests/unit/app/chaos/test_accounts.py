"""An account of a chaos run, as its journal tells it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from holdfast.app.chaos.accounts import Account
from holdfast.domain.fact import AttemptMoved, Opened
from holdfast.domain.order import AttemptState
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group
from holdfast.journal.sqlite_file import SqliteFile
from tests.support.journal_facts import TAG, armed


def test_a_bot_is_held_up_as_long_as_nobody_knows_what_became_of_its_order(
    tmp_path: Path,
) -> None:
    file = SqliteFile(tmp_path / "journal.db")
    heads = [file.acquire("main", "a")]
    order = armed(1)
    opened = Opened(account="main", deployment=TAG, generation=1, reporting="USDT")
    site: Any = SimpleNamespace(
        store=SimpleNamespace(database=SqliteDatabase(tmp_path / "journal.db")), admin=None
    )
    account = Account(site, "main", "key")

    def held_up(*facts: Any) -> set[str]:
        heads.append(file.commit(heads[-1], [Group(facts)], 1)[0])
        account.replica.poll()
        return account.held_up

    assert held_up(opened, order) == set(), "it is on its way"
    assert held_up(AttemptMoved(cid=order.cid, state=AttemptState.IN_DOUBT)) == {order.bot}
    assert held_up(AttemptMoved(cid=order.cid, state=AttemptState.NEVER_EXECUTED)) == set()
    file.close()
