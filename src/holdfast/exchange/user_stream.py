"""Who hears of an account's events, and when: no replay and no sequence number, so that silence
proves nothing. Not here: how an event looks (`payloads`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from holdfast.exchange import payloads
from holdfast.exchange.accounts import Account
from holdfast.exchange.core import Exchange, Source, UserEvent
from holdfast.exchange.faults import FaultBook
from holdfast.exchange.payloads import Json
from holdfast.exchange.sockets import Socket
from holdfast.exchange.stream_faults import StreamDoor, fate_of


class UserStreams:
    """Sends the events of accounts to those who subscribed."""

    def __init__(self, exchange: Exchange, faults: FaultBook) -> None:
        self._exchange = exchange
        self._faults = faults
        self._subscribers: dict[int, list[tuple[Socket, int]]] = {}
        self._symbols = {item.symbol: item.venue_symbol for item in exchange.instruments}
        self._timers: set[asyncio.TimerHandle] = set()
        # By account: when the last event in order is due, and those that wait until they are.
        self._free_from_s: dict[int, float] = {}
        self._waiting: dict[int, deque[Json]] = {}
        exchange.event_watchers.append(self._on_event)

    def add(self, account: Account, socket: Socket, number: int) -> None:
        """Send `account`'s events to `socket` as subscription `number`."""
        self._subscribers.setdefault(account.number, []).append((socket, number))

    def remove(self, account: Account, socket: Socket, number: int) -> None:
        """Send that subscription nothing more."""
        subscribers = self._subscribers.get(account.number, [])
        if (socket, number) in subscribers:
            subscribers.remove((socket, number))

    def terminate(self, account: Account) -> None:
        """End all subscriptions of an account and say so, as when its key is revoked."""
        now_ms = payloads.ms(self._exchange.now_ns())
        self._send(account, {"e": "eventStreamTerminated", "E": now_ms})
        self._subscribers.pop(account.number, None)

    def close(self) -> None:
        """Forget what is still under way."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _on_event(self, account: Account, event: UserEvent) -> None:
        subscribers = self._subscribers.get(account.number)
        if not subscribers:
            return
        body = payloads.user_event(event, self._symbols)
        fate = fate_of(self._faults, StreamDoor.USER, str(body["e"]), account.api_key)
        if fate.is_cut:
            for socket, _number in subscribers:
                socket.cut()
            return
        lag_s = self._exchange.lag_ms(Source.STREAM, None) / 1000
        for _copy in range(fate.copies):
            if fate.late_ms:
                # Only this one is late, so what comes after it overtakes it.
                late = partial(self._send, account, body)
                self._later(late, lag_s + fate.late_ms / 1000)
            else:
                self._in_order(account, body, lag_s)

    def _in_order(self, account: Account, body: Json, lag_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        due_s = max(now_s + lag_s, self._free_from_s.get(account.number, 0.0))
        if due_s <= now_s:
            self._send(account, body)
            return
        self._free_from_s[account.number] = due_s
        # Timers of one time may fire in any order: each sends whichever event is next.
        self._waiting.setdefault(account.number, deque()).append(body)
        self._later(partial(self._send_next, account), due_s - now_s)

    def _later(self, send: Callable[[], None], delay_s: float) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            send()

        timer = asyncio.get_running_loop().call_later(delay_s, fire)
        self._timers.add(timer)

    def _send_next(self, account: Account) -> None:
        self._send(account, self._waiting[account.number].popleft())

    def _send(self, account: Account, body: Json) -> None:
        for socket, number in self._subscribers.get(account.number, ()):
            socket.send({"subscriptionId": number, "event": body})
