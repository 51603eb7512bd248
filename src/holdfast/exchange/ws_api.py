"""The WebSocket API door: requests by name over one socket, and the user's events on the same one.

Not here: what a call means (`gateway`), or faults of the stream (`user_stream`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
from aiohttp import web

from holdfast.exchange import errors, signing
from holdfast.exchange.accounts import Account
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.faults import FaultKind
from holdfast.exchange.gateway import Gateway
from holdfast.exchange.payloads import Json
from holdfast.exchange.routes import NOT_OFFERED
from holdfast.exchange.sockets import Socket
from holdfast.exchange.stream_faults import StreamDoor
from holdfast.exchange.traffic import Call, Delivery, Manner, encode_error
from holdfast.exchange.user_stream import UserStreams

REST_TWIN = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "order.status": ("GET", "/api/v3/order"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "orderList.place.oco": ("POST", "/api/v3/orderList/oco"),
    "orderList.place.oto": ("POST", "/api/v3/orderList/oto"),
    "orderList.place.otoco": ("POST", "/api/v3/orderList/otoco"),
    "orderList.cancel": ("DELETE", "/api/v3/orderList"),
    "orderList.status": ("GET", "/api/v3/orderList"),
    "openOrderLists.status": ("GET", "/api/v3/openOrderList"),
    "allOrderLists": ("GET", "/api/v3/allOrderList"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "account.rateLimits.orders": ("GET", "/api/v3/rateLimit/order"),
}
_GONE = frozenset({"userDataStream.start", "userDataStream.ping", "userDataStream.stop"})


class WsRequest(msgspec.Struct, frozen=True):
    """A frame of the client."""

    id: int | str | None
    method: str
    params: dict[str, str | int | float | bool | list[str] | None] = {}


class WsApiDoor:
    """Serves `/ws-api/v3`."""

    def __init__(self, gateway: Gateway, streams: UserStreams) -> None:
        self._gateway = gateway
        self._streams = streams
        self._connections: set[Socket] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one connection until it ends."""
        address = request.remote or ""
        try:
            self._gateway.incidents.check_open()
            self._gateway.gatekeeper.admit_connection(address, self._gateway.exchange.now_ns())
        except RefusedError as refusal:
            return web.Response(
                status=refusal.http_status, body=encode_error(refusal.number, refusal.reason)
            )
        connection = web.WebSocketResponse(max_msg_size=1 << 20, autoping=False)
        await connection.prepare(request)
        session = _Session(
            self._gateway, self._streams, Socket(request, connection, self._is_silent), address
        )
        self._connections.add(session.socket)
        try:
            await session.serve()
        finally:
            self._connections.discard(session.socket)
            await session.close()
        return connection

    def part_all(self) -> None:
        """Say that the server goes away, and close every connection."""
        now_ms = self._gateway.exchange.now_ns() // 1_000_000
        for socket in self._connections:
            socket.part({"event": {"e": "serverShutdown", "E": now_ms}})

    def _is_silent(self) -> bool:
        return self._gateway.faults.is_in_force(FaultKind.STREAM_SILENCE, StreamDoor.USER)


class _Session:
    """One connection and its subscriptions."""

    def __init__(
        self, gateway: Gateway, streams: UserStreams, socket: Socket, address: str
    ) -> None:
        self.socket = socket
        self._gateway = gateway
        self._streams = streams
        self._address = address
        self._subscriptions: dict[int, Account] = {}
        self._next_subscription = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        async for text in self.socket.texts():
            try:
                request = msgspec.json.decode(text, type=WsRequest)
            except msgspec.DecodeError as error:
                self.socket.send(_refusal(None, 400, -1135, f"Invalid JSON Request: {error}"))
                continue
            self._spawn(self._answer(request))

    async def close(self) -> None:
        for number, account in self._subscriptions.items():
            self._streams.remove(account, self.socket, number)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.socket.close()

    async def _answer(self, request: WsRequest) -> None:
        params = {name: _text(value) for name, value in request.params.items() if value is not None}
        try:
            if request.method.startswith("userDataStream."):
                self._gateway.gatekeeper.admit(
                    self._address, 2, self._gateway.exchange.now_ns()
                )
                self.socket.send(self._ok(request, self._user_stream(request.method, params)))
                return
            twin = REST_TWIN.get(request.method)
            if twin is None and request.method.startswith(NOT_OFFERED):
                raise errors.not_supported(request.method)
            if twin is None:
                raise errors.RefusedError(
                    -1000, f"Unknown method '{request.method}' or not supported here.", 404
                )
        except RefusedError as refusal:
            self.socket.send(
                _refusal(request.id, refusal.http_status, refusal.number, refusal.reason)
            )
            return
        delivery = await self._gateway.handle(Call(
            door="ws",
            method=twin[0],
            path=twin[1],
            params=params,
            signed_text=_signed_text(params),
            signature=params.get("signature", ""),
            api_key=params.get("apiKey", ""),
            address=self._address,
        ))
        self._deliver(request, delivery)

    def _deliver(self, request: WsRequest, delivery: Delivery) -> None:
        reply = delivery.reply
        if delivery.manner is Manner.RESET:
            self.socket.cut()
        if reply is None or delivery.manner in {Manner.HANG, Manner.RESET}:
            return
        try:
            body = msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            # A fault has garbled the body: the frame is as broken as the body is.
            self.socket.send_text(
                f'{{"id":{msgspec.json.encode(request.id).decode()},"status":{reply.status},'
                f'"result":{reply.body.decode("utf-8", "replace")}}}'
            )
            return
        frame = self._ok(request, body)
        if reply.status != 200:
            frame = {"id": request.id, "status": reply.status, "error": body, "rateLimits": []}
        text = msgspec.json.encode(frame).decode()
        if delivery.manner is Manner.TRUNCATE:
            text = text[: len(text) // 2]
        self.socket.send_text(text)

    def _ok(self, request: WsRequest, result: Any) -> Json:
        gateway = self._gateway
        used = gateway.gatekeeper.used_weight(self._address, gateway.exchange.now_ns())
        row = {
            "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
            "limit": gateway.gatekeeper.limits.weight_per_minute, "count": used,
        }
        return {"id": request.id, "status": 200, "result": result, "rateLimits": [row]}

    def _user_stream(self, method: str, params: dict[str, str]) -> Json:
        exchange = self._gateway.exchange
        self._gateway.incidents.check_open()
        if method in _GONE:
            raise errors.gone()
        if method == "userDataStream.subscribe.signature":
            account = signing.authenticate(
                exchange.accounts,
                params.get("apiKey", ""),
                _signed_text(params),
                params.get("signature", ""),
            )
            deadline = signing.read_deadline(params)
            deadline.check_not_ahead(exchange.now_ns())
            deadline.check(exchange.now_ns())
            if account in self._subscriptions.values():
                raise errors.RefusedError(-2035, "User Data Stream subscription already active.")
            number = self._next_subscription
            self._next_subscription += 1
            self._subscriptions[number] = account
            self._streams.add(account, self.socket, number)
            return {"subscriptionId": number}
        if method == "userDataStream.unsubscribe":
            self._unsubscribe(params.get("subscriptionId"))
            return {}
        raise errors.RefusedError(
            -1000, f"Unknown method '{method}' or not supported here.", 404
        )

    def _unsubscribe(self, wanted: str | None) -> None:
        numbers = [
            number for number in self._subscriptions if wanted is None or str(number) == wanted
        ]
        if not numbers:
            raise errors.RefusedError(-2036, "User Data Stream subscription not active.")
        for number in numbers:
            self._streams.remove(self._subscriptions.pop(number), self.socket, number)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refusal(number: int | str | None, status: int, code: int, text: str) -> Json:
    return {"id": number, "status": status, "error": {"code": code, "msg": text}, "rateLimits": []}


def _signed_text(params: dict[str, str]) -> str:
    """What the WebSocket API signs: all parameters but the signature, by name."""
    return "&".join(
        f"{name}={value}" for name, value in sorted(params.items()) if name != "signature"
    )


def _text(value: str | int | float | bool | list[str]) -> str:
    """A value as a query would carry it."""
    if isinstance(value, list):
        return msgspec.json.encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
