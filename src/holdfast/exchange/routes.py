"""The table of calls: what each weighs, whether it is signed, and which function answers it.

Both doors (REST, WebSocket API) answer from it. Not here: the functions (`market_calls`,
`account_calls`, `order_calls`, `list_calls`) or what stands in front of them (`gateway`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from holdfast.exchange.accounts import Account
from holdfast.exchange.core import Exchange
from holdfast.exchange.limits import Gatekeeper
from holdfast.exchange.params import Params

# What the real exchange has and this one does not, by the beginning of the path or the method: a
# definite no, where an unknown path is only not found.
NOT_OFFERED = (
    "/api/v3/order/cancelReplace", "/api/v3/order/amend", "/api/v3/order/oco",
    "/api/v3/orderList/opo", "/api/v3/sor", "/sapi/v1/margin",
    "order.cancelReplace", "order.amend", "orderList.place", "sor.",
)


class Context:
    """What a call is answered from.

    Attributes:
        server_ns: the clock of the gateway that the call came to, which may be off.
        passed_on: the mirrored exchange's own answer to a call that is its to answer.
    """

    def __init__(
        self,
        exchange: Exchange,
        gatekeeper: Gatekeeper,
        params: Params,
        server_ns: int,
        account: Account | None,
    ) -> None:
        self.exchange = exchange
        self.gatekeeper = gatekeeper
        self.params = params
        self.server_ns = server_ns
        self.passed_on: msgspec.Raw | None = None
        self._account = account

    @property
    def account(self) -> Account:
        """The account that signed; only calls marked as signed have one."""
        if self._account is None:
            raise LookupError("this call is not signed: it has no account")
        return self._account


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One call.

    Attributes:
        answer: makes the body; raises RefusedError.
        weight: of the request, from its parameters.
        is_signed: carries key, timestamp and signature.
        reaches_engine: is checked against its deadline twice more on the way.
        orders: how many it counts as in the account's limit of unfilled orders.
        is_passed_on: is answered by the mirrored exchange where one is mirrored.
    """

    answer: Callable[[Context], Any]
    weight: Callable[[Params], int]
    is_signed: bool = False
    reaches_engine: bool = False
    orders: int = 0
    is_passed_on: bool = False


def flat(weight: int) -> Callable[[Params], int]:
    """The same weight whatever the parameters."""
    return lambda _params: weight


def by_symbol(one: int, every: int) -> Callable[[Params], int]:
    """One weight with a symbol, another for all symbols."""
    return lambda params: one if params.has("symbol") else every
