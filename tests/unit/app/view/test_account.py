"""An account in numbers, which must say what the sentence beside them says.

Not here: telling it to readers (test_feeds).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.app.view.account import account_of
from holdfast.app.view.model import Model
from holdfast.config import Config
from holdfast.domain.fact import Armed, AttemptMoved
from holdfast.domain.order import AttemptState
from holdfast.journal.database import SqliteDatabase
from tests.support.report_stream import ACCOUNT, opening, trade, write


def test_an_order_whose_answer_is_on_its_way_is_not_in_doubt(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "journal.db")
    model = Model(Config(database_url=f"sqlite:///{database.name}"), database)
    (at_ns, (armed, *_)), *_ = trade(1)
    assert isinstance(armed, Armed)
    write(database, [opening(), (at_ns, (armed,))])
    asyncio.run(model.journals.look())
    followed = model.journals.accounts[ACCOUNT]
    assert account_of(followed, {}, None, None).in_doubt == 0

    doubt = AttemptMoved(cid=armed.cid, state=AttemptState.IN_DOUBT)
    write(database, [(at_ns + 1, (doubt,))])
    asyncio.run(model.journals.look())
    assert account_of(followed, {}, None, None).in_doubt == 1
