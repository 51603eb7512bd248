"""Orders, fills and records as they go over the wire, from the fold or from rows of the reports.

Not here: finding them (history).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.api.shapes.base import amount, amount_or_none
from holdfast.api.shapes.bots import LogLine
from holdfast.api.shapes.cluster import Failover
from holdfast.api.shapes.trading import Fill, JournalEntry, Order, OrderCondition
from holdfast.app.live.condition import condition_of
from holdfast.app.reports.telling import kind_of, level_of, tell
from holdfast.app.view.shown import Place
from holdfast.domain.fact import Filled
from holdfast.domain.order import AttemptState, OrderState, OrderType, Side, TimeInForce
from holdfast.journal.record import Record
from holdfast.journal.report_months import moment
from holdfast.ledger.state import LiveOrder

Row = Mapping[str, Any]


def order_of_fold(account: str, order: LiveOrder, place: Place) -> Order:
    """An order that the fold remembers."""
    armed = order.armed
    spec = armed.spec
    return Order(
        account=account,
        cid=armed.cid,
        bot=armed.bot,
        symbol=spec.symbol,
        side=spec.side,
        type=spec.type,
        time_in_force=spec.time_in_force,
        quantity=amount(spec.quantity),
        price=amount_or_none(spec.price),
        stop_price=amount_or_none(spec.stop_price),
        executed=amount(order.executed),
        condition=OrderCondition(condition_of(order).value),
        attempt=order.state,
        state=order.order_state,
        order_id=order.order_id or None,
        list_cid=armed.list_cid or None,
        protects=order.protects,
        seq=place.seq,
        armed_at=moment(place.armed_ns),
        changed_at=moment(place.changed_ns),
    )


def order_of_row(row: Row) -> Order:
    """An order as the reports have it."""
    return Order(
        account=row["account"],
        cid=row["cid"],
        bot=row["bot"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        time_in_force=None if row["time_in_force"] is None else TimeInForce(row["time_in_force"]),
        quantity=amount(row["quantity"]),
        price=amount_or_none(row["price"]),
        stop_price=amount_or_none(row["stop_price"]),
        executed=amount(row["executed"]),
        condition=OrderCondition(row["condition"]),
        attempt=AttemptState(row["attempt"]),
        state=None if row["state"] is None else OrderState(row["state"]),
        order_id=row["order_id"],
        list_cid=row["list_cid"],
        protects=row["protects"],
        seq=row["seq"],
        armed_at=moment(row["armed_at"]),
        changed_at=moment(row["changed_at"]),
    )


def fill_of_fact(account: str, seq: int, fact: Filled, held: Decimal | None) -> Fill:
    """An execution as its record has it.

    Args:
        held: by its bot after it, base units; None of none of our bots.
    """
    fill = fact.fill
    return Fill(
        account=account,
        seq=seq,
        at=moment(fill.at_ns),
        bot=fact.bot or None,
        symbol=fill.symbol,
        side=fill.side,
        quantity=amount(fill.quantity),
        price=amount(fill.price),
        fee=amount(fill.fee),
        fee_asset=fill.fee_asset,
        is_maker=fill.is_maker,
        trade_id=fill.trade_id,
        order_id=fill.venue_order_id,
        cid=fill.cid or None,
        held=amount_or_none(held),
    )


def fill_of_row(row: Row) -> Fill:
    """An execution as the reports have it."""
    return Fill(
        account=row["account"],
        seq=row["seq"],
        at=moment(row["at"]),
        bot=row["bot"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=amount(row["quantity"]),
        price=amount(row["price"]),
        fee=amount(row["fee"]),
        fee_asset=row["fee_asset"],
        is_maker=row["is_maker"],
        trade_id=row["trade_id"],
        order_id=row["order_id"],
        cid=row["cid"],
        held=amount_or_none(row["held"]),
    )


def failover_of_row(row: Row) -> Failover:
    """A takeover as the reports have it."""
    ready, fault = row["ready_at"], row["fault_at"]
    gap_ms = max(0, ready - fault) / 1e6 if ready is not None and fault is not None else None
    return Failover(
        account=row["account"],
        seq=row["seq"],
        epoch=row["epoch"],
        at=moment(row["at"]),
        leader=row["node"].rpartition(":")[0],
        before=row["before"] and row["before"].rpartition(":")[0],
        gap_ms=gap_ms,
        planned=bool(row["rested"]),
        why=why_it_moved(row["before"], row["rested"]),
    )


def why_it_moved(before: str | None, rested: str) -> str:
    """Why an account went from one leader to another, for people."""
    if not before:
        return "first start"
    return rested or "the leader before it ended without a word"


def entry_of(record: Record) -> JournalEntry:
    """A record with all that it says."""
    fact = record.fact
    told: dict[str, Any] = msgspec.to_builtins(fact)
    told.pop("kind", None)
    return JournalEntry(
        seq=record.seq,
        epoch=record.epoch,
        at=moment(record.at_ns),
        kind=kind_of(fact),
        told=tell(fact),
        fact=told,
    )


def line_of(record: Record) -> LogLine:
    """A record as a line of a bot's log."""
    return LogLine(
        seq=record.seq,
        at=moment(record.at_ns),
        level=level_of(record.fact).value,
        kind=kind_of(record.fact),
        told=tell(record.fact),
    )
