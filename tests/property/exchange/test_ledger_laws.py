"""Who is told only of what has changed in the ledger knows as much as who is told all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.app.demo.evidence import Ledger, LedgerCopy, read_ledger
from holdfast.exchange.core import Exchange
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.ledger import LedgerLog
from tests.support.exchange import Clock
from tests.support.exchange_deeds import deeds, perform
from tests.support.market import COIN


@settings(max_examples=60, deadline=None)
@given(deeds, st.sets(st.integers(0, 40)))
def test_a_copy_that_is_fed_with_changes_is_the_ledger(
    plan: list[tuple[Any, ...]], looks: set[int]
) -> None:
    exchange, log = two_accounts()
    copy = LedgerCopy()
    for number, deed in enumerate(plan):
        try:
            perform(exchange, number, deed)
        except RefusedError:
            continue
        if number in looks:
            assert part_of(log, copy) == whole_of(log)
    assert part_of(log, copy) == whole_of(log)
    assert part_of(log, copy) == whole_of(log)  # nothing has changed, nothing is forgotten


@settings(max_examples=30, deadline=None)
@given(deeds, st.integers(0, 1))
def test_an_account_with_another_key_and_an_exchange_that_began_anew_are_told_whole(
    plan: list[tuple[Any, ...]], who: int
) -> None:
    exchange, log = two_accounts()
    copy = LedgerCopy()
    part_of(log, copy)
    for number, deed in enumerate(plan):
        try:
            perform(exchange, number, deed)
        except RefusedError:
            continue
    exchange.renew_key(list(exchange.accounts.values())[who])
    log.begin()
    assert part_of(log, copy) == whole_of(log)
    _, its_log = two_accounts(later_s=1)
    assert part_of(its_log, copy) == whole_of(its_log)


def two_accounts(later_s: float = 0) -> tuple[Exchange, LedgerLog]:
    clock = Clock()
    clock.move(later_s)
    exchange = Exchange([COIN], now_ns=clock)
    for _ in range(2):
        exchange.open_account({"USDT": Decimal(5000), "BTC": Decimal(20)})
    return exchange, LedgerLog(exchange)


def part_of(log: LedgerLog, copy: LedgerCopy) -> dict[str, Any]:
    return comparable(copy.take(read_ledger(msgspec.json.encode(log.read(copy.next)))))


def whole_of(log: LedgerLog) -> dict[str, Any]:
    return comparable(read_ledger(msgspec.json.encode(log.read(0))))


def comparable(ledger: Ledger) -> dict[str, Any]:
    return {
        "orders": sorted(ledger.orders, key=lambda order: (order.symbol, order.order_id)),
        "executions": sorted(ledger.executions, key=lambda fill: (fill.api_key, fill.key)),
        "balances": ledger.balances,
    }
