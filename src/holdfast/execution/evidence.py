"""Evidence: which facts a venue's report proves, given what the journal knows already.

Lives here: pure functions. Reports may come twice, late, out of order and by three ways (reply,
query, stream); whatever the order, the same facts result. Not here: recording them (books).
"""

from __future__ import annotations

from holdfast.domain.fact import AnyFact, AttemptMoved, Filled, Ghost, OrderMoved
from holdfast.domain.money import ZERO
from holdfast.domain.order import ORDER_MOVES, AttemptState, OrderState
from holdfast.ledger.state import LiveOrder
from holdfast.venues.port import OrderReport

# The exchange gives up on its own engine after 10 s; 2 s more for a query to see the result.
HORIZON_MS = 12_000
_DECLARED_DEAD = frozenset({AttemptState.NEVER_EXECUTED, AttemptState.NOT_SENT})


def facts_of(
    order: LiveOrder, report: OrderReport, filled: tuple[Filled, ...], source: str, server_ms: int
) -> list[AnyFact]:
    """What `report` proves about `order` beyond what is known; empty when it is old news.

    Args:
        filled: executions of the report that are not in the journal yet.
        source: where the report came from, for people.
        server_ms: lower bound of the exchange's time when it was learnt.
    """
    proven: list[AnyFact] = []
    if is_ghost(order):
        proven.append(
            Ghost(
                cid=report.cid,
                evidence=f"{source}: {report.state}, executed {report.executed}, though the journal"
                f" says {order.state}",
            )
        )
    if is_second(order, report):
        # One request, doubled on its way: ids are unique among *open* orders only.
        if not order.is_ghost:
            evidence = f"{source}: order {report.order_id} has the id of order {order.order_id}"
            proven.append(Ghost(cid=report.cid, evidence=evidence))
    elif order.state is AttemptState.ACKED:
        if _is_news(order, report):
            proven.append(
                OrderMoved(
                    cid=report.cid,
                    state=report.state,
                    executed=report.executed,
                    reason=report.reason,
                )
            )
    elif order.state is not AttemptState.NOT_SENT:
        proven.append(
            AttemptMoved(
                cid=report.cid,
                state=AttemptState.ACKED,
                order_id=report.order_id,
                order_state=report.state,
                executed=report.executed,
                evidence=source,
                server_ms=server_ms,
            )
        )
    return [*proven, *filled]


def facts_of_archived(order: LiveOrder, server_ms: int) -> list[AnyFact]:
    """What it proves of an acknowledged order that is not open that the venue has put it away.

    It ended without an execution, then; nobody says any more whether it was cancelled or expired.
    Nothing is proven before the horizon: Binance has said so of orders that were new.
    """
    deadline_ms = order.armed.timestamp_ms + order.armed.window_ms
    if not order.is_working or order.executed or server_ms <= deadline_ms + HORIZON_MS:
        return []
    return [
        OrderMoved(
            cid=order.armed.cid,
            state=OrderState.EXPIRED,
            executed=ZERO,
            reason="ended without an execution and archived",
        )
    ]


def is_ghost(order: LiveOrder) -> bool:
    """Whether positive evidence about this attempt contradicts what was declared, and is new."""
    if order.is_ghost:
        return False
    return order.state in _DECLARED_DEAD or (order.state is AttemptState.REJECTED and order.closed)


def is_second(order: LiveOrder, report: OrderReport) -> bool:
    """Whether the venue made a second order of the one request that was sent."""
    return bool(order.order_id and report.order_id) and report.order_id != order.order_id


def is_stray(order: LiveOrder, report: OrderReport) -> bool:
    """Whether the report is of an order that the attempt does not stand for and never will."""
    return order.state is AttemptState.NOT_SENT or is_second(order, report)


def _is_news(order: LiveOrder, report: OrderReport) -> bool:
    known = order.order_state
    if known is None or known is report.state:
        return report.executed > order.executed
    return report.state in ORDER_MOVES[known] and report.executed >= order.executed


def is_behind(order: LiveOrder) -> bool:
    """Whether fills are missing that the venue says have happened."""
    return order.executed > order.booked
