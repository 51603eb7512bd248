"""Whether an account trades, and whether anything of it is on its way, as scripts ask it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import holdfast
from holdfast.app.live.activity import activity_of, is_led
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    BotStopped,
    BreakerMoved,
    BreakerState,
    Draining,
    Halted,
    HaltLevel,
    Maintenance,
    Opened,
    OrderMoved,
    Resumed,
)
from holdfast.domain.order import AttemptState, OrderState, OrderType, Side
from holdfast.journal.database import SqliteDatabase, database_at
from holdfast.journal.port import Group
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.ledger.fold import apply
from holdfast.ledger.state import STOP, AccountState
from tests.support.journal_facts import TAG, armed, flow
from tests.support.postgres import database
from tests.support.waiting import PATIENCE_S

OPENED = (
    Opened(account="main", deployment=TAG, generation=1, reporting="USDT"),
    flow(),
    BotStarted(bot="sma", config_version=1, config="{}", anchor_ns=0),
)


class Journal:
    """One account's stream in a file, written by hand."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self.database = SqliteDatabase(path)
        self._file = SqliteFile(path)
        self._head = self._file.acquire("main", "a")
        self.write(*OPENED)

    def write(self, *facts: AnyFact) -> None:
        self._head, _ = self._file.commit(self._head, [Group(facts)], 1)

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def state(*facts: AnyFact) -> AccountState:
    folded = AccountState()
    for seq, fact in enumerate((*OPENED, *facts), 1):
        apply(folded, seq, 1, seq, fact)
    return folded


def open_order(number: int) -> AttemptMoved:
    return AttemptMoved(
        cid=armed(number).cid,
        state=AttemptState.ACKED,
        order_id=str(number),
        order_state=OrderState.NEW,
        executed=Decimal(0),
    )


def stop(number: int) -> Armed:
    first = armed(number)
    spec = msgspec.structs.replace(
        first.spec, side=Side.SELL, type=OrderType.STOP_LOSS, price=None, stop_price=Decimal(9)
    )
    return msgspec.structs.replace(first, leg=f"BTC/USDT|{STOP}", spec=spec)


@pytest.mark.parametrize(
    ("facts", "complete"),
    [
        ((), True),
        ((armed(1),), False),
        ((armed(1), AttemptMoved(cid=armed(1).cid, state=AttemptState.IN_DOUBT)), False),
        ((armed(1), AttemptMoved(cid=armed(1).cid, state=AttemptState.NOT_SENT)), True),
        ((armed(1), open_order(1)), False),
        ((stop(1), open_order(1)), True),
        (
            (
                armed(1),
                open_order(1),
                OrderMoved(cid=armed(1).cid, state=OrderState.CANCELLED, executed=Decimal(0)),
            ),
            True,
        ),
        (
            (
                armed(1),
                open_order(1),
                OrderMoved(cid=armed(1).cid, state=OrderState.FILLED, executed=Decimal("0.01")),
            ),
            False,  # its fill is not booked yet
        ),
    ],
)
def test_an_account_is_complete_when_nothing_but_protective_orders_rests(
    facts: tuple[AnyFact, ...], complete: bool
) -> None:
    assert activity_of(state(*facts), led=True).is_complete is complete


@pytest.mark.parametrize(
    ("facts", "led", "trades"),
    [
        ((), True, True),
        ((), False, False),
        ((Halted(level=HaltLevel.ENTRIES, reason="x", by="ana"),), True, False),
        ((Halted(level=HaltLevel.CANCEL, reason="x", by="ana", bot="sma"),), True, False),
        ((Halted(level=HaltLevel.ENTRIES, reason="x", by="ana"), Resumed(by="ana")), True, True),
        ((Draining(bot="sma", by="ana"),), True, False),
        ((Draining(bot="sma", by="ana"), Draining(bot="sma", by="ana", on=False)), True, True),
        ((BotStopped(bot="sma", reason="x"),), True, False),
        ((Maintenance(venue="binance", on=True),), True, False),
        ((BreakerMoved(venue="binance", endpoint="order", state=BreakerState.OPEN),), True, False),
    ],
)
def test_trading_is_active_while_a_bot_may_open_a_position(
    facts: tuple[AnyFact, ...], led: bool, trades: bool
) -> None:
    assert activity_of(state(*facts), led=led).trades is trades


def test_both_functions_are_public_and_read_the_journal_of_the_address(journal: Journal) -> None:
    named = {"account": "main", "database": journal.url}
    assert not holdfast.is_trading_active(**named), "no process writes it"
    with journal.database.own("main"):
        assert holdfast.is_trading_active(**named)
    assert holdfast.wait_for_trades_to_complete(0, **named)
    journal.write(armed(1))
    assert not holdfast.wait_for_trades_to_complete(0.1, **named)


def test_the_wait_ends_when_the_last_doubt_does(journal: Journal) -> None:
    journal.write(armed(1))
    answers: list[bool] = []
    waiting = threading.Thread(
        target=lambda: answers.append(
            holdfast.wait_for_trades_to_complete(
                PATIENCE_S, account="main", database=journal.url
            )
        )
    )
    waiting.start()
    journal.write(AttemptMoved(cid=armed(1).cid, state=AttemptState.NOT_SENT))
    waiting.join(PATIENCE_S)
    assert answers == [True]


def test_who_leads_is_told_of_a_journal_in_postgres_as_well() -> None:
    with database() as url:
        journal = database_at(url)
        assert not is_led(journal, "main")
        owner = journal.own("main")
        assert is_led(journal, "main")
        owner.release()
        assert not is_led(journal, "main"), "looking keeps nothing"
