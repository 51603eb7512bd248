"""The gate in front of the exchange's limits: what a request costs, and what replies say of limits.

Lives here: weights, limit headers, Retry-After; one gate per address, shared by all that uses it.
Not here: the arithmetic of windows (venues.budget).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from holdfast.errors import RetryableError
from holdfast.venues.binance import decode
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.verdict import CLOSED, THROTTLED
from holdfast.venues.binance.wire import Reply
from holdfast.venues.budget import Cost, Flight, LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Purpose

ORDER: Final = Cost(weight=1, orders=1)
CANCEL: Final = Cost(weight=1)
TIME: Final = Cost(weight=1)
QUERY_ORDER: Final = Cost(weight=4)
QUERY_LIST: Final = Cost(weight=4)
OPEN_ORDERS: Final = Cost(weight=6)
MY_TRADES: Final = Cost(weight=20)
ALL_ORDERS: Final = Cost(weight=20)
ACCOUNT: Final = Cost(weight=20)
EXCHANGE_INFO: Final = Cost(weight=20)
KLINES: Final = Cost(weight=2)
DAY_TICKER: Final = Cost(weight=2)  # of one symbol
LATEST_TRADES: Final = Cost(weight=25)
WHOLE_DEPTH: Final = Cost(weight=250)
CONNECT: Final = Cost(weight=4)  # a WebSocket and its subscription

# What a caller who only names a purpose is taken to be about to send: the dearest of its requests.
_COST_OF_PURPOSE: Final = {
    Purpose.ENTER: ORDER,
    Purpose.REDUCE: ORDER,
    Purpose.CANCEL: CANCEL,
    Purpose.RESOLVE: MY_TRADES,
    Purpose.READ: MY_TRADES,
}

# Documented example values, in force until exchangeInfo names the real ones.
DEFAULT_LIMITS: Final = (
    RateLimit(LimitKind.WEIGHT, 60_000, 6_000),
    RateLimit(LimitKind.ORDERS, 10_000, 50),
    RateLimit(LimitKind.ORDERS, 86_400_000, 160_000),
    RateLimit(LimitKind.REQUESTS, 300_000, 61_000),
)

# When the exchange says "stay away" without saying for how long.
_BANNED: Final = 418
_BACK_OFF_S: Final = {429: 60.0, _BANNED: 120.0}

_HEADER_OF_KIND: Final = {
    LimitKind.WEIGHT: "x-mbx-used-weight",
    LimitKind.ORDERS: "x-mbx-order-count",
}
_REFUSED: Final = 400
_UNAUTHORIZED: Final = 401
_MOST_DIGITS: Final = 15
_LETTERS: Final = ((86_400_000, "D"), (3_600_000, "H"), (60_000, "M"), (1_000, "S"))


class Gate:
    """One address's rate budget, on the exchange's clock.

    Attributes:
        on_answer: told of each request's class of endpoints, what failed (empty when it has a
            usable answer), and how many seconds it took.
        on_away: told for how many seconds the exchange wants nothing from this address, whenever it
            says so.
        away_s: asked the same of what others at this address were told, before each request; 0
            when there is no news of that.
    """

    def __init__(self, clock: ServerClock, *, share: float = 1.0) -> None:
        self.clock = clock
        self._budget = RateBudget(DEFAULT_LIMITS, share=share)
        self._headers = _headers(DEFAULT_LIMITS)
        self.on_answer: Callable[[str, str, float], None] = _unheard
        self.on_away: Callable[[float], None] = lambda _for_s: None
        self.away_s: Callable[[], float] = lambda: 0.0

    def left(self) -> dict[str, float]:
        """What is left of the tightest window of each kind of limit, from 0 to 1."""
        return {k.value.lower(): left for k, left in self._budget.left(self.clock.now_ms()).items()}

    def learn(self, limits: Iterable[RateLimit]) -> None:
        """The exchange published its limits; none at all changes nothing."""
        published = tuple(limits)
        if published:
            self._budget.learn(published)
            self._headers = _headers(published)

    def delay_s(self, purpose: Purpose, cost: Cost | None = None, count: int = 1) -> float:
        """How long `count` requests must wait together; 0 now, infinite never at once."""
        self._heed()
        return self._budget.delay_s(
            purpose,
            (cost or _COST_OF_PURPOSE[purpose]).times(count),
            self.clock.now_ms(),
            self.clock.mono_ns(),
        )

    def pass_through(self, purpose: Purpose, cost: Cost) -> float:
        """Count a request that leaves now and return 0; or how long it must wait, uncounted."""
        departed = self.depart(purpose, cost)
        return 0.0 if isinstance(departed, Flight) else departed

    def depart(self, purpose: Purpose, cost: Cost) -> Flight | float:
        """As `pass_through`, but the request's flight, which its reply is to be observed with."""
        self._heed()
        server_ms = self.clock.now_ms()
        wait_s = self._budget.delay_s(purpose, cost, server_ms, self.clock.mono_ns())
        return wait_s or self._budget.spend(cost, server_ms)

    @property
    def is_away(self) -> bool:
        """Whether the exchange wants nothing from this address now."""
        return self._budget.is_blocked(self.clock.mono_ns())

    def admit_connection(self) -> None:
        """Count a new WebSocket; knocking again during a ban would only make it longer.

        Raises:
            RetryableError: it must wait.
        """
        wait_s = self.pass_through(Purpose.RESOLVE, CONNECT)
        if wait_s > 0:
            raise RetryableError(
                f"seen: no rate budget for a connection; expected: room in {wait_s:.3f} s; "
                "do: connect then"
            )

    def observe(self, reply: Reply, flight: Flight) -> None:
        """Learn from a reply how much is used, and whether to stay away.

        Orders stop counting when they fill, the exchange documents ("unfilled order count"), so
        their count is followed downwards as well.

        Args:
            flight: of the request that it answers.
        """
        for header, kind, interval_ms in self._headers:
            used = _count(reply.headers.get(header, ""))
            if used is not None:
                self._budget.observe(kind, interval_ms, used, self.clock.now_ms(), flight)
        if reply.status in _BACK_OFF_S:
            said = _count(reply.headers.get("retry-after", ""))
            refusal = decode.refusal(reply.body)
            if refusal is not None and refusal.code == -1015:
                wait_s = _BACK_OFF_S[reply.status] if said is None else float(said)
                self._budget.block(LimitKind.ORDERS, wait_s, self.clock.mono_ns())
            else:
                self.refused(reply.status, said)

    def refused(self, status: int, for_s: float | None) -> None:
        """The exchange refused a request or a connection; some of these say to stay away.

        Args:
            for_s: how long, when it said so.
        """
        if status not in _BACK_OFF_S:
            return
        wait_s = _BACK_OFF_S[status]
        if for_s is not None and for_s < 10**_MOST_DIGITS:
            wait_s = for_s
        self._budget.block(LimitKind.WEIGHT, wait_s, self.clock.mono_ns())
        self.on_away(wait_s)

    def connection_refused(self, status: int, for_s: float | None) -> None:
        """The same of a WebSocket. Too many connections are no reason to ask nothing: what is not a
        ban, and says of no time, would hold back exits for a minute."""
        if status == _BANNED or for_s is not None:
            self.refused(status, for_s)

    def _heed(self) -> None:
        away_s = self.away_s()
        if away_s > 0:
            self._budget.block(LimitKind.WEIGHT, away_s, self.clock.mono_ns())


def failure_of(reply: Reply) -> str:
    """In a word, why a reply is no usable answer; empty when it is one, if only a refusal."""
    if reply.status < 400:
        return ""
    if reply.status in THROTTLED:
        return "throttled"
    if reply.status == _UNAUTHORIZED:
        return "unauthorized"
    refusal = decode.refusal(reply.body)
    if refusal is not None and refusal.code == CLOSED:
        return "maintenance"
    return "" if reply.status == _REFUSED and refusal is not None else "unusable"


def unanswered(kind: str) -> str:
    """The same of a request without a reply, by the kind of the error."""
    return "timeout" if kind == TimeoutError.__name__ else "connection"


def _unheard(_endpoint: str, _failure: str, _took_s: float) -> None:
    """Nobody counts."""


def _count(text: str) -> int | None:
    """The number that a header says; none when it says no number, or one beyond any limit."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _headers(limits: Iterable[RateLimit]) -> tuple[tuple[str, LimitKind, int], ...]:
    """The header that reports on each limit, such as X-MBX-ORDER-COUNT-10S in lower case."""
    found = []
    for limit in limits:
        if limit.kind in _HEADER_OF_KIND:
            unit_ms, letter = next(unit for unit in _LETTERS if limit.interval_ms % unit[0] == 0)
            name = f"{_HEADER_OF_KIND[limit.kind]}-{limit.interval_ms // unit_ms}{letter}".lower()
            found.append((name, limit.kind, limit.interval_ms))
    return tuple(found)
