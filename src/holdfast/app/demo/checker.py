"""The check against the exchange's ledger, again and again while the demo trades.

Lives here: in which order the two sides are read, and how often. Not here: comparing (audit).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from holdfast.app.demo.admin import Admin
from holdfast.app.demo.audit import Audit, Finding, audit
from holdfast.app.demo.evidence import Ledger, SignedRequest
from holdfast.app.demo.replica import Replica

SHORTEST_WAIT_S = 1.0
POLL_S = 0.1  # at the end, when everybody waits for it
# A ledger grows with every order; checking it may take this share of the time, not more.
SHARE_OF_TIME = 0.05
# While trading goes on: an execution that a lost reply hides is found by the sweep within seconds.
PATIENCE_NS = 10_000_000_000


class Checker:
    """Checks one account.

    Attributes:
        last: the newest result, None before the first.
        wrong: everything that was found and is true at no moment, also when it was gone later.
        checked_ns: wall time of the newest result.
    """

    def __init__(self, admin: Admin, replica: Replica, api_key: str) -> None:
        self._admin = admin
        self._replica = replica
        self._api_key = api_key
        self.last: Audit | None = None
        self.wrong: dict[Finding, None] = {}
        self.checked_ns = 0

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            began_s = time.monotonic()
            await self.check(PATIENCE_NS)
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(SHORTEST_WAIT_S, took_s / SHARE_OF_TIME))

    async def check(self, patience_ns: int) -> Audit:
        """Compare once: the ledger first, then everything that the journal has by then."""
        return self._compare(await self._admin.ledger(), patience_ns)

    async def check_all(self) -> Audit:
        """Compare once with nothing under way, and look for requests that left twice as well.

        Nothing that was told before is relied on: the exchange tells its whole ledger anew.
        """
        requests = await self._admin.requests()
        return self._compare(await self._admin.ledger(anew=True), 0, requests)

    def _compare(
        self, ledger: Ledger, patience_ns: int, requests: tuple[SignedRequest, ...] = ()
    ) -> Audit:
        self._replica.poll()
        self.last = audit(
            ledger,
            self._replica.told,
            api_key=self._api_key,
            requests=requests,
            state=self._replica.state,
            patience_ns=patience_ns,
        )
        if self._replica.is_whole:
            self.wrong |= dict.fromkeys(self.last.impossible)
        self.checked_ns = time.time_ns()
        return self.last

    async def settle(self, is_still: Callable[[], bool], is_over: Callable[[], bool]) -> Audit:
        """Check until two looks in a row find nothing under way, the second one at all there is.

        The result tells of all that was ever `wrong` as well.

        Args:
            is_still: whether nothing new is begun any more.
            is_over: whether to return the next result, whatever it says.
        """
        while True:
            seen = await self.check(0)
            must_end = is_over()
            if (seen.is_settled and is_still()) or must_end:
                last = await self.check_all()
                # A halt takes orders back: that may have begun between the two looks.
                if last.is_settled or must_end:
                    findings = tuple(sorted({*last.findings, *self.wrong}))
                    self.last = msgspec.structs.replace(last, findings=findings)
                    return self.last
            await asyncio.sleep(POLL_S)
