"""Executions and the fees they cost.

Not here: what they do to a position (ledger.portfolio).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.order import Side


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution of one of our orders, as the venue reports it.

    Attributes:
        trade_id: unique per account and symbol at the venue; what makes booking idempotent.
        venue_order_id: the exchange's order id, as text.
        cid: the client order id, empty when the source of the report does not carry it.
        quantity: base units, > 0.
        price: quote units per base unit.
        fee, fee_asset: what it cost, in base, quote or a third asset; never negative here.
        at_ns: exchange time, UTC nanoseconds.
    """

    symbol: str
    side: Side
    trade_id: str
    venue_order_id: str
    cid: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at_ns: int
    is_maker: bool = False
