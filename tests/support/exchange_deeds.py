"""What people may do to an exchange of one market and two accounts, drawn by chance."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange.core import Exchange
from holdfast.exchange.flow import Place
from holdfast.exchange.order_list import ListTicket
from holdfast.exchange.orders import Kind, Ticket
from tests.support.market import SYMBOL

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
