"""From the parameters of a new order list to a ticket: which orders may stand where in it.

Not here: the form of each order (`order_request`), or prices against the market (`admission`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.domain.order import Side
from holdfast.exchange import errors
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.order_list import ListTicket
from holdfast.exchange.order_request import Names, names_in_list, read_ticket
from holdfast.exchange.orders import Kind, Ticket
from holdfast.exchange.params import Params

_STOP_LOSS: Final = frozenset({Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT})
_TAKE_PROFIT: Final = frozenset({Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT})
_IN_PAIR: Final = _STOP_LOSS | _TAKE_PROFIT | {Kind.LIMIT_MAKER}
_WORKING: Final = frozenset({Kind.LIMIT, Kind.LIMIT_MAKER})

_ABOVE = names_in_list("above", side="side", quantity="quantity")
_BELOW = names_in_list("below", side="side", quantity="quantity")
_FIRST = names_in_list("working", side="workingSide", quantity="workingQuantity")
_SECOND = names_in_list("pending", side="pendingSide", quantity="pendingQuantity")
_SECOND_ABOVE = names_in_list("pendingAbove", side="pendingSide", quantity="pendingQuantity")
_SECOND_BELOW = names_in_list("pendingBelow", side="pendingSide", quantity="pendingQuantity")


class ListReader:
    """Reads one request.

    Args:
        symbol: the unified name of the market it names.
        next_name: makes a name for what the client has not named.
    """

    def __init__(self, params: Params, symbol: str, next_name: Callable[[], str]) -> None:
        self._params = params
        self._symbol = symbol
        self._next_name = next_name

    def oco(self) -> ListTicket:
        """Two orders around the price; RefusedError when they cannot be a pair."""
        return self._list(None, self._pair(_ABOVE, _BELOW))

    def oto(self) -> ListTicket:
        """An order, and one that follows when it is filled."""
        return self._list(self._working(), (self._order(_SECOND),))

    def otoco(self) -> ListTicket:
        """An order, and a pair that follows when it is filled."""
        return self._list(self._working(), self._pair(_SECOND_ABOVE, _SECOND_BELOW))

    def _list(self, working: Ticket | None, others: tuple[Ticket, ...]) -> ListTicket:
        return ListTicket(
            symbol=self._symbol,
            client_list_id=self._params.client_id("listClientOrderId") or self._next_name(),
            working=working,
            others=others,
        )

    def _working(self) -> Ticket:
        working = self._order(_FIRST)
        if working.kind not in _WORKING:
            raise errors.bad_working_type()
        return working

    def _pair(self, above_names: Names, below_names: Names) -> tuple[Ticket, Ticket]:
        """The stop loss and the other one: the order in which they get their ids."""
        for names in (above_names, below_names):
            if self._params.required(names.kind) not in _IN_PAIR:
                raise errors.bad_pair_type()
        above, below = self._order(above_names), self._order(below_names)
        refusal = _misplaced(above, below)
        if refusal is not None:
            raise refusal
        return (above, below) if above.kind in _STOP_LOSS else (below, above)

    def _order(self, names: Names) -> Ticket:
        return read_ticket(self._params, self._symbol, self._next_name(), names)


def _misplaced(above: Ticket, below: Ticket) -> RefusedError | None:
    """What the exchange answers to a pair whose orders are on the wrong side, or None."""
    if above.kind is below.kind is Kind.LIMIT_MAKER:
        return errors.no_contingent_order()
    is_buy = above.side is Side.BUY
    gain, loss = (below, above) if is_buy else (above, below)
    if gain.kind in _STOP_LOSS:
        return errors.misplaced_stop_loss(is_buy=is_buy)
    if loss.kind in _TAKE_PROFIT:
        return errors.misplaced_take_profit(is_buy=is_buy)
    if loss.kind is Kind.LIMIT_MAKER:
        return errors.misplaced_limit(is_buy=is_buy)
    return None
