"""Claims in SQL: the unique index behind each, and who loses when two want the same.

Not here: which fact claims what (journal.claims).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from holdfast.domain.fact import Armed, CancelArmed, CashFlow, CommandTaken, Decided, Filled
from holdfast.journal.claims import Claim, claim_text, claims
from holdfast.journal.port import Group, Refused
from holdfast.journal.record import Record

_Row = tuple[object, ...]
_CLAIMING: dict[type, tuple[str, Callable[[str, int, Any], _Row | None]]] = {
    Armed: (
        "INSERT INTO attempt (account, seq, cid, intent_id, n) VALUES (?, ?, ?, ?, ?)",
        lambda account, seq, fact: (account, seq, fact.cid, fact.intent_id, fact.n),
    ),
    CancelArmed: (
        "INSERT INTO attempt (account, seq, cid) VALUES (?, ?, ?)",
        lambda account, seq, fact: (account, seq, fact.cid),
    ),
    Decided: (
        "INSERT INTO decision (account, seq, bot, key) VALUES (?, ?, ?, ?)",
        lambda account, seq, fact: (account, seq, fact.bot, fact.key),
    ),
    Filled: (
        "INSERT INTO fill_key (account, seq, symbol, trade_id) VALUES (?, ?, ?, ?)",
        lambda account, seq, fact: (account, seq, fact.fill.symbol, fact.fill.trade_id),
    ),
    CashFlow: (
        "INSERT INTO cash_flow_key (account, seq, flow_id) VALUES (?, ?, ?)",
        lambda account, seq, fact: (account, seq, fact.flow_id) if fact.flow_id else None,
    ),
    CommandTaken: (
        "INSERT INTO command_taken (account, seq, command_id) VALUES (?, ?, ?)",
        lambda account, seq, fact: (account, seq, fact.command_id),
    ),
}
_TAKEN = {
    "attempt": "SELECT 1 FROM attempt WHERE account = ? AND cid = ?",
    "intent": "SELECT 1 FROM attempt WHERE account = ? AND intent_id = ? AND n = ?",
    "decision": "SELECT 1 FROM decision WHERE account = ? AND bot = ? AND key = ?",
    "fill": "SELECT 1 FROM fill_key WHERE account = ? AND symbol = ? AND trade_id = ?",
    "flow": "SELECT 1 FROM cash_flow_key WHERE account = ? AND flow_id = ?",
    "command": "SELECT 1 FROM command_taken WHERE account = ? AND command_id = ?",
}


def insert_claims(connection: sqlite3.Connection, account: str, records: Iterable[Record]) -> None:
    """Claim what `records` need.

    Raises:
        sqlite3.IntegrityError: something of it is taken.
    """
    for record in records:
        claiming = _CLAIMING.get(type(record.fact))
        if claiming is not None:
            statement, row_of = claiming
            row = row_of(account, record.seq, record.fact)
            if row is not None:
                connection.execute(statement, row)


def refused_groups(
    connection: sqlite3.Connection, account: str, groups: Sequence[Group]
) -> Mapping[int, Refused]:
    """The groups that want what is taken, in the file or by an earlier one; by position."""
    refused: dict[int, Refused] = {}
    claimed: set[Claim] = set()
    for position, group in enumerate(groups):
        own: set[Claim] = set()
        for claim in (claim for fact in group.facts for claim in claims(fact)):
            stored = connection.execute(_TAKEN[str(claim[0])], (account, *claim[1:])).fetchone()
            if stored or claim in claimed or claim in own:
                refused[position] = Refused(claim_text(claim))
                break
            own.add(claim)
        else:
            claimed |= own
    return refused
