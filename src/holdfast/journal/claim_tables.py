"""Claims in SQL: the unique index behind each, and who loses when two want the same.

Not here: which fact claims what (journal.claims), inserting (the stores).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from holdfast.domain.fact import Armed, CancelArmed, CashFlow, CommandTaken, Decided, Filled
from holdfast.journal.claims import Claim, claim_text, claims, intent_key
from holdfast.journal.port import Group, Refused
from holdfast.journal.reading import Rows

Row = tuple[object, ...]


class Claiming(msgspec.Struct, frozen=True):
    """The row that a kind of fact claims.

    Attributes:
        key: columns that make it unique within an account.
        rest: further columns, beside `seq`.
        row_of: `(account, seq, *key, *rest)` of a fact at `seq`; None when it claims nothing.
    """

    table: str
    key: tuple[str, ...]
    row_of: Callable[[str, int, Any], Row | None]
    rest: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """In the order of `row_of`."""
        return ("account", "seq", *self.key, *self.rest)


CLAIMING: dict[type, Claiming] = {
    Armed: Claiming(
        "attempt",
        ("cid",),
        lambda account, seq, fact: (account, seq, fact.cid, intent_key(fact), fact.n),
        rest=("intent_id", "n"),
    ),
    CancelArmed: Claiming(
        "attempt",
        ("cid",),
        lambda account, seq, fact: (account, seq, fact.cid, None, None),
        rest=("intent_id", "n"),
    ),
    Decided: Claiming(
        "decision",
        ("bot", "key"),
        lambda account, seq, fact: (account, seq, fact.bot, fact.key),
    ),
    Filled: Claiming(
        "fill_key",
        ("symbol", "trade_id"),
        lambda account, seq, fact: (account, seq, fact.fill.symbol, fact.fill.trade_id),
    ),
    CashFlow: Claiming(
        "cash_flow_key",
        ("flow_id",),
        lambda account, seq, fact: (account, seq, fact.flow_id) if fact.flow_id else None,
    ),
    CommandTaken: Claiming(
        "command_taken",
        ("command_id",),
        lambda account, seq, fact: (account, seq, fact.command_id),
    ),
}
TABLES: Final = {claiming.table: claiming for claiming in CLAIMING.values()}
_TAKEN = {
    "attempt": "SELECT 1 FROM attempt WHERE account = ? AND cid = ?",
    "intent": "SELECT 1 FROM attempt WHERE account = ? AND intent_id = ? AND n = ?",
    "decision": "SELECT 1 FROM decision WHERE account = ? AND bot = ? AND key = ?",
    "fill": "SELECT 1 FROM fill_key WHERE account = ? AND symbol = ? AND trade_id = ?",
    "flow": "SELECT 1 FROM cash_flow_key WHERE account = ? AND flow_id = ?",
    "command": "SELECT 1 FROM command_taken WHERE account = ? AND command_id = ?",
}


def refused_groups(
    rows: Rows, account: str, groups: Sequence[Group]
) -> Mapping[int, Refused]:
    """The groups that want what is taken, in the database or by an earlier one; by position."""
    refused: dict[int, Refused] = {}
    claimed: set[Claim] = set()
    for position, group in enumerate(groups):
        own: set[Claim] = set()
        for claim in (claim for fact in group.facts for claim in claims(fact)):
            stored = rows.execute(_TAKEN[str(claim[0])], (account, *claim[1:])).fetchone()
            if stored or claim in claimed or claim in own:
                refused[position] = Refused(claim_text(claim))
                break
            own.add(claim)
        else:
            claimed |= own
    return refused
