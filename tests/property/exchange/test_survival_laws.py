"""Whatever was done before the end, the exchange that starts from its file knows all of it."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.exchange.accounts import FeePlan
from holdfast.exchange.core import Exchange
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.ledger import ledger
from holdfast.exchange.statelog import FILE_NAME, StateLog
from tests.support.exchange import Clock
from tests.support.exchange_deeds import deeds, perform
from tests.support.market import COIN


@settings(max_examples=40, deadline=None)
@example([], 0)
@given(deeds, st.integers(0, 10**6))
def test_a_restart_changes_nothing_and_a_cut_line_costs_one_deed_at_most(
    plan: list[tuple[Any, ...]], cut: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        clock, history = Clock(), []
        log = StateLog(Path(name))
        exchange = Exchange([COIN], now_ns=clock)
        log.attach(exchange)
        for fees in ("received", "quote"):
            history.append(ledger(exchange))
            exchange.open_account(
                {"USDT": Decimal(5000), "BTC": Decimal(20)}, FeePlan(asset=fees)
            )
        for number, deed in enumerate(plan):
            history.append(ledger(exchange))
            clock.move(1)
            try:
                perform(exchange, number, deed)
            except RefusedError:
                continue
        log.close()
        path = Path(name) / FILE_NAME
        data = path.read_bytes()
        assert comparable(revived(Path(name), clock)) == comparable(ledger(exchange))
        # What that start has made of the file says the same in no more lines, and stays as it is.
        compact = path.read_bytes()
        assert compact.count(b"\n") <= data.count(b"\n")
        assert comparable(revived(Path(name), clock)) == comparable(ledger(exchange))
        assert path.read_bytes() == compact
        last_line = data.rstrip(b"\n").rfind(b"\n") + 1
        path.write_bytes(data[: last_line + cut % max(1, len(data) - last_line)])
        known = [comparable(each) for each in history]
        assert comparable(revived(Path(name), clock)) in known


def revived(directory: Path, clock: Clock) -> dict[str, Any]:
    """The ledger of an exchange that starts from the file, with an empty market."""
    log = StateLog(directory)
    exchange = Exchange([COIN], now_ns=clock)
    log.attach(exchange)
    log.close()
    return ledger(exchange)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    return {name: rows for name, rows in found.items() if name != "at_ns"}
