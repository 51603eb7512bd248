"""One Binance Spot account behind the venue port: sign, send once, digest.

Lives here: `BinanceVenue`, the native adapter. Not here: the wire (line), the bytes asked
(request, signing), the bytes answered (decode, verdict, listing), the user stream (stream).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial

import aiohttp
import msgspec

from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import OrderState
from holdfast.errors import PlatformError, RejectedError, RetryableError
from holdfast.telemetry.log import get_logger
from holdfast.venues.binance import decode, gate
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.endpoints import Endpoints, Patience
from holdfast.venues.binance.feed import Watch, jittered_pause_s
from holdfast.venues.binance.gate import Gate
from holdfast.venues.binance.line import Line, UnansweredError
from holdfast.venues.binance.listing import listing
from holdfast.venues.binance.query import ask
from holdfast.venues.binance.request import (
    cancellation_query,
    list_path,
    list_query,
    listing_path,
    page_params,
    placement_query,
    venue_symbol,
)
from holdfast.venues.binance.signing import Key, query_text
from holdfast.venues.binance.stream import UserStream
from holdfast.venues.binance.verdict import (
    KEY_REFUSED,
    digest_cancel,
    digest_list,
    digest_placement,
    held_back,
)
from holdfast.venues.binance.wire import Reply
from holdfast.venues.budget import Cost, Flight
from holdfast.venues.port import (
    Answer,
    Balance,
    Cancellation,
    ListPlacement,
    ListReport,
    OrderReport,
    Placement,
    Purpose,
    TimeSample,
    VenueEvent,
    Verdict,
)

_log = get_logger(__name__)

_ORDER = "/api/v3/order"
_LIST = "/api/v3/orderList"
_ORDER_BYTES = 1_000_000
_INVISIBLE = frozenset({-2013, -2018})  # no such order (yet), no such order list (yet)
_NO_SUCH_SYMBOL = frozenset({-1100, -1121})  # not even in the form of one; not listed
_CLOCK_AGE_S = 30.0


class BinanceVenue:
    """The account that `key` belongs to. See `venues.port.Venue` for what each verb promises.

    Attributes:
        gate: the address's rate limits, to be shared with whatever else asks from this address.
        key: that requests are signed with now.
        on_key_refused: told each time that the exchange does not take the key; must not block.
    """

    def __init__(
        self,
        key: Key,
        endpoints: Endpoints | None = None,
        *,
        patience: Patience | None = None,
        share: float = 1.0,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        watch: Watch | None = None,
        pause_s: Callable[[int], float] = jittered_pause_s,
    ) -> None:
        """Open nothing yet.

        Args:
            share: this node's part of the address's rate limits, over 0 and up to 1.
            connector: makes connectors of WebSockets; a simulation passes its own, and runs on a
                loop whose `create_connection` leads where it wants requests to go.
            mono_ns, wall_ns: clocks; the wall clock is used until the exchange's is known.
            watch: when the user stream counts as dead.
            pause_s: before the n-th attempt in a row to open the user stream.
        """
        self.key = key
        self._endpoints = endpoints or Endpoints()
        self._patience = patience or Patience()
        self._connector = connector
        self._watch = watch
        self._pause_s = pause_s
        self._clock = ServerClock(mono_ns, wall_ns)
        self.gate = Gate(self._clock, share=share)
        self._orders = self._line()
        self._queries = self._line()
        self._names: dict[str, str] = {}
        self._streams: list[UserStream] = []
        self.on_key_refused: Callable[[], None] = lambda: None

    def use(self, key: Key) -> None:
        """Sign with another key of the same account, from the next request on.

        Nothing is sent again: what the former key was refused for is an answer like any other, and
        what is under way is asked for by its client order id, which belongs to the account.
        """
        self._orders.use(key.api_key)
        self._queries.use(key.api_key)
        for stream in self._streams:
            stream.use(key)
        self.key = key

    def with_key(self, key: Key) -> BinanceVenue:
        """Another key's account over lines of its own, within the same limits; to be closed."""
        patience, connector = self._patience, self._connector
        other = BinanceVenue(key, self._endpoints, patience=patience, connector=connector)
        other.gate, other._clock = self.gate, self._clock
        return other

    def _heard(self, verdict: Verdict) -> Verdict:
        if verdict.answer is Answer.REJECTED and verdict.code in KEY_REFUSED:
            self.on_key_refused()
        return verdict

    async def place(self, placement: Placement, on_first_byte: Callable[[], None]) -> Verdict:
        """Send one new order once, and digest the answer."""
        query = self.key.signed(placement_query(placement))
        reply = await self._send_once(
            "POST",
            f"{_ORDER}?{query}",
            window_ms=placement.window_ms,
            purpose=placement.purpose,
            cost=gate.ORDER,
            on_first_byte=on_first_byte,
        )
        if isinstance(reply, Verdict):
            return reply
        symbol = placement.spec.symbol
        names = self._naming(symbol)
        return self._heard(
            digest_placement(
                reply.status, reply.body, cid=placement.cid, symbol=symbol, names=names
            )
        )

    async def place_list(
        self, placement: ListPlacement, on_first_byte: Callable[[], None]
    ) -> Verdict:
        """As `place`, of an order list: the answer is about all of its orders alike."""
        query = self.key.signed(list_query(placement))
        reply = await self._send_once(
            "POST",
            f"{list_path(placement)}?{query}",
            window_ms=placement.window_ms,
            purpose=placement.purpose,
            cost=Cost(weight=1, orders=len(placement.orders)),
            on_first_byte=on_first_byte,
        )
        if isinstance(reply, Verdict):
            return reply
        symbol = placement.orders[0].spec.symbol
        cids, names = tuple(order.cid for order in placement.orders), self._naming(symbol)
        return self._heard(
            digest_list(reply.status, reply.body, cids=cids, symbol=symbol, names=names)
        )

    async def cancel(self, cancellation: Cancellation) -> Verdict:
        """Send one cancel once. ACKED carries the order's final report, and its list's."""
        query = self.key.signed(cancellation_query(cancellation))
        reply = await self._send_once(
            "DELETE",
            f"{_ORDER}?{query}",
            window_ms=cancellation.window_ms,
            purpose=Purpose.CANCEL,
            cost=gate.CANCEL,
        )
        if isinstance(reply, Verdict):
            return reply
        target, symbol = cancellation.target, cancellation.symbol
        names = self._naming(symbol)
        return self._heard(
            digest_cancel(reply.status, reply.body, target=target, symbol=symbol, names=names)
        )

    async def _send_once(
        self,
        method: str,
        path_and_query: str,
        *,
        window_ms: int,
        purpose: Purpose,
        cost: Cost,
        on_first_byte: Callable[[], None] | None = None,
    ) -> Reply | Verdict:
        """The reply, or what its absence proves. The only way a signed order leaves this room."""
        departed = self.gate.depart(purpose, cost)
        if not isinstance(departed, Flight):
            return held_back(departed)
        window_s = window_ms / 1_000
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        endpoint = "order" if cost.orders else "cancel"
        try:
            reply = await self._orders.ask(
                method,
                path_and_query,
                timeout_s=window_s + self._patience.reply_margin_s,
                connect_timeout_s=window_s,
                max_bytes=_ORDER_BYTES,
                on_first_byte=on_first_byte,
                on_reply=partial(self.gate.observe, flight=departed),
            )
        except UnansweredError as error:
            failure = gate.unanswered(error.kind)
            self.gate.on_answer(endpoint, failure, loop.time() - began_s)
            answer = Answer.UNKNOWN if error.sent else Answer.NOT_SENT
            return Verdict(answer=answer, code=error.kind, evidence=str(error))
        self.gate.on_answer(endpoint, gate.failure_of(reply), loop.time() - began_s)
        return reply

    async def order(self, symbol: str, cid: str, purpose: Purpose) -> OrderReport | None:
        """The newest order with this client id, or None when it is not visible (yet)."""
        report = await self._query(symbol, {"origClientOrderId": cid}, purpose)
        if report is None:
            return None
        if report.symbol == symbol and report.state is OrderState.CANCELLED:
            # Some answers name a cancelled order by its cancel's id; it was found by its own.
            return msgspec.structs.replace(report, cid=cid)
        if report.cid != cid or report.symbol != symbol:
            raise decode.GarbledError(
                f"seen: an answer about {report.symbol} {report.cid!r}; "
                f"expected: {symbol} {cid!r}; do: ask again"
            )
        return report

    async def order_by_id(
        self, symbol: str, order_id: str, purpose: Purpose
    ) -> OrderReport | None:
        """The order with this id of the exchange's own, or None when it is not visible (yet)."""
        report = await self._query(symbol, {"orderId": order_id}, purpose)
        if report is not None and (report.symbol, report.order_id) != (symbol, order_id):
            raise decode.GarbledError(
                f"seen: an answer about {report.symbol} {report.order_id}; "
                f"expected: {symbol} {order_id}; do: ask again"
            )
        return report

    async def _query(
        self, symbol: str, by: dict[str, str], purpose: Purpose
    ) -> OrderReport | None:
        params = {"symbol": venue_symbol(symbol), **by}
        try:
            body = await self.ask_signed(_ORDER, params, gate.QUERY_ORDER, purpose)
        except RejectedError as error:
            if int(error.code) in _INVISIBLE:
                return None
            raise
        return decode.order(body, self._naming(symbol))

    async def order_list(self, list_cid: str, purpose: Purpose) -> ListReport | None:
        """The newest order list with this client id, or None when it is not visible (yet)."""
        params = {"origClientOrderId": list_cid}
        try:
            body = await self.ask_signed(_LIST, params, gate.QUERY_LIST, purpose)
        except RejectedError as error:
            if int(error.code) in _INVISIBLE:
                return None
            raise
        return decode.order_list(body, self._names)

    async def open_orders(self, symbol: str, purpose: Purpose) -> list[OrderReport]:
        """All open orders of a symbol, ours or not."""
        params = {"symbol": venue_symbol(symbol)}
        body = await self.ask_signed("/api/v3/openOrders", params, gate.OPEN_ORDERS, purpose)
        return decode.orders(body, self._naming(symbol))

    async def all_orders(
        self, symbol: str, purpose: Purpose, *, from_order_id: str = "", since_ms: int = 0
    ) -> list[OrderReport]:
        """Orders by their ids, at most 1000: from one on, since a time, or the newest."""
        params = page_params(symbol, "orderId", from_order_id, since_ms)
        body = await self.ask_signed("/api/v3/allOrders", params, gate.ALL_ORDERS, purpose)
        return decode.orders(body, self._naming(symbol))

    async def fills(
        self, symbol: str, purpose: Purpose, *, from_trade_id: str = "", since_ms: int = 0
    ) -> list[Fill]:
        """Executions in trade-id order, at most 1000, from `from_trade_id` on (inclusive).

        Without an id: those since `since_ms`, and without either: from the first one on.
        """
        first = from_trade_id or ("" if since_ms else "0")
        params = page_params(symbol, "fromId", first, since_ms)
        body = await self.ask_signed("/api/v3/myTrades", params, gate.MY_TRADES, purpose)
        return decode.fills(body, self._naming(symbol))

    async def balances(self, purpose: Purpose) -> dict[str, Balance]:
        """Every asset that is not zero."""
        params = {"omitZeroBalances": "true"}
        return decode.balances(
            await self.ask_signed("/api/v3/account", params, gate.ACCOUNT, purpose)
        )

    async def instruments(self, symbols: Collection[str] = ()) -> tuple[Instrument, ...]:
        """The markets called `symbols`, or all; also renews the limits and the names.

        The whole list has ten megabytes, so it is asked for only when it is needed. Reading waits
        by limits that are assumed until this one told the real ones, so it goes before all reading.
        """
        try:
            found = await self._listed(symbols)
        except RejectedError as error:
            if not symbols or int(error.code) not in _NO_SUCH_SYMBOL:
                raise
            return await self._listed()
        is_whole = {each.symbol for each in found}.issuperset(symbols)
        return found if is_whole else await self._listed()

    async def _listed(self, symbols: Collection[str] = ()) -> tuple[Instrument, ...]:
        path, cost = listing_path(symbols), gate.EXCHANGE_INFO
        current = listing(await self._ask(self._queries, path, cost, Purpose.RESOLVE))
        self.gate.learn(current.limits)
        self._names.update((each.venue_symbol, each.symbol) for each in current.instruments)
        return current.instruments

    async def time(self) -> TimeSample:
        """The exchange's clock, asked over the connection that orders take (and so kept warm)."""
        sent_ns = self._clock.mono_ns()
        body = await self._ask(self._orders, "/api/v3/time", gate.TIME, Purpose.CANCEL)
        sample = TimeSample(decode.server_time_ms(body), sent_ns, self._clock.mono_ns())
        self._clock.note(sample)
        return sample

    async def warm(self, count: int) -> None:
        """Have so many connections open for queries, so that the next ones need no handshake.

        Whatever goes wrong with that is left to whoever asks next.
        """
        asked = [
            self._ask(self._queries, "/api/v3/time", gate.TIME, Purpose.READ) for _ in range(count)
        ]
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, PlatformError):
                raise outcome

    def delay_s(self, purpose: Purpose, count: int = 1) -> float:
        """How long `count` requests for `purpose` must wait for rate budget; 0 when they may go."""
        return self.gate.delay_s(purpose, count=count)

    def events(self) -> AsyncIterator[VenueEvent]:
        """The user stream, reconnecting for ever; starts with StreamUp or StreamDown."""
        stream = UserStream(
            self._endpoints.ws_api_url,
            self.key,
            now_ms=self._now_ms,
            names=lambda: self._names,
            on_key_refused=self.on_key_refused,
            on_refused=self.gate.connection_refused,
            admit=self.gate.admit_connection,
            watch=self._watch,
            pause_s=self._pause_s,
            connector=self._connector,
        )
        self._streams.append(stream)
        return self._with_names(stream.events())

    async def _with_names(self, events: AsyncIterator[VenueEvent]) -> AsyncIterator[VenueEvent]:
        """The same; a market that nobody asked for (an order by hand) gets its unified name."""
        async for event in events:
            if isinstance(event, OrderReport) and "/" not in event.symbol:
                yield await self._renamed(event)
            else:
                yield event

    async def _renamed(self, report: OrderReport) -> OrderReport:
        if report.symbol not in self._names:
            try:
                await self._listed((report.symbol,))
            except (RetryableError, RejectedError) as error:
                # What is told matters more than under which name.
                _log.warning("market unknown", action="name_wait", why=str(error))
        name = self._names.get(report.symbol, report.symbol)
        fills = tuple(msgspec.structs.replace(fill, symbol=name) for fill in report.fills)
        return msgspec.structs.replace(report, symbol=name, fills=fills)

    async def close(self) -> None:
        """Close connections; may be called twice."""
        for stream in self._streams:
            await stream.close()
        await self._orders.close()
        await self._queries.close()

    def _line(self) -> Line:
        return Line(self._endpoints.rest_url, api_key=self.key.api_key)

    def _naming(self, symbol: str) -> dict[str, str]:
        """Names for a reply about `symbol`, known even before the listing is."""
        if venue_symbol(symbol) in self._names:
            return self._names
        return {venue_symbol(symbol): symbol}

    async def _now_ms(self) -> int:
        """The exchange's time, never extrapolated from an old sample."""
        if not self._clock.is_fresh(_CLOCK_AGE_S):
            await self.time()
        return self._clock.now_ms()

    async def ask_signed(
        self, path: str, params: dict[str, str] | dict[str, str | int], cost: Cost, purpose: Purpose
    ) -> bytes:
        """What a signed question is answered; raises as every read does."""
        window_ms, now_ms = self._patience.read_window_ms, await self._now_ms()
        query = query_text({**params, "recvWindow": window_ms, "timestamp": now_ms})
        signed = f"{path}?{self.key.signed(query)}"
        try:
            return await self._ask(self._queries, signed, cost, purpose)
        except RejectedError as error:
            if error.code in KEY_REFUSED:
                self.on_key_refused()
            raise

    async def ask_open(self, path_and_query: str, cost: Cost, purpose: Purpose) -> bytes:
        """What a question without a signature is answered; raises as every read does."""
        return await self._ask(self._queries, path_and_query, cost, purpose)

    async def _ask(self, line: Line, path_and_query: str, cost: Cost, purpose: Purpose) -> bytes:
        return await ask(
            line, self.gate, path_and_query, cost, purpose, timeout_s=self._patience.read_s
        )
