"""The audit: what the journal tells against what the exchange really did. Pure.

Take the ledger first and read the journal afterwards: every order is in the journal before a byte
of it leaves, so what the ledger has and the journal has not is lost, whatever happens meanwhile.
Not here: fetching either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from holdfast.app.demo.evidence import Ledger, LedgerExecution, LedgerOrder, SignedRequest
from holdfast.app.demo.told import Attempt, FillKey, Told, holdings, wire
from holdfast.domain.fact import Filled
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import AttemptState, TimeInForce
from holdfast.ledger.state import AccountState

_NS_PER_MS = 1_000_000
# What places orders, and the parameter that makes such a request unique.
_PLACING = {"/api/v3/order": "newClientOrderId", "/api/v3/orderList/oco": "listClientOrderId"}


class Kind(StrEnum):
    """What can be wrong."""

    DUPLICATE = "duplicate"  # the same wish executed more than once, or after it was declared dead
    LOST = "lost"  # one side has an order or a fill that the other has not
    RESENT = "resent"  # one signed order request left twice
    DIFFERENCE = "difference"  # an amount that is not the same on both sides


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong.

    Attributes:
        what: a client order id, or the name of an amount.
    """

    kind: Kind
    what: str
    detail: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one comparison.

    Attributes:
        at_ns: exchange time of the ledger.
        orders, executions: how many of ours the ledger has.
        late: executions that are not booked yet and may still be, within the patience.
        unresolved: client order ids of attempts of which nobody knows what became.
        compared_money: whether balances could be compared: nothing was late.
        impossible: those of the findings that are true at no moment, whatever is under way; only
            if the journal was read to its end.
    """

    at_ns: int
    orders: int
    executions: int
    late: int
    unresolved: tuple[str, ...]
    compared_money: bool
    findings: tuple[Finding, ...]
    impossible: tuple[Finding, ...] = ()

    def _count(self, kind: Kind) -> int:
        return len({finding.what for finding in self.findings if finding.kind is kind})

    @property
    def duplicate_orders(self) -> int:
        """Orders that executed beyond what was asked for, ghosts among them."""
        return self._count(Kind.DUPLICATE)

    @property
    def lost_orders(self) -> int:
        """Orders that one side knows and the other does not, in whole or in part."""
        return self._count(Kind.LOST)

    @property
    def unresolved_orders(self) -> int:
        """Attempts of which nobody knows what became."""
        return len(self.unresolved)

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong; something may still be under way."""
        return not self.findings

    @property
    def is_settled(self) -> bool:
        """Nothing is wrong, nothing is under way, and the money was compared."""
        return self.is_clean and not self.unresolved and not self.late and self.compared_money


def audit(
    ledger: Ledger,
    told: Told,
    *,
    api_key: str,
    requests: Sequence[SignedRequest] = (),
    state: AccountState | None = None,
    patience_ns: int = 0,
) -> Audit:
    """Compare one account's journal with the exchange.

    Args:
        ledger: of the exchange; taken before `told` was read to its end.
        requests: what the exchange saw, to find requests that left twice.
        state: the platform's own fold of the same facts, to be checked against them.
        patience_ns: how long an execution may take to be booked while trading goes on. Zero means
            that nothing moves any more: then states of orders must agree as well.
    """
    mine = ledger.of(api_key)
    tag = told.deployment or "no order: the journal has not begun"
    ours = [order for order in mine.orders if order.client_order_id.startswith(tag)]
    fills = [fill for fill in mine.executions if fill.client_order_id.startswith(tag)]
    due_ns = ledger.at_ns - patience_ns
    late = [fill for fill in fills if fill.key not in told.fills and fill.at_ns > due_ns]
    impossible = {
        *_executed_twice(ours, fills, told),
        *_unknown_orders(ours, told),
        *_taken_otherwise(ours, told),
        *_invented(mine, told),
        *_booked_wrong(mine, told),
        *_sent_twice(requests, api_key),
        *(_folded_otherwise(state, told) if state is not None else ()),
    }
    findings = {*impossible, *_unbooked([fill for fill in fills if fill.at_ns <= due_ns], told)}
    if not patience_ns:
        findings |= {*_other_states(ours, told)}
    compare_money = told.is_opened and not late
    if compare_money:
        findings |= {*_balances(mine, told, api_key)}
    return Audit(
        at_ns=ledger.at_ns,
        orders=len(ours),
        executions=len(fills),
        late=len(late),
        unresolved=tuple(cid for cid, one in told.attempts.items() if one.is_unresolved),
        compared_money=compare_money,
        findings=tuple(sorted(findings)),
        impossible=tuple(sorted(impossible)),
    )


# -- duplicates ------------------------------------------------------------------------------------


def _executed_twice(
    orders: Sequence[LedgerOrder], fills: Sequence[LedgerExecution], told: Told
) -> Iterator[Finding]:
    executed: dict[str, Decimal] = {}
    for fill in fills:
        executed[fill.client_order_id] = executed.get(fill.client_order_id, ZERO) + fill.qty
    yield from _ghosts(executed, told)
    yield from _same_id(orders)
    by_intent: dict[str, list[Attempt]] = {}
    for cid in executed:
        attempt = told.attempts.get(cid)
        if attempt is not None:
            by_intent.setdefault(attempt.armed.intent_id, []).append(attempt)
    for intent, attempts in by_intent.items():
        attempts.sort(key=lambda attempt: attempt.armed.n)
        for attempt in attempts[:-1]:
            yield Finding(
                Kind.DUPLICATE,
                attempt.armed.cid,
                f"attempts {', '.join(str(one.armed.n) for one in attempts)} at intent {intent} "
                "executed; expected one of them",
            )
        last = attempts[-1]
        total = sum((executed[one.armed.cid] for one in attempts), ZERO)
        if total > last.armed.spec.quantity:
            yield Finding(
                Kind.DUPLICATE,
                last.armed.cid,
                f"intent {intent} executed {plain(total)} of {plain(last.armed.spec.quantity)}",
            )


def _ghosts(executed: Iterable[str], told: Told) -> Iterator[Finding]:
    for cid in told.ghosts:
        yield Finding(Kind.DUPLICATE, cid, "a ghost: executed after it was declared absent")
    for cid in executed:
        attempt = told.attempts.get(cid)
        if attempt is not None and attempt.is_declared_absent:
            yield Finding(
                Kind.DUPLICATE, cid, f"executed, and the journal says {attempt.state.value}"
            )


def _same_id(orders: Sequence[LedgerOrder]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for order in orders:
        cid = order.client_order_id
        seen[cid] = seen.get(cid, 0) + 1
        if seen[cid] > 1:
            yield Finding(Kind.DUPLICATE, cid, f"accepted {seen[cid]} times by the exchange")


def _sent_twice(requests: Sequence[SignedRequest], api_key: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for request in requests:
        if request.api_key != api_key or request.copy != 1:
            continue
        if request.method != "POST" or request.path not in _PLACING:
            continue
        cid = request.params.get(_PLACING[request.path], "")
        if cid in seen:
            yield Finding(Kind.RESENT, cid, "the same order was sent more than once")
        seen.add(cid)


# -- lost ------------------------------------------------------------------------------------------


def _unknown_orders(orders: Sequence[LedgerOrder], told: Told) -> Iterator[Finding]:
    for order in orders:
        attempt = told.attempts.get(order.client_order_id)
        if attempt is None:
            detail = f"order {order.order_id} of {order.symbol} is at the exchange without a row"
            yield Finding(Kind.LOST, order.client_order_id, detail)
        elif attempt.is_declared_absent and order.is_open:
            detail = f"open at the exchange, and the journal says {attempt.state.value}"
            yield Finding(Kind.LOST, order.client_order_id, detail)


def _unbooked(fills: Sequence[LedgerExecution], told: Told) -> Iterator[Finding]:
    for fill in fills:
        if fill.key not in told.fills:
            detail = f"trade {fill.trade_id} of {fill.symbol} happened and is not booked"
            yield Finding(Kind.LOST, fill.client_order_id, detail)


def _invented(ledger: Ledger, told: Told) -> Iterator[Finding]:
    """Fills that never happened; what is newer than the ledger proves nothing."""
    happened = {fill.key for fill in ledger.executions}
    known_before_ns = ledger.at_ns // _NS_PER_MS * _NS_PER_MS
    for key, booked in told.fills.items():
        if key not in happened and booked.fill.at_ns < known_before_ns:
            detail = f"trade {key[1]} of {key[0]} is booked and never happened"
            yield Finding(Kind.LOST, booked.fill.cid, detail)


def _other_states(orders: Sequence[LedgerOrder], told: Told) -> Iterator[Finding]:
    """Orders that are over on one side only; for a moment at which nothing moves."""
    at_exchange = {order.client_order_id: order for order in orders}
    for cid, attempt in told.attempts.items():
        if attempt.state is not AttemptState.ACKED or attempt.order_state is None:
            continue
        order = at_exchange.get(cid)
        if order is None:
            detail = f"{attempt.order_state.value} in the journal, unknown to the exchange"
            yield Finding(Kind.LOST, cid, detail)
        elif order.is_open != attempt.order_state.is_open:
            detail = f"{attempt.order_state.value} in the journal, {order.status} at the exchange"
            yield Finding(Kind.LOST, cid, detail)


# -- amounts ---------------------------------------------------------------------------------------


def _booked_wrong(ledger: Ledger, told: Told) -> Iterator[Finding]:
    """Whose a fill is: by the ledger's client order id, and the row that was armed under it."""
    for fill in ledger.executions:
        booked = told.fills.get(fill.key)
        if booked is None:
            continue
        mine = booked.fill
        attempt = told.attempts.get(fill.client_order_id)
        whose = attempt.armed.bot if attempt is not None else ""
        # Of an order without a row (people's, an emergency's, the lost time's) no id need be known.
        named = mine.cid if attempt is not None else mine.cid or fill.client_order_id
        pairs = (
            ("side", mine.side.value, fill.side),
            ("quantity", mine.quantity, fill.qty),
            ("price", mine.price, fill.price),
            ("fee", mine.fee, fill.commission),
            ("fee asset", mine.fee_asset if mine.fee else "", fill.commission_asset),
            ("order", named, fill.client_order_id),
            ("bot", booked.bot, whose),
        )
        for name, told_value, true_value in pairs:
            if told_value != true_value and not (name == "fee asset" and not fill.commission):
                what = f"{name} of trade {fill.trade_id} of {fill.symbol}"
                yield _difference(what, told_value, true_value)


def _taken_otherwise(orders: Sequence[LedgerOrder], told: Told) -> Iterator[Finding]:
    """What the exchange took is what was armed, to the last digit of each amount."""
    for order in orders:
        attempt = told.attempts.get(order.client_order_id)
        if attempt is None:
            continue
        spec = attempt.armed.spec
        lasts = spec.time_in_force or TimeInForce.GTC  # the exchange's word where there is none
        pairs = (
            ("symbol", wire(spec.symbol), order.symbol),
            ("side", spec.side.value, order.side),
            ("type", spec.type.value, order.type),
            ("quantity", spec.quantity, order.orig_qty),
            ("price", _or_none(spec.price), _or_none(order.price)),
            ("stop price", _or_none(spec.stop_price), _or_none(order.stop_price)),
            ("time in force", lasts.value, order.time_in_force),
        )
        for name, told_value, true_value in pairs:
            if told_value != true_value:
                yield _difference(f"{name} of {order.client_order_id}", told_value, true_value)


def _or_none(value: Decimal | None) -> Decimal | str:
    return "none" if value is None else value


def _balances(ledger: Ledger, told: Told, api_key: str) -> Iterator[Finding]:
    """Money that came, and the fills that the ledger knew of, give the balances: exactly."""
    known: dict[FillKey, Filled] = {
        fill.key: told.fills[fill.key] for fill in ledger.executions if fill.key in told.fills
    }
    mine = holdings(told.moved, known.values())
    theirs = {
        asset: balance.free + balance.locked for asset, balance in ledger.balances[api_key].items()
    }
    for asset in sorted({*mine, *theirs}):
        told_value, true_value = mine.get(asset, ZERO), theirs.get(asset, ZERO)
        if told_value != true_value:
            yield _difference(f"balance of {asset}", told_value, true_value)


def _folded_otherwise(state: AccountState, told: Told) -> Iterator[Finding]:
    """The platform's own fold must say what its facts say."""
    mine = holdings(told.moved, told.fills.values())
    for asset in sorted({*mine, *state.holdings}):
        folded, true_value = state.holdings.get(asset, ZERO), mine.get(asset, ZERO)
        if folded != true_value:
            yield _difference(f"folded holding of {asset}", folded, true_value)
    for (bot, symbol), held in told.positions.items():
        true_value = held.quantity
        found = state.bots[bot].positions.get(symbol) if bot in state.bots else None
        folded = found.quantity if found is not None else ZERO
        if folded != true_value:
            yield _difference(f"folded position of {bot} in {symbol}", folded, true_value)
    for cid, order in state.live.items():
        attempt = told.attempts.get(cid)
        true_state = attempt.state.value if attempt else "no such attempt"
        if order.state != true_state:
            yield _difference(f"folded state of {cid}", order.state.value, true_state)


def _difference(what: str, told_value: Decimal | str, true_value: Decimal | str) -> Finding:
    told_text, true_text = (
        plain(value) if isinstance(value, Decimal) else str(value)
        for value in (told_value, true_value)
    )
    return Finding(Kind.DIFFERENCE, what, f"told {told_text}, true {true_text}")
