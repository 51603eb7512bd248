"""What may be sent: each row of the journal, and the request that has to say the same.

Not here: who may write a row (checker), or what the exchange makes of the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.app.demo.told import wire
from holdfast.domain.fact import AnyFact, Armed, CancelArmed
from holdfast.domain.money import plain
from holdfast.domain.order import OrderType, TimeInForce
from holdfast.exchange.traffic import Call

_LISTS = {"oco": ("above", "below"), "otoco": ("working", "pendingAbove", "pendingBelow")}
"""Names of the orders of a list, in the order of their rows."""
_LASTING = {OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT}
_ORDERS = ("/api/v3/order", "/api/v3/openOrders", "/api/v3/sor/order")
"""Where what is posted or deleted is an order or its cancel, and has an id of ours."""


def id_of(call: Call) -> str:
    """The client id under which something is placed or cancelled; empty without one."""
    return call.params.get("listClientOrderId", "") or call.params.get("newClientOrderId", "")


class Rows:
    """Orders, lists and cancels of one account that were journaled."""

    def __init__(self) -> None:
        self._cancels: dict[str, CancelArmed] = {}
        self._orders: dict[str, list[Armed]] = {}  # by its own id, or that of its list

    def take(self, fact: AnyFact) -> None:
        """A fact became durable."""
        if isinstance(fact, Armed):
            self._orders.setdefault(fact.list_cid or fact.cid, []).append(fact)
        elif isinstance(fact, CancelArmed):
            self._cancels[fact.cid] = fact

    def fault(self, call: Call) -> str:
        """Why a request that places or cancels may not leave; empty when its row says all of it."""
        cid = id_of(call)
        row: dict[str, str] | None = None
        if cancel := self._cancels.get(cid):
            row = _of_cancel(cancel)
        elif orders := self._orders.get(cid):
            row = _of_list(orders, call.path) if orders[0].list_cid else _of_order(orders[0])
        elif cid or call.path.startswith(_ORDERS):
            return f"{call.method} {call.path} came without a row"
        differing = list(_differing(row or {}, call.params))
        if differing:
            return f"{call.method} {call.path} says otherwise than its row: {'; '.join(differing)}"
        return ""


def _of_cancel(row: CancelArmed) -> dict[str, str]:
    found = {
        "symbol": wire(row.symbol), "origClientOrderId": row.target,
        "timestamp": str(row.timestamp_ms), "recvWindow": str(row.window_ms),
    }
    return found | {"orderId": row.order_id} if row.order_id else found


def _of_order(row: Armed) -> dict[str, str]:
    spec = row.spec
    return {
        "symbol": wire(spec.symbol), "side": spec.side.value, "type": spec.type.value,
        "quantity": plain(spec.quantity), **_prices(row, "price", "stopPrice", "timeInForce"),
        "timestamp": str(row.timestamp_ms), "recvWindow": str(row.window_ms),
    }


def _of_list(rows: list[Armed], path: str) -> dict[str, str]:
    kind = path.rpartition("/")[2]
    rows = sorted(rows, key=lambda row: row.part)
    first, last = rows[0].spec, rows[-1].spec
    found = {
        "symbol": wire(first.symbol),
        "timestamp": str(rows[0].timestamp_ms), "recvWindow": str(rows[0].window_ms),
    }
    if kind == "oco":
        found |= {"side": last.side.value, "quantity": plain(last.quantity)}
    else:
        found |= {
            "workingSide": first.side.value, "workingQuantity": plain(first.quantity),
            "pendingSide": last.side.value, "pendingQuantity": plain(last.quantity),
        }
    for name, row in zip(_LISTS[kind], rows, strict=True):
        found |= {f"{name}Type": row.spec.type.value, f"{name}ClientOrderId": row.cid}
        found |= _prices(row, f"{name}Price", f"{name}StopPrice", f"{name}TimeInForce")
    return found


def _prices(row: Armed, price: str, stop_price: str, lasting: str) -> dict[str, str]:
    """With empty values for what must not be there."""
    spec = row.spec
    lasts = (spec.time_in_force or TimeInForce.GTC).value if spec.type in _LASTING else ""
    return {
        price: "" if spec.price is None else plain(spec.price),
        stop_price: "" if spec.stop_price is None else plain(spec.stop_price),
        lasting: lasts,
    }


def _differing(row: Mapping[str, str], said: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if said.get(name, "") != value:
            yield f"{name} {said.get(name, '')!r}, and not {value!r}"
