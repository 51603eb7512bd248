"""Events of a journal as a stream tells them: one record, one message, encoded once.

Not here: who hears them (feeds).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from holdfast.api.shapes.trading import Order
from holdfast.app.reports.telling import QUIET, Level, bot_of, kind_of, level_of, order_of, tell
from holdfast.app.view.hub import Said
from holdfast.app.view.journals import Followed
from holdfast.app.view.orders import order_of_fold
from holdfast.domain import fact as facts
from holdfast.domain.fact import AnyFact
from holdfast.journal.record import Record
from holdfast.journal.report_months import moment

EVENTS: Final = ("orders", "alerts", "cluster")

_GOOD_NEWS: Final = (
    facts.Resumed, facts.Released, facts.Maintenance, facts.BreakerMoved, facts.BotStarted,
    facts.BotStopped, facts.Draining, facts.Adjustment,
)  # fmt: skip
_LEADING: Final = (facts.TookOver, facts.Rested, facts.Reconciled)

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode


class Event(msgspec.Struct, frozen=True):
    """Something that happened.

    Attributes:
        kind: of the fact, such as `armed` or `filled`.
        level: `info`, `warning` or `error`.
        told: the same in one sentence for people.
        order: as it is by now, where the fact is about one that is still remembered.
        fill: of a fact of kind `filled`.
    """

    seq: int
    epoch: int
    at: datetime
    kind: str
    level: str
    bot: str
    cid: str
    told: str
    order: Order | None = None
    fill: dict[str, object] | None = None


def events_of(followed: Followed, records: Sequence[Record]) -> dict[str, list[Said]]:
    """What records say, by topic; the same bytes where two topics tell it."""
    said: dict[str, list[Said]] = {topic: [] for topic in EVENTS}
    for record in records:
        topics = topics_of(record.fact)
        if topics:
            event = event_of(followed, record)
            one = Said(record.seq, _encode(event), event.bot)
            for topic in topics:
                said[topic].append(one)
    return said


def topics_of(fact: AnyFact) -> tuple[str, ...]:
    """The topics that tell a fact."""
    if isinstance(fact, QUIET):
        return ()
    topics = []
    if order_of(fact) or isinstance(fact, facts.Refusal):
        topics.append("orders")
    accepted = isinstance(fact, facts.CashFlow) and fact.reason == facts.UNKNOWN
    if accepted or level_of(fact) is not Level.INFO or isinstance(fact, _GOOD_NEWS):
        topics.append("alerts")
    if isinstance(fact, _LEADING):
        topics.append("cluster")
    return tuple(topics)


def event_of(followed: Followed, record: Record) -> Event:
    """One record as an event."""
    fact, cid = record.fact, order_of(record.fact)
    order, place = followed.state.order(cid), followed.places.get(cid)
    shown = None
    if order is not None and place is not None:
        shown = order_of_fold(followed.name, order, place)
    return Event(
        seq=record.seq,
        epoch=record.epoch,
        at=moment(record.at_ns),
        kind=kind_of(fact),
        level=level_of(fact).value,
        bot=bot_of(fact, followed.state),
        cid=cid,
        told=tell(fact),
        order=shown,
        fill=msgspec.to_builtins(fact.fill) if isinstance(fact, facts.Filled) else None,
    )
