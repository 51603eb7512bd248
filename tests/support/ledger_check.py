"""The judge: the platform's audit over a whole journal, and what no audit of a live account asks.

Pure: both sides are passed in. Not here: getting them, or waiting until doubts have run out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from holdfast.app.demo.audit import audit
from holdfast.app.demo.evidence import read_ledger, read_requests
from holdfast.app.demo.told import Told
from holdfast.journal.record import Record
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState


class Judgement(msgspec.Struct):
    """What was found.

    Attributes:
        faults: duplicates, losses, what is unresolved, amounts that differ; empty when all is well.
        orders, executions: how many of this account the exchange knows.
    """

    faults: list[str]
    orders: int
    executions: int


def folded(records: Iterable[Record]) -> AccountState:
    """The state that the records lead to, from the first one on."""
    state = AccountState()
    for record in records:
        apply(state, record.seq, record.epoch, record.at_ns, record.fact)
    return state


def judge(ledger: bytes, requests: bytes, key: str, records: list[Record]) -> Judgement:
    """Compare one account's truth with its journal, as if nothing moved any more.

    Args:
        ledger, requests: bodies of `/admin/ledger` and `/admin/requests`, asked for first.
        key: the account's API key.
        records: the whole stream, read afterwards.
    """
    state = folded(records)
    found = audit(
        read_ledger(ledger),
        Told.of(record.fact for record in records),
        api_key=key,
        requests=read_requests(requests),
        state=state,
    )
    unsettled = [
        f"attempt {cid} is {order.state}"
        for cid, order in state.live.items()
        if order.is_unresolved or (order.outstanding and not order.is_working)
    ]
    faults = [f"{each.kind}: {each.what}: {each.detail}" for each in found.findings]
    faults += [f"late: {found.late} executions"] if found.late else []
    return Judgement([*faults, *unsettled], found.orders, found.executions)
