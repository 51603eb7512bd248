"""Whatever was done before the end, the exchange that starts from its file knows all of it."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange.accounts import FeePlan
from holdfast.exchange.core import Exchange
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.flow import Place
from holdfast.exchange.ledger import ledger
from holdfast.exchange.order_list import ListTicket
from holdfast.exchange.orders import Kind, Ticket
from holdfast.exchange.statelog import FILE_NAME, StateLog
from tests.support.exchange import Clock
from tests.support.market import COIN, SYMBOL

deeds = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "order", "stop", "pair", "cancel", "house", "move"]),
        st.integers(0, 1),
        st.sampled_from(list(Side)),
        st.integers(1, 40).map(lambda n: Decimal(n) / 10),
        st.integers(96, 104).map(Decimal),
        st.sampled_from(list(TimeInForce)),
    ),
    min_size=5,
    max_size=40,
)  # fmt: skip


def perform(exchange: Exchange, number: int, deed: tuple[Any, ...]) -> None:
    verb, who, side, quantity, price, lasting = deed
    account = list(exchange.accounts.values())[who]
    if verb == "house":
        exchange.apply(Place(number, SYMBOL, side, price, quantity, number + 1))
    elif verb == "move":
        exchange.move_balance(account, "USDT", quantity)
    elif verb == "cancel":
        for order in list(account.open_orders.values())[:1]:
            exchange.cancel(account, order, f"x{number}")
    elif verb == "pair":
        exchange.submit_list(account, entry_and_pair(number, side, quantity, price, lasting))
    else:
        is_stop = verb == "stop"
        exchange.submit(account, Ticket(
            symbol=SYMBOL,
            side=side,
            kind=Kind.STOP_LOSS if is_stop else Kind.LIMIT,
            quantity=quantity,
            price=None if is_stop else price,
            stop_price=price if is_stop else None,
            time_in_force=None if is_stop else lasting,
            client_order_id=f"n{number}",
        ))


def entry_and_pair(
    number: int, side: Side, quantity: Decimal, price: Decimal, lasting: TimeInForce
) -> ListTicket:
    """An entry that brings an OCO to leave by, two units of money around its price."""
    back = Side.SELL if side is Side.BUY else Side.BUY
    gain = price + 2 if side is Side.BUY else price - 2

    def ticket(name: str, kind: Kind, to: Side, **terms: Any) -> Ticket:
        return Ticket(
            symbol=SYMBOL, side=to, kind=kind, quantity=quantity,
            client_order_id=f"{name}{number}", **terms,
        )

    return ListTicket(
        symbol=SYMBOL,
        client_list_id=f"list{number}",
        working=ticket("entry", Kind.LIMIT, side, price=price, time_in_force=lasting),
        others=(
            ticket("loss", Kind.STOP_LOSS, back, stop_price=2 * price - gain),
            ticket("gain", Kind.LIMIT_MAKER, back, price=gain),
        ),
    )


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
