"""Emergency: everything of ours is taken back and sold while no journal can be written.

What is free can be sold once only, so a sale that is sent again in doubt sells no more than there
is. This host's file is the record until it is merged. Not here: the journal's own flatten (engine),
the merge of what executed (reconcile).
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from holdfast.domain.fact import AnyFact, EmergencyMerged, Halted, HaltLevel
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import (
    IdKind,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
    is_emergency,
)
from holdfast.errors import CorruptionError, RejectedError, RetryableError
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.patience import stand_by
from holdfast.files import sync_folder
from holdfast.venues.port import (
    Answer,
    Balance,
    Cancellation,
    OrderReport,
    Placement,
    Purpose,
    Venue,
)

ROUNDS: Final = 5
PASSES: Final = 3  # in their order one does; the others are for what showed late, and for rings
SHOWN_S: Final = 2.0  # after which balances show an execution (docs/order-safety.md, A4)
CANCEL_ROUNDS: Final = 20
LOOK_BACK_MS: Final = 3_600_000
WAIT_S: Final = 0.25
NS_PER_MS: Final = 1_000_000


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the file.

    Attributes:
        what: `cancel` or `sell`, written before it is sent; `told`, what became of it; `merged`.
        cid: of the request; of what it cancels, `target`.
        by, why: who did it, and the reason that was given.
    """

    what: str
    cid: str = ""
    target: str = ""
    symbol: str = ""
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    timestamp_ms: int = 0
    window_ms: int = 0
    by: str = ""
    why: str = ""
    evidence: str = ""


class EmergencyFile:
    """What this host did without the journal: synced before each request leaves."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        """All of them; a last one that was cut off says nothing: what it was for was never sent.

        Raises:
            CorruptionError: another one cannot be read.
        """
        if not self.path.exists():
            return []
        rows = self.path.read_bytes().split(b"\n")
        try:
            return [msgspec.json.decode(row, type=Line) for row in rows[:-1]]
        except msgspec.DecodeError as error:
            raise CorruptionError(
                f"seen: {self.path} cannot be read ({error}); expected: JSON lines; do: keep it, "
                "and look at the exchange's orders whose id begins with the deployment's tag and e"
            ) from error

    def append(self, line: Line) -> None:
        """Write a line; durable when this returns. What was cut off before it is cut away."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("ab") as file:
            kept = self.path.read_bytes().rpartition(b"\n")
            file.truncate(len(kept[0]) + len(kept[1]))
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.path.parent)

    def unmerged(self) -> list[Line]:
        """What came after the last merge."""
        lines = self.lines()
        last = max((i for i, line in enumerate(lines) if line.what == "merged"), default=-1)
        return lines[last + 1 :]

    def merge_facts(self) -> tuple[AnyFact, ...]:
        """What the journal is to be told of it; nothing when there is nothing."""
        lines = [line for line in self.unmerged() if line.what in {"cancel", "sell"}]
        if not lines:
            return ()
        by, why = lines[0].by, lines[0].why
        cids = tuple(line.cid for line in lines)
        reason = f"emergency flatten by {by}, without the journal" + (f": {why}" if why else "")
        return (
            EmergencyMerged(by=by, cids=cids),
            Halted(level=HaltLevel.ENTRIES, reason=reason, by="emergency"),
        )


def in_order_of_sale(instruments: Iterable[Instrument]) -> tuple[Instrument, ...]:
    """What brings another's base in goes before that one; of the same base, what brings in none.

    A ring of them begins anywhere.
    """
    waiting: dict[str, list[Instrument]] = {}
    for each in instruments:
        waiting.setdefault(each.base, []).append(each)
    bases = frozenset(waiting)
    ordered: list[Instrument] = []
    while waiting:
        brought = {each.quote for group in waiting.values() for each in group}
        base = next((asset for asset in waiting if asset not in brought), next(iter(waiting)))
        ordered += sorted(waiting.pop(base), key=lambda each: each.quote in bases)
    return tuple(ordered)


class Emergency:
    """Takes back and sells what an account has in some symbols.

    Args:
        tag: of this deployment's client order ids.
        by, why: who does it, and the reason that was given.
        price: tells the market's last price of a symbol.
        cap_pct: how far below it a sale may go.
        tell: told what is waited for, for people.
    """

    def __init__(
        self,
        *,
        account: str,
        tag: str,
        by: str,
        why: str = "",
        venue: Venue,
        clock: ExchangeClock,
        file: EmergencyFile,
        price: Callable[[str], Awaitable[Decimal]],
        cap_pct: Decimal,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._account = account
        self._tag = tag
        self._by, self._why = by, why
        self._venue = venue
        self._clock = clock
        self._file = file
        self._price = price
        self._cap = 1 - cap_pct / 100
        self._tell = tell
        self._intent = uuid.uuid4().hex
        self._n = 0

    async def flatten(self, instruments: Iterable[Instrument]) -> dict[str, Decimal]:
        """Sell what is free of each base asset, also where sales of others bring it in.

        What is left of it that could be sold, by symbol.

        Raises:
            RejectedError: another host does the same, or orders cannot be taken back.
            CorruptionError: this host's file cannot be read; nothing was sent.
            RetryableError: the exchange does not answer, or wants nothing for long; call again, it
                goes on where it was.
        """
        every = in_order_of_sale(instruments)
        self._file.lines()  # what cannot be read is to be kept as it is
        await self._room(Purpose.RESOLVE)
        self._clock.take(await self._venue.time())
        for instrument in every:
            await self._take_back(instrument.symbol)
        for instrument in every:
            await self._refuse_another(instrument.symbol)
        return await self._sell_all(every)

    async def _refuse_another(self, symbol: str) -> None:
        """A sale of this kind that is not in this host's file is somebody else's emergency.

        What a cancel has ended is no sale: it may be shown under the cancel's id, and two hosts
        that both took orders back would each keep the other from selling.
        """
        known = {line.cid for line in self._file.lines()}
        for report in await self._last_hour(symbol):
            cid = report.cid
            if report.state is OrderState.CANCELLED or cid in known:
                continue
            if cid.startswith(self._tag) and is_emergency(cid):
                raise RejectedError(
                    "emergency",
                    f"seen: emergency order {cid} of {symbol} that is not in {self._file.path}, "
                    "with our orders taken back and nothing sold from here; expected: one host "
                    "that sells; do: go on at the host that began",
                )

    async def _last_hour(self, symbol: str) -> list[OrderReport]:
        """Orders that were placed in the last hour, whoever did.

        The newest are asked for first, they alone reach back that far in most accounts; then what
        was before them, from page to page, until a page ends among those that are known.
        """
        since_ms = self._clock.earliest_ms() - LOOK_BACK_MS
        await self._room(Purpose.RESOLVE)
        page = await self._venue.all_orders(symbol, Purpose.RESOLVE)
        found = {report.order_id: report for report in page}
        if page and page[0].placed_ns >= since_ms * NS_PER_MS:
            await self._room(Purpose.RESOLVE)
            page = await self._venue.all_orders(symbol, Purpose.RESOLVE, since_ms=since_ms)
            while page and page[-1].order_id not in found:
                found |= {report.order_id: report for report in page}
                last = page[-1].order_id
                await self._room(Purpose.RESOLVE)
                page = await self._venue.all_orders(symbol, Purpose.RESOLVE, from_order_id=last)
            found |= {report.order_id: report for report in page}
        return [report for report in found.values() if report.placed_ns >= since_ms * NS_PER_MS]

    async def _take_back(self, symbol: str) -> None:
        """Cancel our open orders until the exchange shows none."""
        for _ in range(CANCEL_ROUNDS):
            await self._room(Purpose.RESOLVE)
            opened = await self._venue.open_orders(symbol, Purpose.RESOLVE)
            ours = [report for report in opened if report.cid.startswith(self._tag)]
            if not ours:
                return
            for report in ours:
                await self._room(Purpose.CANCEL)
                cid, at_ms, window_ms = self._id(), *await self._deadline()
                self._file.append(
                    Line(
                        what="cancel", cid=cid, target=report.cid, symbol=symbol,
                        timestamp_ms=at_ms, window_ms=window_ms, by=self._by, why=self._why,
                    )
                )  # fmt: skip
                await self._venue.cancel(
                    Cancellation(cid, report.cid, symbol, at_ms, window_ms, report.order_id)
                )
            await asyncio.sleep(WAIT_S)
        raise RejectedError(
            "emergency",
            f"seen: orders of ours on {symbol} that are still open after {CANCEL_ROUNDS} tries; "
            "expected: none, they lock what would be sold; do: cancel them at the exchange",
        )

    async def _sell_all(self, every: Iterable[Instrument]) -> dict[str, Decimal]:
        """Sell each, and again what has more to sell than its own sales had left."""
        left: dict[str, Decimal] = {}
        due = tuple(every)
        for _ in range(PASSES):
            for each in due:
                left[each.symbol] = await self._sell(each)
            if self._n:
                await asyncio.sleep(SHOWN_S)
            held = await self._held()
            found = {each.symbol: (await self._offer(each, held))[0] for each in every}
            due = tuple(each for each in every if found[each.symbol] > left[each.symbol])
            left = found
            if not due:
                break
        return left

    async def _sell(self, instrument: Instrument) -> Decimal:
        """Sell what is free, at once or not at all within the cap; what is left over."""
        most = instrument.floor_quantity(instrument.max_quantity)
        for _ in range(ROUNDS):
            free, price = await self._offer(instrument, await self._held())
            if not free:
                return ZERO
            await self._send(instrument.symbol, min(free, most), price)
        return (await self._offer(instrument, await self._held()))[0]

    async def _held(self) -> Mapping[str, Balance]:
        await self._room(Purpose.RESOLVE)
        return await self._venue.balances(Purpose.RESOLVE)

    async def _offer(
        self, instrument: Instrument, held: Mapping[str, Balance]
    ) -> tuple[Decimal, Decimal]:
        """What is free of its base, and the least price for it; zero when it is worth no order."""
        balance = held.get(instrument.base)
        free = instrument.floor_quantity(balance.free) if balance is not None else ZERO
        if not free:
            return ZERO, ZERO
        await self._room(Purpose.RESOLVE)
        least = await self._price(instrument.symbol) * self._cap
        is_worth_it = free >= instrument.smallest_order(least)
        return free if is_worth_it else ZERO, instrument.ceil_price(least)

    async def _send(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """One sale: written down, sent once, and over before this returns."""
        spec = OrderSpec(
            symbol=symbol,
            side=Side.SELL,
            type=OrderType.LIMIT,
            quantity=quantity,
            price=price,
            time_in_force=TimeInForce.IOC,
        )
        await self._room(Purpose.REDUCE)
        cid, at_ms, window_ms = self._id(), *await self._deadline()
        self._file.append(
            Line(
                what="sell", cid=cid, symbol=symbol, quantity=quantity, price=price,
                timestamp_ms=at_ms, window_ms=window_ms, by=self._by, why=self._why,
            )
        )  # fmt: skip
        placement = Placement(cid, spec, at_ms, window_ms, Purpose.REDUCE)
        verdict = await self._venue.place(placement, lambda: None)
        self._file.append(
            Line(what="told", cid=cid, evidence=f"{verdict.answer} {verdict.evidence}"[:400])
        )
        while verdict.answer is not Answer.ACKED:
            # No copy of it is taken after this, so that the balance says what became of it.
            if self._clock.surely_ms() > at_ms + window_ms:
                return
            await asyncio.sleep(WAIT_S)
            await self._look_at_the_clock()

    async def _look_at_the_clock(self) -> None:
        try:
            self._clock.take(await self._venue.time())
        except (RetryableError, RejectedError):
            return  # the sample in use tells it, a little less closely

    async def _room(self, purpose: Purpose) -> None:
        """Return when the rate budget has room for `purpose`; whoever waits is told."""
        await stand_by(lambda: self._venue.delay_s(purpose), self._tell)

    async def _deadline(self) -> tuple[int, int]:
        if not self._clock.is_usable:  # waits make it old, and what it is behind by is lost
            await self._look_at_the_clock()
        return self._clock.earliest_ms(), self._clock.window_ms()

    def _id(self) -> str:
        self._n += 1
        return client_order_id(
            tag=self._tag,
            account=self._account,
            generation=0,
            intent_id=self._intent,
            n=self._n,
            kind=IdKind.EMERGENCY,
        )
