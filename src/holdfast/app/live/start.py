"""Where a fold begins: at the newest snapshot, and at nothing where there is none.

Whoever folds goes on from here with the records after it (journal.tail, journal.reading), so no
start and no look costs more as a stream grows. Not here: saving snapshots (opening).
"""

from __future__ import annotations

import msgspec

from holdfast.journal.port import Head, Snapshot
from holdfast.journal.record import GENESIS
from holdfast.ledger.state import AccountState, derived_in, from_bytes


class Start(msgspec.Struct):
    """A fold, and how far it has come.

    Attributes:
        end: the last record folded in; of the stream's beginning when there is none.
        found: what bots had derived from bars by then, by name.
    """

    state: AccountState
    end: Head
    found: dict[str, msgspec.Raw]


def start_at(account: str, snapshot: Snapshot | None) -> Start:
    """The fold that `snapshot` keeps; an empty one without it, or when another version wrote it."""
    state = from_bytes(snapshot.body) if snapshot is not None else None
    if snapshot is None or state is None:
        return Start(AccountState(), Head(account, 0, 1, 0, GENESIS), {})
    end = Head(account, state.epoch, state.generation, snapshot.seq, snapshot.hash)
    return Start(state, end, derived_in(snapshot.body))
