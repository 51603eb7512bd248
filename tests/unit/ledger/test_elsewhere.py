"""Where else a bot still has something: what a changed symbol would leave to nobody."""

from __future__ import annotations

import msgspec

from holdfast.domain.fact import AnyFact, InstrumentChanged
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from tests.support.exchange import BTC_USDT
from tests.support.journal_facts import armed, filled

BOUGHT = msgspec.structs.replace(filled("1"), bot="sma")
LISTED = InstrumentChanged(instrument=BTC_USDT.to_text())


def state(*facts: AnyFact) -> AccountState:
    made = AccountState()
    for seq, fact in enumerate(facts, 1):
        apply(made, seq, 1, seq, fact)
    return made


def test_a_position_in_another_symbol_is_somewhere_else() -> None:
    made = state(LISTED, BOUGHT)
    assert made.elsewhere("sma", ("ETH/USDT",)) == ["BTC/USDT"]
    assert made.elsewhere("sma", ("BTC/USDT",)) == []
    assert made.elsewhere("another", ("ETH/USDT",)) == []


def test_an_order_that_may_still_execute_counts_as_well() -> None:
    assert state(armed(2)).elsewhere("sma", ("ETH/USDT",)) == ["BTC/USDT"]


def test_dust_that_nobody_can_sell_does_not() -> None:
    tiny = msgspec.structs.replace(BTC_USDT, min_quantity=BOUGHT.fill.quantity)
    dust = InstrumentChanged(instrument=tiny.to_text())
    assert state(dust, BOUGHT).elsewhere("sma", ("ETH/USDT",)) == []


def test_nor_does_what_is_worth_less_than_the_smallest_order() -> None:
    """Else a bot with a rest that no exchange takes could never be given another symbol."""
    worth = BOUGHT.fill.quantity * BOUGHT.fill.price
    for least, expected in ((worth + 1, []), (worth / 2, ["BTC/USDT"])):
        coarse = msgspec.structs.replace(BTC_USDT, min_notional=least)
        listed = InstrumentChanged(instrument=coarse.to_text())
        assert state(listed, BOUGHT).elsewhere("sma", ("ETH/USDT",)) == expected


def test_a_bot_that_is_new_has_nothing_anywhere() -> None:
    assert state().elsewhere("sma", ("BTC/USDT",)) == []
