"""Reconciling: orders, fills and balances compared with the exchange, at the start and later on.

Lives here: the start-up pass over the union of symbols, money that moves without a fill, and the
policy for balances. The exchange is right about the present, the journal about the past; a
difference is booked with its evidence or halts. Not here: orders and trades of nobody (strangers),
settling doubts (resolve).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    AnyFact,
    AttemptMoved,
    CashFlow,
    Halted,
    HaltLevel,
    Quarantined,
    Reconciled,
    Released,
)
from holdfast.domain.fill import Fill
from holdfast.domain.market import NS_PER_MS
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import AttemptState
from holdfast.errors import RejectedError, RetryableError
from holdfast.execution.books import Books
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.desk import budget
from holdfast.execution.drift import (
    LATE_S,
    Difference,
    Flows,
    Lately,
    Review,
    assets_of,
    certain,
    differences,
    lasting,
    narrowed,
)
from holdfast.execution.evidence import is_behind
from holdfast.execution.recorder import Recorder
from holdfast.execution.strangers import TELLING, Strangers
from holdfast.execution.sweep import Sweep, side_by_side
from holdfast.journal.port import Refused
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import Balance, MoneyMoved, Purpose, Venue

log = get_logger("execution.reconcile")

REVIEW_S = 1.0
REVIEW_LOOKS = 10
START_AGAIN_S = 0.5
LOOK_BACK_MS = 600_000  # for trades of nobody: whose a forgotten one was costs a question


class Reconciler:
    """Compares one account with its exchange.

    Args:
        symbols: of the configured bots; those of live orders are added.
        rate: reporting units per unit of an asset; None when unknown.
        equity: of the account, reporting units; None while it cannot be told.

    Attributes:
        asks_again: whether the last comparison in passing came to nothing, left assets out that may
            yet move, or showed what the next one has to show as well.
    """

    def __init__(
        self,
        *,
        account: AccountState,
        venue: Venue,
        books: Books,
        sweep: Sweep,
        recorder: Recorder,
        clock: ExchangeClock,
        symbols: tuple[str, ...],
        policy: ReconcilePolicy,
        rate: Callable[[str], Decimal | None],
        equity: Callable[[], Decimal | None],
    ) -> None:
        self._account = account
        self._venue = venue
        self._books = books
        self._sweep = sweep
        self._recorder = recorder
        self._clock = clock
        self._symbols = symbols
        self._policy = policy
        self._rate = rate
        self._equity = equity
        self._strangers = Strangers(
            account=account,
            venue=venue,
            books=books,
            sweep=sweep,
            recorder=recorder,
            clock=clock,
            policy=policy,
        )
        self.asks_again = True
        self._suspected: dict[str, Difference] = {}  # by asset, as it was seen first
        self._lately = Lately()
        self._agreed_ms = 0  # exchange time at which all balances agreed last
        self._flowing = asyncio.Lock()  # a flow is on its way into the journal

    async def doubt_what_was_armed(self, boot_id: str) -> int:
        """Everything armed before this process began is in doubt: nobody heard the answer.

        Returns how many there were.
        """
        armed = [
            order.armed.cid
            for order in self._account.live.values()
            if order.state is AttemptState.ARMED and order.armed.boot_id != boot_id
        ]
        for cid in armed:
            await self._books.move(
                AttemptMoved(
                    cid=cid, state=AttemptState.IN_DOUBT, evidence="armed by an earlier process"
                )
            )
        return len(armed)

    # -- at the start ------------------------------------------------------------------------------

    async def at_start(self, *, hurried: bool = False) -> bool:
        """Compare everything; trading may begin when it returns. Whether nothing was unexplained.

        Balances that differ are looked at again for `LATE_S` before they count.

        Args:
            hurried: ask for open orders and trades alone. Who goes on a moment after the last
                leader need not wait for the rest: what became of orders that are not open any more
                is asked by the sweep, and balances are compared in passing, both soon.

        Raises:
            RetryableError, RejectedError: the exchange did not answer; call again.
            CorruptionError: the exchange has orders of ours that the journal does not know.
        """
        findings: list[str] = []
        facts: list[AnyFact] = []
        lost = self._account.lost
        hurried = hurried and (lost is None or lost.trades is None)
        live = {order.armed.spec.symbol for order in self._account.live.values()}
        symbols = sorted({*self._symbols, *live})
        asked = [
            question
            for symbol in symbols
            for question in (
                self._strangers.orders(symbol, hurried=hurried), self._strangers.trades(symbol)
            )
        ]
        for found in await side_by_side(asked):
            findings += found
        findings += await self._strangers.make_up()
        if hurried:
            self._sweep.hurry()
        else:
            findings += await self._balances(facts)
        if self._policy is ReconcilePolicy.HALT and findings and not self._account.halted:
            facts.append(Halted(level=HaltLevel.ENTRIES, reason=findings[0], by="reconcile"))
        async with self._flowing:
            await self._recorder.record(
                *facts, Reconciled(agreed=not findings, findings=tuple(findings))
            )
        for finding in findings:
            log.warning(finding, action="reconcile_finding")
        return not findings

    async def _balances(self, facts: list[AnyFact]) -> list[str]:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + LATE_S
        while True:
            await budget(self._venue, Purpose.RESOLVE)
            asked_ms = self._clock.earliest_ms()
            balances = await self._venue.balances(Purpose.RESOLVE)
            if not self._account.holdings and not self._account.counters.attempts:
                facts += [self._opening(balance) for balance in balances.values()]
                return []
            unsettled = self._assets(lambda order: order.is_unresolved or bool(order.outstanding))
            found = differences(
                self._account.holdings, balances, self._tolerance, unsettled, asked_ms * NS_PER_MS
            )
            if not found or loop.time() >= until_s:
                break
            # Balances may be told as they were before the last trades, of which the process before
            # this one, or the look at trades a moment ago, has booked some.
            await asyncio.sleep(START_AGAIN_S)
        facts += self._agree_again(found, unsettled)
        if not found and not unsettled:
            self._agreed_ms = asked_ms
        flows = self._flows()
        return [text for each in found if (text := self._drift(each, facts, flows))]

    def _flows(self) -> Flows:
        return Flows(self._account.reporting, self._rate, self._equity())

    def _assets(self, of: Callable[[LiveOrder], bool]) -> frozenset[str]:
        """What the live orders that `of` picks may move: both assets of each, and those of fees."""
        live = self._account.live.values()
        moved = assets_of(order.armed.spec.symbol for order in live if of(order))
        return moved | self._fee_assets() if moved else moved

    def _fee_assets(self) -> frozenset[str]:
        """Held assets beside those that are traded, and those that took fees of other symbols."""
        instruments = self._account.instruments
        beside = self._account.holdings.keys() - assets_of((*self._symbols, *instruments))
        paid = (
            asset
            for bot in self._account.bots.values()
            for symbol, position in bot.positions.items()
            for asset in position.fees
            if asset not in symbol.split("/")
        )
        return frozenset(beside).union(paid)

    def _opening(self, balance: Balance) -> CashFlow:
        return CashFlow(
            asset=balance.asset,
            amount=balance.free + balance.locked,
            reason="opening",
            evidence="balances when the journal began",
            at_ns=self._clock.earliest_ms() * 1_000_000,
            flow_id=f"opening {balance.asset}",
            rate=self._rate(balance.asset),
        )

    # -- while it runs -----------------------------------------------------------------------------

    async def moved(self, money: MoneyMoved) -> bool:
        """Book a deposit, withdrawal or transfer, once however often it is told.

        One that is told after its balance was accepted is booked with that already.
        """
        async with self._flowing:
            if money.at_ns <= self._account.as_of_ns.get(money.asset, -1):
                return False
            outcome = await self._recorder.record(
                CashFlow(
                    asset=money.asset,
                    amount=money.amount,
                    reason="deposit" if money.amount > ZERO else "withdrawal",
                    evidence="user stream",
                    at_ns=money.at_ns,
                    flow_id=f"{money.asset} {plain(money.amount)} {money.at_ns}",
                    rate=self._rate(money.asset),
                    equity=self._equity(),
                )
            )
        return not isinstance(outcome, Refused)

    def booked(self, fill: Fill) -> None:
        """A fill is in the journal; balances may still be told as they were before it."""
        self._lately.note(fill, self._account.holdings, asyncio.get_running_loop().time())

    async def sold_without_us(self) -> None:
        """Wait for news of an emergency sale, halt, and book what was sold.

        Raises:
            RetryableError, RejectedError: the exchange did not answer; call again.
        """
        await self._books.sold_without_us.wait()
        self._books.sold_without_us.clear()
        try:
            if not self._account.halted:
                reason = "an emergency sale without the journal"
                await self._recorder.record(
                    Halted(level=HaltLevel.ENTRIES, reason=reason, by="emergency")
                )
            for symbol in self._symbols:
                await self._strangers.trades(symbol)
        except (RetryableError, RejectedError):
            self._books.sold_without_us.set()
            raise

    async def in_passing(self) -> list[str]:
        """Compare the balances at a quiet moment; returns what fell to the policy.

        A report may be on its way at any one moment, so a difference counts when the next
        comparison shows the same again.

        Raises:
            RetryableError, RejectedError: the exchange did not answer; call again later.
        """
        self.asks_again = True
        compared = await self.compared()
        if compared is None:
            return []
        found, unsettled = compared
        suspected = narrowed(found, self._suspected)
        twice, self._suspected = lasting(suspected, self._suspected), suspected
        if twice and await self._explain(twice):
            return []  # the next comparison shows what is left
        lasts = certain(twice, if_long=self._policy is not ReconcilePolicy.ADOPT)
        self.asks_again = bool(unsettled) or len(lasts) < len(found)
        if not found and self._account.unsettled():
            again = self._agree_again(found, unsettled)
            await self._recorder.record(*again, Reconciled(agreed=True))
            return []
        facts: list[AnyFact] = [*self._agree_again(found, unsettled)]
        flows = self._flows()
        findings = tuple(text for each in lasts if (text := self._drift(each, facts, flows)))
        if self._policy is ReconcilePolicy.HALT and findings:
            if self._account.halted:
                return list(findings)  # said already
            facts.append(Halted(level=HaltLevel.ENTRIES, reason=findings[0], by="reconcile"))
        if facts:
            agreed = not found or self._policy is ReconcilePolicy.ADOPT
            async with self._flowing:
                await self._recorder.record(*facts, Reconciled(agreed=agreed, findings=findings))
        for each in lasts if facts else ():
            log.warning("a balance differs", action="position_mismatch", found=str(each))
        return list(findings)

    def _drift(self, found: Difference, facts: list[AnyFact], flows: Flows) -> str:
        """What the policy does about a balance that is off; the finding when it halts."""
        if self._policy is ReconcilePolicy.ADOPT:
            facts.append(flows.of(found, f"{found}; by reconcile policy adopt"))
        if self._policy is ReconcilePolicy.QUARANTINE:
            if found.asset in self._account.quarantine:
                return ""  # said already
            facts.append(Quarantined(what=found.asset, by="reconcile", evidence=str(found)))
        return str(found) if self._policy in TELLING else ""

    def _agree_again(
        self, found: Iterable[Difference], unsettled: frozenset[str]
    ) -> list[Released]:
        """The end of quarantine for assets whose balance is what it should be."""
        differ = {each.asset for each in found} | unsettled
        return [
            Released(what=what, by="reconcile", evidence="its balance agrees again")
            for what in self._account.quarantine
            if "/" not in what and what not in differ
        ]

    async def compared(self) -> tuple[list[Difference], frozenset[str]] | None:
        """Balances that differ now, and the assets that may yet move; None if something happened.

        Nothing is booked.

        Raises:
            RetryableError, RejectedError: the exchange did not answer.
        """
        unsettled = self._assets(lambda order: order.is_unresolved or is_behind(order))
        seq, asked_ms = self._account.seq, self._clock.earliest_ms()
        balances = await self._venue.balances(Purpose.RESOLVE)
        if self._account.seq != seq or self._flowing.locked():
            return None
        found = differences(
            self._account.holdings, balances, self._tolerance, unsettled, asked_ms * NS_PER_MS
        )
        now_s = asyncio.get_running_loop().time()
        found = [
            msgspec.structs.replace(each, gaps=self._lately.gaps(each, now_s)) for each in found
        ]
        unsettled |= {each.asset for each in found if each.may_agree(self._tolerance)}
        found = [each for each in found if each.asset not in unsettled]
        if not found and not unsettled:
            self._agreed_ms = asked_ms
        return found, unsettled

    async def _explain(self, found: Iterable[Difference]) -> bool:
        """Look for trades that nobody told of; whether any was booked."""
        seq = self._account.seq
        assets = {each.asset for each in found}
        for symbol in self._symbols:
            if not assets.isdisjoint(symbol.split("/")):
                await self._strangers.trades(symbol, self._unexplained_ms())
        return self._account.seq != seq or self._flowing.locked()

    def _unexplained_ms(self) -> int:
        """From when on something may have happened that explains a difference."""
        return max(self._agreed_ms, self._clock.earliest_ms() - LOOK_BACK_MS)

    async def review(self, adjust: Review) -> None:
        """An operator's comparison: orders, trades and balances now, and what he accepts is booked.

        It is in the journal as a whole, with the command that asked for it, when this returns.

        Raises:
            RetryableError, RejectedError: the exchange did not answer, what was accepted may yet
                be moved by an order, or no two looks showed the same; nothing was written of it.
        """
        findings: list[str] = []
        strange: set[str] = set()
        looked_at = dict(self._account.quarantine)  # not what comes while this looks
        for symbol in self._symbols:
            seen = await self._strangers.orders(symbol)
            seen += await self._strangers.trades(symbol, self._unexplained_ms())
            strange |= {symbol} if seen else set()
            findings += seen
        found, unsettled = await self._seen_alike()
        if untold := sorted(adjust.assets & unsettled):
            raise RetryableError(
                f"seen: orders under way that may move {', '.join(untold)}; expected: none while "
                "its balance is compared; do: wait, or halt entries where it is never quiet"
            )
        facts = adjust.facts(found, self._account, self._flows())
        left = [each for each in found if each.asset not in adjust.assets]
        findings += [str(each) for each in left]
        differ = {each.asset for each in left} | unsettled
        async with self._flowing:
            agree = (
                what for what in self._account.quarantine
                if what not in strange and differ.isdisjoint(what.split("/"))
                and not self._recorder.is_quarantining(what)
            )
            facts += adjust.releases(agree, looked_at, self._account.quarantine)
            told = Reconciled(agreed=not findings, findings=tuple(findings))
            await self._recorder.record(*facts, told)

    async def _seen_alike(self) -> tuple[list[Difference], frozenset[str]]:
        """What two looks in a row showed to differ, and what one of them could not compare.

        A report may be on its way at any one moment, so one look proves neither that something
        differs nor that all agrees.
        """
        before: dict[str, Difference] | None = None
        left_out: frozenset[str] = frozenset()
        for _ in range(REVIEW_LOOKS):
            if (look := await self.compared()) is not None:
                found, unsettled = look
                now = narrowed(found, before or {})
                if before is not None and now.keys() == before.keys():
                    lasts = certain(lasting(now, before))
                    if len(lasts) == len(now):
                        return lasts, left_out | unsettled
                before, left_out = now, unsettled
            await asyncio.sleep(REVIEW_S)
        raise RetryableError(
            f"seen: balances of which no two of {REVIEW_LOOKS} looks in a row showed the same; "
            "expected: two that do; do: wait, or halt entries where it is never quiet"
        )

    def _tolerance(self, asset: str) -> Decimal:
        """One step of the finest instrument that has the asset as its base; else exact."""
        steps = [i.quantity_step for i in self._account.instruments.values() if i.base == asset]
        return min(steps, default=ZERO)
