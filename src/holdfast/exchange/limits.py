"""Rate limits: fixed windows aligned to the clock, 429, then 418.

Weights count per address, orders per account. Not here: what a route weighs (`routes`).
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from holdfast.exchange import errors

_SECOND_NS = 1_000_000_000
_MINUTE_S = 60
_TEN_SECONDS_S = 10
_DAY_S = 86_400
_RAW_WINDOW_S = 300


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers; the field names are those of a limits file.

    Attributes:
        weight_per_minute: request weight per address.
        orders_per_10s, orders_per_day: unfilled orders per account.
        raw_requests_per_5m: requests per address, whatever they weigh.
        ban_after: requests an address may send after its first 429 of a window before it is banned.
        ban_s: how long the first ban lasts; each further one doubles, up to `ban_max_s`.
        connections_per_5m: new WebSockets per address.
        stream_messages_per_s: incoming messages per market-stream connection.
        streams_per_connection: subscriptions per connection.
    """

    weight_per_minute: int = 6000
    orders_per_10s: int = 50
    orders_per_day: int = 160_000
    raw_requests_per_5m: int = 61_000
    ban_after: int = 10
    ban_s: int = 120
    ban_max_s: int = 3 * _DAY_S
    connections_per_5m: int = 300
    stream_messages_per_s: int = 5
    streams_per_connection: int = 1024


class Window:
    """A counter that starts again at each multiple of its span."""

    def __init__(self, span_s: int) -> None:
        self.span_s = span_s
        self.used = 0
        self._number = -1

    def turn(self, now_ns: int) -> int:
        """The count in the window of `now_ns`."""
        number = now_ns // (self.span_s * _SECOND_NS)
        if number != self._number:
            self._number = number
            self.used = 0
        return self.used

    def left_s(self, now_ns: int) -> int:
        """Whole seconds until the next window, at least 1."""
        span_ns = self.span_s * _SECOND_NS
        return max(1, -(-(span_ns - now_ns % span_ns) // _SECOND_NS))


class _Address:
    def __init__(self) -> None:
        self.weight = Window(_MINUTE_S)
        self.raw = Window(_RAW_WINDOW_S)
        self.connections = Window(_RAW_WINDOW_S)
        self.warned = Window(_MINUTE_S)
        self.banned_until_ns = 0
        self.bans = 0


class _Orders:
    def __init__(self) -> None:
        self.short = Window(_TEN_SECONDS_S)
        self.day = Window(_DAY_S)


class Gatekeeper:
    """Counts what addresses and accounts use, and refuses what is too much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._addresses: defaultdict[str, _Address] = defaultdict(_Address)
        self._orders: defaultdict[int, _Orders] = defaultdict(_Orders)

    def admit(self, address: str, weight: int, now_ns: int) -> None:
        """Charge a request; RefusedError 429 or 418 when it is too much."""
        state = self._addresses[address]
        self._refuse_banned(state, now_ns)
        state.weight.turn(now_ns)
        state.raw.turn(now_ns)
        state.weight.used += weight
        state.raw.used += 1
        if state.weight.used > self.limits.weight_per_minute:
            self._warn(state, now_ns)
            raise errors.too_much_weight(
                self.limits.weight_per_minute, state.weight.left_s(now_ns)
            )
        if state.raw.used > self.limits.raw_requests_per_5m:
            self._warn(state, now_ns)
            raise errors.too_much_weight(
                self.limits.raw_requests_per_5m, state.raw.left_s(now_ns)
            )

    def admit_connection(self, address: str, now_ns: int) -> None:
        """Count a new WebSocket; RefusedError when there were too many."""
        state = self._addresses[address]
        self._refuse_banned(state, now_ns)
        state.connections.turn(now_ns)
        state.connections.used += 1
        if state.connections.used > self.limits.connections_per_5m:
            raise errors.too_much_weight(
                self.limits.connections_per_5m, state.connections.left_s(now_ns)
            )

    def ban(self, address: str, for_s: int, now_ns: int) -> None:
        """Refuse everything from an address for a while."""
        state = self._addresses[address]
        state.bans += 1
        state.banned_until_ns = now_ns + for_s * _SECOND_NS

    def lift_bans(self) -> None:
        """Forgive every address."""
        for state in self._addresses.values():
            state.banned_until_ns = 0
            state.bans = 0

    def used_weight(self, address: str, now_ns: int) -> int:
        """Request weight of this minute."""
        return self._addresses[address].weight.turn(now_ns)

    def admit_orders(self, account: int, orders: int, now_ns: int) -> None:
        """Count orders of an account; RefusedError -1015 when they are too many."""
        state = self._orders[account]
        if state.short.turn(now_ns) + orders > self.limits.orders_per_10s:
            raise errors.too_many_orders(
                self.limits.orders_per_10s, "10 SECOND", state.short.left_s(now_ns)
            )
        if state.day.turn(now_ns) + orders > self.limits.orders_per_day:
            raise errors.too_many_orders(
                self.limits.orders_per_day, "1 DAY", state.day.left_s(now_ns)
            )
        state.short.used += orders
        state.day.used += orders

    def give_back(self, account: int, orders: int, now_ns: int) -> None:
        """An order filled for the first time: unfilled orders are what counts."""
        state = self._orders[account]
        for window in (state.short, state.day):
            window.used = max(0, window.turn(now_ns) - orders)

    def used_orders(self, account: int, now_ns: int) -> tuple[int, int]:
        """Unfilled orders of the last ten seconds' window and of the day."""
        state = self._orders[account]
        return state.short.turn(now_ns), state.day.turn(now_ns)

    def _warn(self, state: _Address, now_ns: int) -> None:
        state.warned.turn(now_ns)
        state.warned.used += 1
        if state.warned.used > self.limits.ban_after:
            for_s = min(self.limits.ban_s * 2**state.bans, self.limits.ban_max_s)
            state.bans += 1
            state.banned_until_ns = now_ns + for_s * _SECOND_NS
            self._refuse_banned(state, now_ns)

    def _refuse_banned(self, state: _Address, now_ns: int) -> None:
        left_ns = state.banned_until_ns - now_ns
        if left_ns > 0:
            raise errors.banned(
                state.banned_until_ns // 1_000_000, max(1, -(-left_ns // _SECOND_NS))
            )
