"""Strangers: orders and trades at the exchange that no attempt in this journal stands for.

Lives here: what becomes of those of nobody, of emergency sales, and of the lost time before a
backup was restored. Not here: balances (reconcile), strays of our own attempts (strays).
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import Filled, Halted, HaltLevel, Quarantined, Reconciled
from holdfast.domain.market import NS_PER_MS
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import Side
from holdfast.errors import CorruptionError
from holdfast.execution.books import BEHIND, Books
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.desk import budget
from holdfast.execution.drift import LATE_S, liquidations, taken_off
from holdfast.execution.recorder import Recorder
from holdfast.execution.sweep import Stranger, Sweep
from holdfast.journal.port import Refused
from holdfast.ledger.state import AccountState
from holdfast.venues.port import Purpose, Venue

NAME_AGAIN_S: Final = 0.5
TELLING: Final = frozenset({ReconcilePolicy.HALT, ReconcilePolicy.QUARANTINE})
"""Policies under which what nobody here did is said."""


class Strangers:
    """Finds them in one account, symbol by symbol; what is found is returned in words."""

    def __init__(
        self,
        *,
        account: AccountState,
        venue: Venue,
        books: Books,
        sweep: Sweep,
        recorder: Recorder,
        clock: ExchangeClock,
        policy: ReconcilePolicy,
    ) -> None:
        self._account = account
        self._venue = venue
        self._books = books
        self._sweep = sweep
        self._recorder = recorder
        self._clock = clock
        self._policy = policy

    async def orders(self, symbol: str, *, hurried: bool = False) -> list[str]:
        """Open orders at the exchange: ours are brought up to date, others fall to the policy.

        Raises:
            RetryableError, RejectedError: the exchange did not answer.
            CorruptionError: one is of ours, and the journal does not know it.
        """
        findings = []
        for report in await self._sweep.symbol(symbol, only_open=hurried):
            if self._books.is_behind(report.cid, report.placed_ns):
                await self._refuse(symbol, report.cid)
            what = f"{symbol} {report.side} {plain(report.quantity)} {report.state}"
            if self._books.is_lost(report.cid, report.placed_ns):
                findings.append(f"open order {report.cid} of the lost time: {what}")
            elif self._policy in TELLING:
                findings.append(f"order {report.cid} that is not ours: {what}")
        return findings

    async def trades(self, symbol: str, since_ms: int = 0) -> list[str]:
        """Executions since the last one booked, or `since_ms`; those of nobody fall to the policy.

        One of nobody may lie among our own, before the last. Raises: as `orders`.
        """
        last = self._account.last_trade.get(symbol, "")
        known = (*self._account.live.values(), *self._account.recent.values())
        began = [o.armed.timestamp_ms for o in known if o.armed.spec.symbol == symbol]
        await budget(self._venue, Purpose.RESOLVE)
        if since_ms:
            strangers = await self._sweep.trades(symbol, since_ms=since_ms)
        elif last.isdigit():
            strangers = await self._sweep.trades(symbol, from_trade_id=str(int(last) + 1))
        elif began:
            strangers = await self._sweep.trades(symbol, since_ms=min(began) - 1000)
        elif self._account.lost is not None:
            strangers = await self._sweep.trades(symbol, since_ms=self._account.lost.since_ms)
        else:
            await self._require_none_of_ours(symbol)
            return []  # no attempt was ever made: the balances are the truth to start from
        findings = []
        until_s = asyncio.get_running_loop().time() + LATE_S
        for each in strangers:
            stranger = await self._named(each, until_s)
            if stranger is None:
                continue
            if self._books.is_behind(stranger.cid, stranger.placed_ns):
                await self._refuse(symbol, stranger.cid)
            elif self._books.is_lost(stranger.cid, stranger.placed_ns):
                findings += await self._lost(stranger)
            elif self._books.is_emergency(stranger.cid):
                findings += await self._liquidated(stranger)
            elif not self._may_be_in_doubt(stranger):
                findings += await self._strange(stranger)
        return findings

    async def _require_none_of_ours(self, symbol: str) -> None:
        """A journal without any attempt is new, or it is not the one that this deployment had.

        Its first orders would carry the ids of those that it does not know.
        """
        if self._account.counters.attempts:
            return
        for report in await self._venue.all_orders(symbol, Purpose.RESOLVE):
            if self._books.is_behind(report.cid, report.placed_ns):
                await self._refuse(symbol, report.cid)

    async def make_up(self) -> list[str]:
        """Take off the bots' positions what the lost time sold of them, once all of it is booked.

        Safe to repeat: what is left to be taken off is in the fold.
        """
        lost = self._account.lost
        findings = []
        for symbol, trades in sorted((lost.trades or {}).items()) if lost is not None else ():
            if trades.net > ZERO:
                findings.append(f"{plain(trades.net)} {symbol} bought in the lost time: no bot's")
            elif trades.net < ZERO:
                what = f"{plain(-trades.net)} {symbol} sold in the lost time"
                facts = taken_off(symbol, -trades.net, trades.sold_at, self._account, what)
                if facts:
                    await self._recorder.record(*facts)
                findings.append(f"{what}: off {', '.join(f.bot for f in facts) or 'no bot'}")
        return findings

    async def _lost(self, stranger: Stranger) -> list[str]:
        """A trade of the lost time: booked, whatever the policy, so that balances agree."""
        lost, fill = self._account.lost, msgspec.structs.replace(stranger.fill, cid=stranger.cid)
        what = f"trade {fill.trade_id} of {fill.symbol}: {fill.side}, of the lost time"
        is_late = lost is not None and lost.trades is None  # `make_up` is over
        off = liquidations(fill, self._account, what) if is_late and fill.side is Side.SELL else []
        outcome = await self._recorder.record(Filled(fill=fill), *off)
        return [] if isinstance(outcome, Refused) else [what]

    async def _liquidated(self, stranger: Stranger) -> list[str]:
        """A sale that was made without this journal: booked, off the positions, and halted."""
        fill = stranger.fill
        what = f"emergency sale {stranger.cid}: trade {fill.trade_id} of {fill.symbol}"
        halt = Halted(level=HaltLevel.ENTRIES, reason=what, by="emergency")
        outcome = await self._recorder.record(
            Filled(fill=fill), *liquidations(fill, self._account, what), halt
        )
        return [] if isinstance(outcome, Refused) else [what]

    async def _strange(self, stranger: Stranger) -> list[str]:
        fill = stranger.fill
        what = f"trade {fill.trade_id} of order {fill.venue_order_id}: {fill.side} {fill.symbol}"
        adopts = self._policy in {ReconcilePolicy.ADOPT, ReconcilePolicy.QUARANTINE}
        if adopts and not await self._books.foreign_fill(fill, what):
            return []
        if self._policy is ReconcilePolicy.QUARANTINE:
            await self._recorder.record(
                Quarantined(what=fill.symbol, by="reconcile", evidence=what)
            )
        return [what] if self._policy in TELLING else []

    async def _named(self, stranger: Stranger, until_s: float) -> Stranger | None:
        """The same once the exchange names its order, which a trade may be listed before.

        It may be one of ours that was declared absent: that is a ghost, and no trade of nobody's.
        None when it is booked after all.

        Args:
            until_s: the loop's time at which nobody waits for a name any more.
        """
        loop = asyncio.get_running_loop()
        late_ms = stranger.fill.at_ns // NS_PER_MS + int(LATE_S * 1000)
        found: Stranger | None = stranger
        while found is not None and not found.cid and not self._may_be_in_doubt(found):
            if self._clock.earliest_ms() > late_ms or loop.time() >= until_s:
                break
            await asyncio.sleep(NAME_AGAIN_S)
            await budget(self._venue, Purpose.RESOLVE)
            found = await self._sweep.whose(stranger.fill)
        return found

    def _may_be_in_doubt(self, stranger: Stranger) -> bool:
        """Whether a doubt may own it; that is settled first, and the balances show the rest."""
        symbol = stranger.fill.symbol
        return not stranger.cid and any(o.is_unresolved for o in self._account.orders(symbol))

    async def _refuse(self, symbol: str, cid: str) -> None:
        """Rows are lost: what this journal would decide next may carry ids that were used already.

        Raises:
            CorruptionError: always; the journal keeps a halt for whoever opens it next.
        """
        what = f"order {cid} of {symbol} has no row"
        disagreed = Reconciled(agreed=False, findings=(f"{BEHIND}: {what}",))
        reason = await self._books.halt_behind(what, "reconcile", disagreed)
        raise CorruptionError(
            f"seen: {reason}; expected: a journal that knows every order of this deployment; do: "
            "find the newer journal (DATABASE_URL, --database); where it is lost for good, "
            "`holdfast db restored`, or another `deployment` (docs/on-call/disaster.md)"
        )
