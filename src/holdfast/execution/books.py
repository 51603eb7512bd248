"""Books: every report of the venue becomes facts exactly once, whichever way it came.

Lives here: deduplication, one report of an attempt at a time, ghosts and foreign orders noticed.
Not here: asking the venue (sweep, resolve), what the facts are (evidence).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    CancelArmed,
    Filled,
    ForeignOrder,
    Ghost,
    Halted,
    HaltLevel,
    Quarantined,
    RejectClosed,
)
from holdfast.domain.fill import Fill
from holdfast.domain.money import plain
from holdfast.domain.order import ATTEMPT_MOVES, AttemptState, is_emergency
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.evidence import facts_of, facts_of_archived, is_ghost, is_stray
from holdfast.execution.recorder import Recorder
from holdfast.execution.strays import Strays
from holdfast.journal.port import Refused
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import OrderReport

REMEMBERED_FILLS = 50_000
BEHIND: Final = "journal behind exchange"
"""How the reason of a halt begins when orders of this deployment have no row."""

log = get_logger("execution.books")

_HALT = Halted(level=HaltLevel.ENTRIES, reason="ghost", by="execution")


class Books:
    """Books what the venue reports.

    Attributes:
        strays: orders of ours that no attempt stands for.

    Args:
        rate: quote units per unit of a third fee asset and where it came from; None when unknown.
        policy: about open orders that nobody here made.
        find: the order or cancel that the journal armed under an id, however long ago.

    Attributes:
        sold_without_us: set when the exchange tells of an emergency sale (execution.emergency).
    """

    def __init__(
        self,
        account: AccountState,
        recorder: Recorder,
        clock: ExchangeClock,
        rate: Callable[[str, str], tuple[Decimal, str] | None],
        policy: ReconcilePolicy,
        *,
        find: Callable[[str], Armed | CancelArmed | None],
    ) -> None:
        self._account = account
        self._recorder = recorder
        self._clock = clock
        self._rate = rate
        self._policy = policy
        self._find = find
        self.strays = Strays()
        self.sold_without_us = asyncio.Event()
        # Gone when nobody holds one or waits for it. `locked()` does not tell: between a release
        # and the turn of who waits it says no.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._booked: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._foreign: set[str] = set()
        self._late: set[str] = set()

    async def report(self, report: OrderReport, source: str, *, flush: bool = False) -> bool:
        """Book a report and the fills it carries; safe to repeat. Whether it is about our order.

        Args:
            flush: see `Recorder.try_record`.
        """
        owner = self._owner(report.cid, report)
        if owner is None:
            await self._unknown(report, source)
            return False
        if isinstance(owner, Armed):
            async with self._alone(owner.cid):
                await self._book_late(owner, report, source)
            return True
        if owner.armed.cid != report.cid:
            report = msgspec.structs.replace(report, cid=owner.armed.cid)
        async with self._alone(report.cid):
            await self._book(owner, report, source, flush=flush)
        return True

    async def fills(self, fills: Iterable[Fill], source: str) -> list[Fill]:
        """Book executions of known orders; returns those whose order the journal does not know."""
        by_id = {  # an exchange counts the orders of each symbol from one
            (order.armed.spec.symbol, order.order_id): order
            for order in (*self._account.recent.values(), *self._account.live.values())
            if order.order_id
        }
        strangers: list[Fill] = []
        for fill in fills:
            if (fill.symbol, fill.trade_id) in self._booked:
                continue
            owner = by_id.get((fill.symbol, fill.venue_order_id)) or self._owner(fill.cid)
            if owner is None:
                strangers.append(fill)
            elif isinstance(owner, Armed):
                async with self._alone(owner.cid):
                    await self._record_late(owner, (self._filled(owner, fill),), source)
            else:
                async with self._alone(owner.armed.cid):
                    await self._record(owner, [], (self._filled(owner.armed, fill),), source)
        return strangers

    async def put_away(self, order: LiveOrder) -> None:
        """The exchange lists the order as open no more, and says that it has archived it."""
        async with self._alone(order.armed.cid):
            proven = facts_of_archived(order, self._clock.surely_ms())
            await self._journal(proven, ())

    async def move(self, moved: AttemptMoved) -> bool:
        """Record what a reply says of an attempt, unless better evidence came first."""
        async with self._alone(moved.cid):
            order = self._account.order(moved.cid)
            if order is None or moved.state not in ATTEMPT_MOVES[order.state]:
                return False
            await self._recorder.record(moved)
            return True

    async def close_reject(self, closed: RejectClosed) -> bool:
        """Record that a rejection is final, unless it turned out to be none."""
        async with self._alone(closed.cid):
            order = self._account.live.get(closed.cid)
            if order is None or order.state is not AttemptState.REJECTED or order.closed:
                return False
            await self._recorder.record(closed)
            return True

    def is_behind(self, cid: str, placed_ns: int) -> bool:
        """Whether an order of this id at the exchange proves that rows of the journal are lost.

        Args:
            placed_ns: exchange time at which it took the order; 0 when it does not say.
        """
        return self._has_no_row(cid) and not self._may_be_lost(placed_ns)

    def is_lost(self, cid: str, placed_ns: int) -> bool:
        """Whether it is of the time that a backup lacks, which a person has said was restored."""
        return self._has_no_row(cid) and self._may_be_lost(placed_ns)

    def _has_no_row(self, cid: str) -> bool:
        ours = cid.startswith(self._account.deployment) and not is_emergency(cid)
        return ours and self._owner(cid) is None

    def _may_be_lost(self, placed_ns: int) -> bool:
        return self._account.lost is not None and self._account.lost.has(placed_ns)

    def is_emergency(self, cid: str) -> bool:
        """Whether somebody of this deployment sold under this id without the journal."""
        return cid.startswith(self._account.deployment) and is_emergency(cid)

    async def foreign_fill(self, fill: Fill, evidence: str) -> bool:
        """Book an execution of an order that no bot of ours made: holdings only. Whether it was
        news."""
        outcome = await self._recorder.record(Filled(fill=fill))
        self._remember(fill)
        if isinstance(outcome, Refused):
            return False
        log.warning(
            "a fill of nobody we know is booked",
            action="foreign_fill",
            trade_id=fill.trade_id,
            evidence=evidence,
        )
        return True

    # -- inside ----------------------------------------------------------------------------------

    def _owner(self, cid: str, report: OrderReport | None = None) -> LiveOrder | Armed | None:
        """The attempt that the exchange means by `cid`; only armed when it was forgotten since.

        Some answers about a cancelled order name it by the id of its cancel, and so every order of
        a list that was cancelled.
        """
        order = self._account.order(cid)
        if order is not None or not cid or not cid.startswith(self._account.deployment):
            return order
        found = self._find(cid)
        if not isinstance(found, CancelArmed):
            return found
        named = self._find(found.target)
        if not isinstance(named, Armed):
            return None
        if named.list_cid and report is not None:
            return self._of_list(named, report)
        return self._account.order(named.cid) or named

    def _of_list(self, named: Armed, report: OrderReport) -> LiveOrder | Armed:
        """Which order of the list that `named` is of a report is about; each has its own price."""
        known = (*self._account.live.values(), *self._account.recent.values())
        parts = [order for order in known if order.armed.list_cid == named.list_cid]
        for order in parts:
            if order.order_id and order.order_id == report.order_id:
                return order
        alike = (order for order in parts if order.armed.spec.price == report.price)
        return next(alike, named)

    async def _book(
        self, order: LiveOrder, report: OrderReport, source: str, *, flush: bool
    ) -> None:
        fresh = tuple(
            self._filled(order.armed, fill)
            for fill in report.fills
            if (fill.symbol, fill.trade_id) not in self._booked
        )
        if is_stray(order, report):
            self.strays.note(order.armed, report)
        server_ms = self._clock.earliest_ms()
        proven = facts_of(order, report, (), source, server_ms)
        await self._record(order, proven, fresh, source, flush=flush)

    async def _record(
        self,
        order: LiveOrder,
        proven: list[AnyFact],
        filled: tuple[Filled, ...],
        source: str,
        *,
        flush: bool = False,
    ) -> None:
        """Journal together; what another report booked in the meantime is left out and the rest
        tried again."""
        if filled and not proven and is_ghost(order):
            proven = [Ghost(cid=order.armed.cid, evidence=f"{source}: a trade")]
        if any(isinstance(fact, Ghost) for fact in proven):
            proven = [*proven, _HALT]
        await self._journal(proven, filled, flush=flush)

    async def _book_late(self, armed: Armed, report: OrderReport, source: str) -> None:
        """A report about an attempt that closed longer ago than the fold remembers.

        Old news may come again; what must not be is a trade that is new, or an order that is open.
        """
        fresh = tuple(
            self._filled(armed, fill)
            for fill in report.fills
            if (fill.symbol, fill.trade_id) not in self._booked
        )
        if fresh or report.state.is_open or self.strays.has_met(report):
            self.strays.note(armed, report)
        if fresh or report.state.is_open:
            seen = f"{source}: {report.state}"
            await self._record_late(armed, fresh, seen, is_open=report.state.is_open)

    async def _record_late(
        self, armed: Armed, filled: tuple[Filled, ...], source: str, *, is_open: bool = False
    ) -> None:
        proven: list[AnyFact] = []
        if armed.cid not in self._late:
            evidence = f"{source}, though the attempt closed long ago"
            proven = [Ghost(cid=armed.cid, evidence=evidence), _HALT]
        if await self._journal(proven, filled, only_with_fills=not is_open):
            self._late.add(armed.cid)

    async def _journal(
        self,
        proven: list[AnyFact],
        filled: tuple[Filled, ...],
        *,
        only_with_fills: bool = False,
        flush: bool = False,
    ) -> bool:
        """Journal together, without fills that are in the journal already; whether any of it was.

        Args:
            only_with_fills: what is `proven` rests on a fill being news.
        """
        written = False
        left = list(filled)
        while left or (proven and not only_with_fills):
            outcome = await self._recorder.record(*proven, *left, flush=flush)
            if not isinstance(outcome, Refused):
                written = True
                _tell_ghosts(proven)
                break
            _, symbol, trade_id = outcome.claim.split(" ", 2)
            before = len(left)
            left = [f for f in left if (f.fill.symbol, f.fill.trade_id) != (symbol, trade_id)]
            if len(left) == before:
                raise RuntimeError(f"refused for {outcome.claim}, which the group does not claim")
        for fact in filled:
            self._remember(fact.fill)
        return written

    def _filled(self, armed: Armed, fill: Fill) -> Filled:
        base, quote = fill.symbol.split("/")
        rate = None
        if fill.fee and fill.fee_asset not in {base, quote}:
            rate = self._rate(fill.fee_asset, quote)
        return Filled(
            fill=_named(fill, armed.cid),
            bot=armed.bot,
            quote_rate=rate[0] if rate else None,
            rate_source=rate[1] if rate else "",
        )

    def _remember(self, fill: Fill) -> None:
        if (fill.symbol, fill.trade_id) in self._booked:
            return
        self._booked[fill.symbol, fill.trade_id] = None
        self.strays.booked(fill)
        if len(self._booked) > REMEMBERED_FILLS:
            self._booked.popitem(last=False)

    async def _unknown(self, report: OrderReport, source: str) -> None:
        """An order without a row: ours means that the journal is behind the exchange."""
        if self.is_emergency(report.cid):
            self.sold_without_us.set()
            return
        if report.cid in self._foreign or not report.state.is_open:
            return
        self._foreign.add(report.cid)
        ours = self.is_behind(report.cid, report.placed_ns)
        policy = ReconcilePolicy.HALT if ours else self._policy
        lost = self.is_lost(report.cid, report.placed_ns)
        whose = "of the lost time" if lost else "that nobody here made"
        what = f"{report.symbol} {report.side} {plain(report.quantity)} {report.state}"
        noted: list[AnyFact] = [
            ForeignOrder(
                symbol=report.symbol,
                cid=report.cid,
                order_id=report.order_id,
                ours=ours,
                policy=policy.value,
                evidence=f"{source}: {what}",
            )
        ]
        if policy is ReconcilePolicy.HALT and not ours:
            reason = f"order {report.cid} {whose}: {what}"
            noted.append(Halted(level=HaltLevel.ENTRIES, reason=reason, by="execution"))
        elif policy is ReconcilePolicy.QUARANTINE:
            reason = f"order {report.cid} {whose}: {what}"
            noted.append(Quarantined(what=report.symbol, by="execution", evidence=reason))
        log.error(
            "an order without a row is at the exchange",
            action="foreign_order",
            cid=report.cid,
            ours=ours,
            source=source,
        )
        if ours:
            await self.halt_behind(f"order {report.cid} has no row", "execution", *noted)
        else:
            await self._recorder.record(*noted)

    async def halt_behind(self, what: str, by: str, *noted: AnyFact) -> str:
        """Write facts of an order of this deployment without a row, and halt, once for all of them:
        another installation that trades with rows that are lost here leaves many. The reason."""
        reason = f"{BEHIND}: {what}"
        halt = Halted(level=HaltLevel.ENTRIES, reason=reason, by=by)
        halts = () if self._account.halted.startswith(BEHIND) else (halt,)
        await self._recorder.record(*noted, *halts)
        if not self._account.halted:  # somebody lifted it while these were on their way
            await self._recorder.record(halt)
        return reason

    @asynccontextmanager
    async def _alone(self, cid: str) -> AsyncIterator[None]:
        """One report of an attempt at a time: two ways must not both prove its first move.

        Who is cancelled while its facts are on their way keeps others out until the fold has them.
        """
        lock = self._lock(cid)
        await lock.acquire()
        try:
            yield
        except asyncio.CancelledError:
            self._recorder.when_folded(lock.release)
            raise
        except BaseException:
            lock.release()
            raise
        else:
            lock.release()

    def _lock(self, cid: str) -> asyncio.Lock:
        lock = self._locks.get(cid)
        if lock is None:
            lock = self._locks[cid] = asyncio.Lock()
        return lock


def _tell_ghosts(facts: Iterable[AnyFact]) -> None:
    for fact in facts:
        if isinstance(fact, Ghost):
            log.error(
                "an order executed that must not have",
                action="ghost",
                cid=fact.cid,
                evidence=fact.evidence,
            )


def _named(fill: Fill, cid: str) -> Fill:
    if fill.cid == cid:
        return fill
    return Fill(
        symbol=fill.symbol,
        side=fill.side,
        trade_id=fill.trade_id,
        venue_order_id=fill.venue_order_id,
        cid=cid,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        at_ns=fill.at_ns,
        is_maker=fill.is_maker,
    )
