"""The REST door: bytes of HTTP into calls, deliveries into bytes.

Not here: what a call means (`gateway`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from urllib.parse import parse_qsl

from aiohttp import web

from holdfast.exchange.gateway import Gateway
from holdfast.exchange.traffic import Call, Delivery, Manner, Reply


class RestDoor:
    """Answers every path that nobody else takes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request, as the faults in force let it."""
        delivery = await self._gateway.handle(await read_call(request))
        return await deliver(request, delivery)


async def read_call(request: web.BaseRequest) -> Call:
    """The call in a request; parameters may be in the query, in the form body, or in both."""
    body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
    return call_of(
        request.method, request.path, request.raw_path.partition("?")[2], body,
        api_key=request.headers.get("X-MBX-APIKEY", ""), address=request.remote or "",
    )


def call_of(
    method: str, path: str, query: str, body: str, *, api_key: str, address: str
) -> Call:
    """The call that a request's parts make; query and body as they were sent."""
    params = dict(_pairs(query) + _pairs(body))
    return Call(
        door="rest",
        method=method,
        path=path,
        params=params,
        signed_text=_without_signature(query) + _without_signature(body),
        signature=params.get("signature", ""),
        api_key=api_key,
        address=address,
    )


async def deliver(request: web.BaseRequest, delivery: Delivery) -> web.StreamResponse:
    """Send a reply whole, in part, late or not at all."""
    if delivery.manner is Manner.HANG or delivery.reply is None:
        if delivery.manner is Manner.HANG:
            await wait_in_silence(request.transport, delivery.hang_ms)
            _close(request)
        else:
            _reset(request)
        # Nobody sees this one: the connection has gone.
        return web.Response(status=500)
    if delivery.manner is Manner.TRUNCATE:
        return await _send_half(request, delivery.reply)
    reply = delivery.reply
    return web.Response(
        status=reply.status,
        body=reply.body,
        headers={**reply.headers, "Content-Type": f"{reply.content_type};charset=UTF-8"},
    )


async def wait_in_silence(transport: asyncio.Transport | None, hang_ms: float) -> None:
    """Keep a connection open without a reply, but not for a client that has gone."""
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + hang_ms / 1000
    while loop.time() < give_up_s:
        if transport is None or transport.is_closing():
            return
        await asyncio.sleep(min(0.05, give_up_s - loop.time()))


async def _send_half(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Promise the whole body, send half of it, and close."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_type = reply.content_type
    response.content_length = len(reply.body)
    response.force_close()
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    _close(request)
    return response


def _close(request: web.BaseRequest) -> None:
    """End the connection after what was written, in the orderly way."""
    if request.transport is not None:
        request.transport.close()


def _reset(request: web.BaseRequest) -> None:
    """Reset the connection: no reply, and the client's socket says so."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a query or a form; most often nothing in it is quoted."""
    if "%" in text or "+" in text:
        return parse_qsl(text, keep_blank_values=True)
    parts = [part.partition("=") for part in text.split("&") if part]
    return [(name, value) for name, _, value in parts]


def _without_signature(text: str) -> str:
    """The text as it was signed: all but the signature, wherever it stands."""
    if "signature=" not in text:
        return text
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
