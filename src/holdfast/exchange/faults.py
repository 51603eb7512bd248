"""Which fault strikes when: kinds, matching, probability, count. Draws come from one seeded source.

Not here: what a fault does (`gateway` for requests, `stream_faults` for events, `incidents` for
states of the whole exchange).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from holdfast.errors import ConfigError


class FaultKind(StrEnum):
    """Every fault the exchange can be asked for."""

    DROP_REQUEST = "drop_request"
    DROP_REPLY = "drop_reply"
    DELAY_REQUEST = "delay_request"  # before the first deadline check
    GATEWAY_DELAY = "gateway_delay"  # between the first and the second
    BROKER_DELAY = "broker_delay"  # between the second and the third
    ENGINE_DELAY = "engine_delay"  # after the last
    DELAY_REPLY = "delay_reply"
    DUPLICATE_REQUEST = "duplicate_request"
    RESET = "reset"
    TRUNCATE_BODY = "truncate_body"
    GARBAGE_JSON = "garbage_json"
    HTTP_STATUS = "http_status"
    ERROR_CODE = "error_code"
    VISIBILITY_LAG = "visibility_lag"
    STREAM_DROP = "stream_drop"
    STREAM_DUPLICATE = "stream_duplicate"
    STREAM_REORDER = "stream_reorder"
    STREAM_SILENCE = "stream_silence"
    STREAM_DISCONNECT = "stream_disconnect"
    RATE_LIMIT = "rate_limit"
    CLOCK_OFFSET = "clock_offset"
    BAN = "ban"
    MAINTENANCE = "maintenance"
    HALT_SYMBOL = "halt_symbol"
    CHANGE_FILTERS = "change_filters"
    REVOKE_KEY = "revoke_key"


INCIDENTS = frozenset({
    FaultKind.BAN,
    FaultKind.MAINTENANCE,
    FaultKind.HALT_SYMBOL,
    FaultKind.CHANGE_FILTERS,
    FaultKind.REVOKE_KEY,
})

_DELAY = frozenset({"delay_ms", "min_delay_ms"})
_HANG = frozenset({"hang_ms"})
# Which parameters a kind takes; `for_ms` is for all. CHANGE_FILTERS knows its own.
PARAMS: dict[FaultKind, frozenset[str]] = {
    FaultKind.DROP_REQUEST: _HANG,
    FaultKind.DROP_REPLY: _HANG,
    FaultKind.DELAY_REQUEST: _DELAY,
    FaultKind.GATEWAY_DELAY: _DELAY,
    FaultKind.BROKER_DELAY: _DELAY,
    FaultKind.ENGINE_DELAY: _DELAY | {"ms", "min_ms"},
    FaultKind.DELAY_REPLY: _DELAY,
    FaultKind.DUPLICATE_REQUEST: _DELAY | {"reply", "refused"},
    FaultKind.RESET: frozenset({"when"}),
    FaultKind.TRUNCATE_BODY: frozenset(),
    FaultKind.GARBAGE_JSON: frozenset(),
    FaultKind.HTTP_STATUS: frozenset({"status", "executed", "body"}),
    FaultKind.ERROR_CODE: frozenset({"code", "executed", "msg", "status"}),
    FaultKind.VISIBILITY_LAG: frozenset({"ms", "min_ms", "sources", "of"}),
    FaultKind.STREAM_DROP: frozenset(),
    FaultKind.STREAM_DUPLICATE: frozenset(),
    FaultKind.STREAM_REORDER: _DELAY,
    FaultKind.STREAM_SILENCE: frozenset(),
    FaultKind.STREAM_DISCONNECT: frozenset(),
    FaultKind.RATE_LIMIT: frozenset({"retry_after_s"}),
    FaultKind.CLOCK_OFFSET: frozenset({"ms"}),
    FaultKind.BAN: frozenset({"address", "for_s"}),
    FaultKind.MAINTENANCE: frozenset(),
    FaultKind.HALT_SYMBOL: frozenset({"symbol"}),
    FaultKind.REVOKE_KEY: frozenset({"apiKey"}),
}
_CHOICES: dict[str, frozenset[Any]] = {
    "when": frozenset({"before", "after"}),
    "reply": frozenset({"first", "second", "sooner"}),
    "executed": frozenset({True, False}),
}
_TEXTS = frozenset({"body", "msg", "address", "symbol", "apiKey"})
_LISTS = {
    "sources": frozenset({"memory", "database", "stream"}),
    "of": frozenset({"orders", "trades", "balances"}),
}


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests or events a fault is for; None is for all.

    Attributes:
        method: `POST`, `GET`, `DELETE`, or `STREAM` for events.
        path: of the route, or an event's type such as `executionReport`, or with an `@` a market
            stream such as `ethusdt@kline_1m`; `*` stands for anything. Calls of the WebSocket API
            go by the path of their REST twin.
        door: `rest`, `ws`; for events `user` or `market`.
        key: an API key.
    """

    method: str | None = None
    path: str | None = None
    door: str | None = None
    key: str | None = None

    def takes(self, method: str, path: str, door: str, key: str, stream: str = "") -> bool:
        """Whether it is for such a one."""
        name = stream if self.path is not None and "@" in self.path else path
        return (
            (self.method is None or self.method.upper() == method)
            and (self.path is None or fnmatchcase(name, self.path))
            and (self.door is None or self.door == door)
            and (self.key is None or self.key == key)
        )


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault to inject.

    Attributes:
        probability: of striking, per request or event that matches, 0 to 1.
        count: how often it may strike; None without end.
        params: what the kind needs; `for_ms` ends any of them.
        struck: how often it did.
        until_ns: exchange time of its end, set when it is put in force; 0 without one.
    """

    kind: FaultKind
    match: Match = msgspec.field(default_factory=Match)
    probability: float = 1.0
    count: int | None = None
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    struck: int = 0
    until_ns: int = 0

    def number(self, name: str, default: float = 0) -> float:
        """A numeric parameter."""
        return float(self.params.get(name, default))

    def check(self) -> None:
        """ConfigError when it makes no sense."""
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"seen probability {self.probability}; expected 0 to 1")
        known = PARAMS.get(self.kind)
        if known is None:
            return
        for name, value in self.params.items():
            if name not in known and name != "for_ms":
                expected = ", ".join(sorted(known | {"for_ms"}))
                raise ConfigError(
                    f"seen parameter {name!r} of {self.kind.value}; expected some of {expected}"
                )
            _check_value(name, value)


class FaultBook:
    """All faults now in force.

    Attributes:
        faults: in the order in which they were put in force, those that are over included.
        kinds: the same by kind, without most of those that are over.
    """

    def __init__(self, source: random.Random, now_ns: Callable[[], int]) -> None:
        self.faults: list[Fault] = []
        self.kinds: dict[FaultKind, list[Fault]] = {}
        self._random = source
        self._now_ns = now_ns

    def add(self, fault: Fault) -> None:
        """Put a fault in force; ConfigError when it makes no sense."""
        fault.check()
        if "for_ms" in fault.params:
            fault.until_ns = self._now_ns() + int(fault.number("for_ms") * 1_000_000)
        self.faults.append(fault)
        # Those that are over are looked at by nobody any more: of each kind there may be hundreds.
        alive = [one for one in self.kinds.get(fault.kind, ()) if not self._is_spent(one)]
        self.kinds[fault.kind] = [*alive, fault]

    def clear(self) -> None:
        """Lift all faults."""
        self.faults.clear()
        self.kinds.clear()

    def draw(
        self,
        kind: FaultKind,
        method: str = "",
        path: str = "",
        door: str = "",
        key: str = "",
        *,
        stream: str = "",
    ) -> Fault | None:
        """The first fault of `kind` that strikes here and now, counted; None when none does."""
        for fault in self.kinds.get(kind, ()):
            if not self._is_spent(fault) and fault.match.takes(method, path, door, key, stream):
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                fault.struck += 1
                return fault
        return None

    def draw_lag_ms(self, source: str, aspect: str | None) -> float:
        """How late the next change shows in `source`, 0 when no fault delays it.

        Args:
            aspect: what it is about (`views.Aspect`); None for an event, which is about several.
        """
        for fault in self.kinds.get(FaultKind.VISIBILITY_LAG, ()):
            if self._is_spent(fault):
                continue
            sources = fault.params.get("sources")
            if sources is not None and source not in sources:
                continue
            of = fault.params.get("of")
            if of is not None and aspect not in of:
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            fault.struck += 1
            return self.ms(fault, "ms")
        return 0.0

    def is_in_force(self, kind: FaultKind, door: str) -> bool:
        """Whether a fault of `kind` may strike at `door` now; counts nothing, draws nothing."""
        return any(
            fault.match.door in {None, door} and not self._is_spent(fault)
            for fault in self.kinds.get(kind, ())
        )

    def ms(self, fault: Fault, name: str = "delay_ms", default: float = 0) -> float:
        """A duration of a fault: as given, or drawn between `min_NAME` and `NAME`."""
        most = fault.number(name, default)
        least = fault.number(f"min_{name}", most)
        return most if least >= most else self._random.uniform(least, most)

    def _is_spent(self, fault: Fault) -> bool:
        if fault.count is not None and fault.struck >= fault.count:
            return True
        return bool(fault.until_ns) and self._now_ns() >= fault.until_ns


def order_latency(latency_ms: float) -> list[Fault]:
    """What makes every order and every cancel reach the exchange so much later, by either door.

    They are faults like any others: the first one in force that matches a request delays it.
    """
    params = {"delay_ms": latency_ms}
    return [
        Fault(FaultKind.DELAY_REQUEST, Match(method=method, path=path), params=params)
        for method, path in (
            ("POST", "/api/v3/order"),
            ("DELETE", "/api/v3/order"),
            ("DELETE", "/api/v3/openOrders"),
            ("POST", "/api/v3/orderList/*"),
            ("DELETE", "/api/v3/orderList"),
        )
        if latency_ms
    ]


def read_faults(path: Path) -> list[Fault]:
    """The faults in a file: a JSON list of what `POST /admin/faults` takes.

    Raises:
        ConfigError: the file cannot be read, or a fault in it makes no sense.
    """
    try:
        faults = msgspec.json.decode(path.read_bytes(), type=list[Fault])
    except OSError as error:
        raise ConfigError(
            f"seen: {path}: {error.strerror}; expected: a file of faults; do: check the path"
        ) from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"seen: {path}: {error}; expected: a JSON list of faults; do: see docs/exchange.md"
        ) from error
    for fault in faults:
        fault.check()
    return faults


def _check_value(name: str, value: Any) -> None:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            expected = " or ".join(sorted(map(repr, _CHOICES[name])))
            raise ConfigError(f"seen {name}={value!r}; expected {expected}")
    elif name in _LISTS:
        if not isinstance(value, list) or not set(value) <= _LISTS[name]:
            raise ConfigError(f"seen {name}={value!r}; expected a list of {sorted(_LISTS[name])}")
    elif name in _TEXTS:
        if not isinstance(value, str):
            raise ConfigError(f"seen {name}={value!r}; expected text")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"seen {name}={value!r}; expected a number")
