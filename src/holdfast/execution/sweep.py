"""The sweep: what the user stream may have missed is asked for, so that polling alone converges.

Lives here: which symbols have open questions, and the round that answers them. Not here: doubts
(resolve), what nobody here knows (reconcile).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from holdfast.domain.event import Committed
from holdfast.domain.fact import AttemptMoved, OrderMoved
from holdfast.domain.fill import Fill
from holdfast.domain.order import AttemptState
from holdfast.errors import RejectedError, RetryableError
from holdfast.execution.books import Books
from holdfast.execution.desk import ask, budget
from holdfast.execution.evidence import is_behind, is_second
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import ArchivedError, OrderReport, Purpose, Venue

log = get_logger("execution.sweep")

T = TypeVar("T")

PAGE = 1000
CALM_S = 5.0
"""Between rounds while the user stream delivers, and nothing is known to be missing."""
WANTING_S = 1.0
"""Otherwise; a bot whose order has executed waits for the trades, which exchanges list later."""


async def side_by_side(questions: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All answers, in the order of the questions: it takes as long as one of them, not as all.

    The first that fails ends the others, and is raised.
    """
    # No TaskGroup: before Python 3.13 one that fails may leave its own cancel behind, and whoever
    # asks again later would take the next timeout for a cancel.
    tasks = [asyncio.create_task(question) for question in questions]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Stranger(msgspec.Struct, frozen=True):
    """An execution of an order that the journal does not know.

    Attributes:
        cid: the order's client order id, empty when the exchange could not name it.
        placed_ns: exchange time at which it took the order, 0 when it does not say.
    """

    fill: Fill
    cid: str = ""
    placed_ns: int = 0


class Sweep:
    """Polls one account's open questions; ends only when cancelled.

    Args:
        stream_is_up: whether the user stream delivers; without it the rounds are closer.
    """

    def __init__(
        self,
        account: AccountState,
        venue: Venue,
        books: Books,
        stream_is_up: Callable[[], bool],
    ) -> None:
        self._account = account
        self._venue = venue
        self._books = books
        self._stream_is_up = stream_is_up
        self._hurry = asyncio.Event()
        self._foreign: dict[tuple[str, str], OrderReport] = {}
        self._moved: set[str] = set()  # by the group that is being told

    def hurry(self) -> None:
        """Go round soon: the stream came back, or something may have been missed."""
        self._hurry.set()

    def committed(self, event: Committed) -> None:
        """Go round soon when a durable group leaves an order without all of its fills.

        A report's fills come behind what it says of the order, in the same group.
        """
        if isinstance(event.fact, AttemptMoved | OrderMoved):
            self._moved.add(event.fact.cid)
        if event.more or not self._moved:
            return
        orders = [order for cid in self._moved if (order := self._account.order(cid)) is not None]
        self._moved.clear()
        if any(map(is_behind, orders)):
            self.hurry()

    async def run(self) -> None:
        """Go round until cancelled."""
        again_s = WANTING_S
        while True:
            wait_s = CALM_S if self._stream_is_up() else WANTING_S
            if any(map(is_behind, self._open_questions())):
                # Less and less often: a trade that is never listed may not use the limits up.
                wait_s = min(wait_s, again_s)
                again_s = 2 * again_s
            else:
                again_s = WANTING_S
            # Not wait_for: until Python 3.12 it swallows a cancel that comes together with news.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hurry.wait()
            self._hurry.clear()
            await self.round()

    async def round(self) -> None:
        """Ask once about every symbol with an open question; unanswered ones wait for the next."""
        symbols = {order.armed.spec.symbol for order in self._open_questions()}
        await side_by_side(self._try(symbol) for symbol in sorted(symbols))

    async def _try(self, symbol: str) -> None:
        try:
            await self.symbol(symbol)
        except (RetryableError, RejectedError) as error:
            log.info("no answer", action="sweep_wait", symbol=symbol, why=str(error))

    async def symbol(self, symbol: str, *, only_open: bool = False) -> list[OrderReport]:
        """Bring every acknowledged order on `symbol` up to date; returns open ones without a row.

        Args:
            only_open: leave those that are not open any more to the next round; until then they
                count as open.

        Raises:
            RetryableError, RejectedError: a question was not answered.
        """
        working = [o for o in self._open_questions() if o.armed.spec.symbol == symbol]
        await budget(self._venue, Purpose.RESOLVE)
        seen = await self._venue.open_orders(symbol, Purpose.RESOLVE)
        strangers = [
            report for report in seen if not await self._books.report(report, "open orders")
        ]
        if only_open:
            return strangers
        still_open = {report.order_id for report in seen}
        for order in working:
            if order.is_working and order.order_id not in still_open:
                # Not in open orders is not cancelled: it may have filled. The query says which.
                await self._follow(order)
        behind = [o.armed.timestamp_ms for o in working if is_behind(o)]
        if behind:
            await self.trades(symbol, since_ms=min(behind) - 1000)
        return strangers

    async def _follow(self, order: LiveOrder) -> None:
        symbol, cid = order.armed.spec.symbol, order.armed.cid
        try:
            report = await ask(self._venue, symbol, cid)
            if report is not None and is_second(order, report):
                await self._books.report(report, "query by id")
                report = await ask(self._venue, symbol, cid, order.order_id)
        except ArchivedError:
            await self._books.put_away(order)
            return
        if report is not None:
            await self._books.report(report, "query by id")

    async def trades(
        self, symbol: str, *, since_ms: int = 0, from_trade_id: str = ""
    ) -> list[Stranger]:
        """Book all executions from there on; returns those of orders the journal does not know.

        The trade list does not name client order ids: whose an unknown one is, is asked for, and
        an attempt in doubt may turn out to be its owner.

        Raises:
            RetryableError, RejectedError: a page was not answered; what came before is booked.
        """
        unknown: list[Fill] = []
        page = await self._venue.fills(
            symbol, Purpose.RESOLVE, from_trade_id=from_trade_id, since_ms=since_ms
        )
        while page:
            unknown += await self._books.fills(page, "trades")
            if len(page) < PAGE:
                break
            await budget(self._venue, Purpose.RESOLVE)
            last = int(page[-1].trade_id) + 1
            page = await self._venue.fills(symbol, Purpose.RESOLVE, from_trade_id=str(last))
        return [stranger for fill in unknown if (stranger := await self.whose(fill)) is not None]

    async def whose(self, fill: Fill) -> Stranger | None:
        """Whose an execution is that nothing here names; None when it is booked after all.

        Raises:
            RetryableError, RejectedError: the question was not answered.
        """
        key = (fill.symbol, fill.venue_order_id)
        foreign = self._foreign.get(key)
        if foreign is None:
            foreign = await self._by_id(*key)
            if foreign is None:
                return Stranger(fill)
            if await self._books.report(foreign, "order of a trade"):
                owned = msgspec.structs.replace(fill, cid=foreign.cid)
                return Stranger(fill) if await self._books.fills([owned], "trades") else None
            self._foreign[key] = foreign
        return Stranger(fill, foreign.cid, foreign.placed_ns)

    async def _by_id(self, symbol: str, order_id: str) -> OrderReport | None:
        try:
            return await self._venue.order_by_id(symbol, order_id, Purpose.RESOLVE)
        except ArchivedError:
            return None  # said of an order that has executed: it is no answer

    def _open_questions(self) -> list[LiveOrder]:
        return [o for o in self._account.live.values() if o.state is AttemptState.ACKED]
