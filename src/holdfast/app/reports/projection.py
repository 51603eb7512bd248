"""What each record of a stream changes in the tables of reports.

The account's own fold says what became of an order or a position, so reports and trading cannot
come to disagree. Not here: reading records, writing rows (app.reports.projector).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from holdfast.app.live.condition import condition_of
from holdfast.app.live.leadership import Leadership, Takeover
from holdfast.app.reports.telling import QUIET, bot_of, kind_of, level_of, order_of, position_after
from holdfast.domain.fact import AnyFact, Armed, CancelArmed, Filled, ForeignOrder, Marked
from holdfast.journal.record import Record
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, derived_in, from_bytes, to_bytes

_ARMED = "armed"
_LEADERSHIP = "leadership"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where an order was armed: the key of its row.

    Attributes:
        at_ns: journal time.
    """

    seq: int
    at_ns: int


class Projection:
    """The fold of one account up to a record, and the rows that changed since they were taken.

    Attributes:
        state: the fold.
    """

    def __init__(
        self, state: AccountState, places: dict[str, Place], leadership: Leadership
    ) -> None:
        self.state = state
        self._places = places
        self._leadership = leadership
        self._rows: dict[str, dict[object, Mapping[str, Any]]] = {}

    @classmethod
    def from_bytes(cls, body: bytes | None) -> Projection:
        """As `to_bytes` kept it; from the beginning when nothing was, or by another version."""
        state = from_bytes(body) if body is not None else None
        if body is None or state is None:
            return cls(AccountState(), {}, Leadership())
        kept = derived_in(body)
        places = msgspec.json.decode(kept[_ARMED], type=dict[str, Place])
        return cls(state, places, msgspec.json.decode(kept[_LEADERSHIP], type=Leadership))

    def to_bytes(self) -> bytes:
        """The fold, and the keys of the orders that may still change."""
        known = {*self.state.live, *self.state.recent}
        self._places = {cid: place for cid, place in self._places.items() if cid in known}
        kept = {_ARMED: self._places, _LEADERSHIP: self._leadership}
        raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in kept.items()}
        return to_bytes(self.state, raw)

    def take(self, account: str, record: Record, *, known: bool = False) -> None:
        """Fold one record in, and note the rows that it changes.

        Args:
            known: its rows are in the tables already.
        """
        fact = record.fact
        apply(self.state, record.seq, record.epoch, record.at_ns, fact)
        moved = self._leadership.take(record)
        if isinstance(fact, Armed):
            self._places[fact.cid] = Place(record.seq, record.at_ns)
        if known:
            return
        for takeover in moved:
            self._note_takeover(account, takeover)
        if not isinstance(fact, QUIET):
            self._note_event(account, record)
        cid = _changes(fact)
        if cid:
            self._note_order(account, cid, record.at_ns)
        if isinstance(fact, Filled):
            self._note_fill(account, record, fact)
        elif isinstance(fact, Marked):
            self._note_mark(account, record.seq, fact)

    def taken(self) -> dict[str, Iterable[Mapping[str, Any]]]:
        """The rows that changed since the last call, by the name of their table."""
        rows, self._rows = self._rows, {}
        return {table: changed.values() for table, changed in rows.items()}

    def _note(self, table: str, key: object, row: Mapping[str, Any]) -> None:
        self._rows.setdefault(table, {})[key] = row

    def _note_order(self, account: str, cid: str, at_ns: int) -> None:
        order, place = self.state.order(cid), self._places.get(cid)
        if order is None or place is None:
            return  # of no attempt of ours, or one that closed long ago
        spec = order.armed.spec
        self._note("report_order", cid, {
            "account": account, "armed_at": place.at_ns, "seq": place.seq,
            "cid": cid, "order_id": order.order_id or None,
            "list_cid": order.armed.list_cid or None,
            "bot": order.armed.bot, "symbol": spec.symbol, "side": spec.side, "type": spec.type,
            "time_in_force": spec.time_in_force,
            "quantity": spec.quantity, "price": spec.price, "stop_price": spec.stop_price,
            "attempt": order.state, "state": order.order_state, "executed": order.executed,
            "condition": condition_of(order).value, "protects": order.protects,
            "changed_at": at_ns,
        })  # fmt: skip

    def _note_fill(self, account: str, record: Record, fact: Filled) -> None:
        fill, position = fact.fill, position_after(self.state, fact)
        self._note("report_fill", record.seq, {
            "account": account, "at": fill.at_ns, "seq": record.seq,
            "bot": fact.bot or None, "symbol": fill.symbol, "side": fill.side,
            "quantity": fill.quantity, "price": fill.price,
            "fee": fill.fee, "fee_asset": fill.fee_asset, "quote_rate": fact.quote_rate,
            "is_maker": fill.is_maker, "trade_id": fill.trade_id,
            "order_id": fill.venue_order_id, "cid": fill.cid or None,
            "held": position.quantity if position is not None else None,
        })  # fmt: skip
        if position is not None:
            self._note("report_position", (fact.bot, fill.symbol), {
                "account": account, "bot": fact.bot, "symbol": fill.symbol,
                "quantity": position.quantity, "cost": position.cost, "cash": position.cash,
                "at": fill.at_ns, "seq": record.seq,
            })  # fmt: skip

    def _note_event(self, account: str, record: Record) -> None:
        fact = record.fact
        self._note("report_event", record.seq, {
            "account": account, "at": record.at_ns, "seq": record.seq,
            "kind": kind_of(fact), "level": level_of(fact).value,
            "bot": bot_of(fact, self.state) or None, "cid": order_of(fact) or None,
        })  # fmt: skip

    def _note_takeover(self, account: str, one: Takeover) -> None:
        self._note("report_takeover", one.seq, {
            "account": account, "at": one.at_ns, "seq": one.seq, "epoch": one.epoch,
            "node": one.node, "version": one.version, "before": one.before or None,
            "rested": one.rested, "fault_at": one.fault_ns or None,
            "ready_at": one.ready_ns or None, "ordered_at": one.first_order_ns or None,
        })  # fmt: skip

    def _note_mark(self, account: str, seq: int, mark: Marked) -> None:
        row = {"account": account, "at": mark.at_ns, "seq": seq}
        unit = self.state.units.last
        self._note("report_equity", seq, {**row, "equity": mark.equity, "unit": unit})
        for bot, pnl in mark.pnl.items():
            self._note("report_pnl", (seq, bot), {**row, "bot": bot, "pnl": pnl})


def _changes(fact: AnyFact) -> str:
    """The client id of the order whose row a fact changes; empty of none."""
    return "" if isinstance(fact, CancelArmed | ForeignOrder) else order_of(fact)
