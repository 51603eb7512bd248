"""Facts about an account's stream itself: its beginning, who writes it, and a backup put in place.

Part of the union in `domain.fact`, which is where others take them from. Not here: the fold
(ledger.fold), the chain (journal).
"""

from __future__ import annotations

from holdfast.domain.fact_base import Fact


class Opened(Fact, frozen=True, tag="opened"):
    """The stream begins.

    Attributes:
        deployment: the tag that all client order ids of this deployment carry.
        generation: rises when a backup is restored, so that ids never repeat.
    """

    account: str
    deployment: str
    generation: int
    reporting: str


class TookOver(Fact, frozen=True, tag="took_over"):
    """A writer acquired the stream; every epoch starts with one.

    Attributes:
        node: its name and process id, `node-1:4711`.
        uid: what the exchange calls the account that its key belongs to; empty when unknown.
    """

    node: str
    boot_id: str
    version: str
    uid: str = ""


class Rested(Fact, frozen=True, tag="rested"):
    """A writer laid the stream down on purpose: nothing of it is on its way that it did not book.

    Attributes:
        why: `handover`, `stop` or `deposed`.
    """

    boot_id: str
    why: str


class Restored(Fact, frozen=True, tag="restored"):
    """What follows is written on a backup: records that came after it are lost, by a person's word.

    Orders of the lost time are known from the exchange alone: they carry this deployment's tag, and
    have no row.

    Attributes:
        generation: of the client order ids from here on; none of it was ever used.
        since_ms: exchange time before which nothing is lost.
        until_ms: exchange time after which the exchange takes no request of the lost time; an order
            without a row that it took later means that records are missing again.
        lost: how many records this host knows to be missing, at least.
        by, reason: who says so, and why.
    """

    generation: int
    since_ms: int
    until_ms: int
    lost: int
    by: str
    reason: str = ""
