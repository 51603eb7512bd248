"""An account in numbers, which must say what the sentence beside them says.

Not here: telling it to readers (test_feeds).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from holdfast.app.view.account import account_of, bot_of
from holdfast.app.view.model import Model
from holdfast.app.view.prices import Seen
from holdfast.config import Config
from holdfast.domain.fact import Armed, AttemptMoved, BotStarted, Marked
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


def test_what_a_bot_made_today_is_in_what_it_pays_with(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "journal.db")
    model = Model(Config(database_url=f"sqlite:///{database.name}"), database)
    at_ns, begun = opening()
    config = '{"strategy":"hold","symbols":["ETH/BTC"]}'
    bot = BotStarted(bot="pair", config_version=1, config=config, anchor_ns=0)
    pnl = {"pair": Decimal(100)}  # marks are in the account's USDT
    mark = Marked(at_ns=at_ns, equity=Decimal(10_000), pnl=pnl, prices={}, new_day=True)
    write(database, [(at_ns, (*begun, bot, mark))])
    asyncio.run(model.journals.look())
    followed = model.journals.accounts[ACCOUNT]
    last = {"BTC/USDT": Seen(Decimal(50_000), 0, 0.0)}
    shown = bot_of(followed, "pair", last, None)
    assert (shown.quote, shown.day_pnl) == ("BTC", "-0.002")
    assert bot_of(followed, "pair", {}, None).day_pnl is None
