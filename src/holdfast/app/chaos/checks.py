"""The comparisons of a chaos run with the exchange's ledger while it goes on, and what they found.

Lives here: how often, and which rounds each of them covers. Not here: comparing (demo.audit), the
last one, with nothing under way (run).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from holdfast.app.chaos.accounts import Account
from holdfast.app.chaos.result import Checked
from holdfast.app.demo.audit import Finding, Kind
from holdfast.app.demo.checker import PATIENCE_NS

# Of the time. The exchange tells only what is new, but all that was told is compared again.
SHARE: Final = 0.05
SHARE_OF_ROUNDS: Final = 0.2  # between two strikes nothing is measured


class Checks:
    """Of all accounts, one after another.

    Args:
        early: client order ids of which a byte was seen and, after that, no row was there.
        say: told of each finding, as a sentence.
        now_s: a clock that never goes back.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        early: Callable[[], int],
        say: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._early = early
        self._say = say
        self._now_s = now_s
        self._due_s = 0.0
        self._first = 1  # of the rounds that no check covers

    async def now_and_then(self) -> None:
        """Compare while nothing is struck, as often as that costs little."""
        if self._now_s() >= self._due_s:
            await self._compare(SHARE)

    async def after(self, number: int) -> Checked | None:
        """Compare after this round, the first being 1; None where that was put off.

        It is while the ones before cost too much, and where a journal could not be read to its end:
        then nothing follows from what seems to be missing.
        """
        if self._now_s() < self._due_s:
            return None
        await self._compare(SHARE_OF_ROUNDS)
        if not all(account.replica.is_whole for account in self._accounts):
            return None
        return self.so_far(number)

    def so_far(self, number: int) -> Checked:
        """What the newest comparison says, and whatever those before found that is never true."""
        found: set[tuple[str, Finding]] = set()
        unresolved = 0
        for account in self._accounts:
            last = account.checker.last
            if last is not None:
                found |= {(account.name, one) for one in (*last.findings, *account.checker.wrong)}
                unresolved += last.unresolved_orders
        first, self._first = self._first, number + 1
        return Checked(
            first=min(first, number),
            last=number,
            duplicate_orders=_count(found, Kind.DUPLICATE),
            lost_orders=_count(found, Kind.LOST),
            unresolved_orders=unresolved,
            findings=len(found) + self._early(),
        )

    async def _compare(self, share: float) -> None:
        began_s = self._now_s()
        found = [await account.checker.check(PATIENCE_NS) for account in self._accounts]
        self._due_s = began_s + (self._now_s() - began_s) / share
        for finding in (finding for one in found for finding in one.findings):
            self._say(f"{finding.kind.value}: {finding.what}: {finding.detail}")


def _count(found: set[tuple[str, Finding]], kind: Kind) -> int:
    return len({(account, one.what) for account, one in found if one.kind is kind})
