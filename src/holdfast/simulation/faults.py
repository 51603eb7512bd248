"""Every kind of fault that can strike a world, and what begins it.

A function here draws what it needs from the weather's source, begins the fault, and plans its end.
Not here: which kinds a run has, and when they strike (weather).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.exchange.faults import FaultKind
from holdfast.execution.points import CANCEL_POINTS, ORDER_POINTS
from holdfast.simulation.clock import Machine
from holdfast.simulation.store import Trouble

if TYPE_CHECKING:
    from holdfast.simulation.weather import Weather

_POINTS = ORDER_POINTS + CANCEL_POINTS
ORDERS = {"method": "POST", "path": "/api/v3/order*"}
CLOCK_OFF_MS = 300
"""What the exchange may tell of its time beside what it holds deadlines against."""
MOST_ENGINE_MS = 9_900
"""It gives up on its own engine after 10 s."""

Kind = Callable[["Weather"], None]


# -- nodes -----------------------------------------------------------------------------------------


def _crash_somewhere(w: Weather) -> None:
    node = w.node()
    if node.account is not None:
        node.account.steps_left = w.random.randint(1, 300)


def _crash_at_point(w: Weather) -> None:
    w.node().crash_at = w.random.choice(_POINTS)


def _crash_keeper(w: Weather) -> None:
    w.node().crash_keeper()


def _kill_node(w: Weather) -> None:
    w.node().power_off(quiet=False, down_s=w.uniform(0.1, 5))


def _power_off(w: Weather) -> None:
    w.node().power_off(quiet=not w.plan.one_host, down_s=w.uniform(0.5, 8))


def _oom_kill(w: Weather) -> None:
    """The system is short of memory and kills what has most of it, perhaps the next one as well."""
    node = w.node()
    node.crash()
    for _ in range(w.random.choice((0, 0, 1, 3))):
        w.later(w.uniform(0.3, 3), node.crash)


def _no_memory(w: Weather) -> None:
    """A step on the path of an order asks for memory that is not there: it raises."""
    w.node().fail_at = w.random.choice(_POINTS)


def _stop_node(w: Weather) -> None:
    w.node().stop()


def _hand_over(w: Weather) -> None:
    w.hand_over()


def _pause(w: Weather) -> None:
    w.node().pause(w.random.choice((0.1, 0.5, 2, 5, 12, 30)) * w.uniform(0.7, 1.0))


def _pause_machine(w: Weather) -> None:
    w.node().pause_all(w.random.choice((0.3, 1, 3, 8, 20)) * w.uniform(0.7, 1.0))


def _pause_keeper(w: Weather) -> None:
    w.node().pause_keeper(w.random.choice((0.3, 1, 3, 8)) * w.uniform(0.7, 1.0))


def _pause_at_point(w: Weather) -> None:
    w.node().hold_at = (w.random.choice(_POINTS), w.random.choice((0.2, 1.0, 3.0, 20.0)))


def _deposed_in_sleep(w: Weather) -> None:
    """The leader stands still on the path of an order, and nothing renews its lease: when it wakes
    somebody else leads."""
    node = w.node()
    node.hold_at = (w.random.choice(_POINTS), 1.9)
    node.pause_keeper(w.uniform(2, 12))


def _slow_loop(w: Weather) -> None:
    node = w.node()
    if node.account is not None:
        node.account.stumbles = w.random.randint(5, 60)
        node.account.stumble_s = w.random.choice((0.005, 0.05, 0.2))


def _jump_clock(w: Weather) -> None:
    machine: Machine = w.node().machine
    machine.wall_off_ns += int(w.uniform(-60, 60) * 1e9)


# -- store -----------------------------------------------------------------------------------------


def _for_a_while(w: Weather, trouble: Trouble, name: str, value: Any, for_s: float) -> None:
    before = getattr(Trouble(), name)
    setattr(trouble, name, value)
    w.later(for_s, lambda: setattr(trouble, name, before))


def _store_cut(w: Weather) -> None:
    _for_a_while(w, w.trouble(), "is_cut", True, w.uniform(0.2, 6))


def _store_full(w: Weather) -> None:
    for node in w.nodes:
        _for_a_while(w, w.backend.trouble(node.machine.name), "is_full", True, w.uniform(0.2, 4))


def _store_stall(w: Weather) -> None:
    stall_s = w.random.choice((0.05, 0.4, 1.5, 10.0))
    _for_a_while(w, w.trouble(), "stall_s", stall_s, w.uniform(0.2, 5))


def _store_lost_ack(w: Weather) -> None:
    _for_a_while(w, w.trouble(), "lost_ack", w.uniform(0.1, 0.8), w.uniform(0.5, 5))


def _store_lost_call(w: Weather) -> None:
    _for_a_while(w, w.trouble(), "lost_call", w.uniform(0.1, 0.8), w.uniform(0.5, 5))


def _store_refused(w: Weather) -> None:
    _for_a_while(w, w.trouble(), "refused", w.uniform(0.1, 0.8), w.uniform(0.5, 5))


# -- network ---------------------------------------------------------------------------------------


def _net_cut(w: Weather) -> None:
    link = w.link()
    there, back = w.random.choice(((True, True), (True, False), (False, True)))
    link.block(there=there, back=back)
    w.later(w.uniform(0.2, 8), link.heal)


def _net_reset(w: Weather) -> None:
    w.link().reset_all()


def _net_refuse(w: Weather) -> None:
    link = w.link()
    name = w.random.choice(("refuses", "unresolved"))
    setattr(link, name, True)
    w.link().reset_all()
    w.later(w.uniform(0.2, 4), lambda: setattr(link, name, False))


def _net_slow(w: Weather) -> None:
    link = w.link()
    link.delay_s = w.random.choice((0.1, 0.4, 1.5))
    w.later(w.uniform(0.5, 6), lambda: setattr(link, "delay_s", w.plan.net_delay_s))


# -- exchange --------------------------------------------------------------------------------------


def _requests(kind: FaultKind, **params: Any) -> Kind:
    """Requests fail by chance for a while; half of the time only orders."""

    def begin(w: Weather) -> None:
        match = ORDERS if w.random.random() < 0.5 else None
        drawn = {name: value(w) if callable(value) else value for name, value in params.items()}
        w.inject(kind, p=w.uniform(0.1, 0.9), match=match, for_s=w.uniform(0.5, 6), **drawn)

    return begin


def _delay(most_ms: float) -> Callable[[Weather], float]:
    return lambda w: w.uniform(1, most_ms)


def _stream(kind: FaultKind, **params: Any) -> Kind:
    def begin(w: Weather) -> None:
        match = {"door": w.random.choice(("user", "market"))}
        w.inject(kind, p=w.uniform(0.1, 0.9), match=match, for_s=w.uniform(0.5, 8), **params)

    return begin


def _error_code(w: Weather) -> None:
    code, executed = w.random.choice(
        ((-1000, True), (-1000, False), (-1001, True), (-1001, False), (-1006, True),
         (-1006, False), (-1007, True), (-1007, False), (-1008, False))
    )
    w.inject(
        FaultKind.ERROR_CODE, p=w.uniform(0.1, 0.9), match=ORDERS, for_s=w.uniform(0.5, 5),
        code=code, executed=executed,
    )


def _http_status(w: Weather) -> None:
    w.inject(
        FaultKind.HTTP_STATUS, p=w.uniform(0.1, 0.9), for_s=w.uniform(0.5, 4),
        status=w.random.choice((500, 502, 503, 504, 403)), executed=w.random.random() < 0.5,
    )


def _lag(w: Weather) -> None:
    sources = w.random.choice((["memory"], ["database"], ["stream"], ["memory", "database"], None))
    params: dict[str, Any] = {"ms": w.uniform(10, 2000), "min_ms": 0}
    if sources is not None:
        params["sources"] = sources
    w.inject(FaultKind.VISIBILITY_LAG, p=w.uniform(0.2, 1), for_s=w.uniform(1, 10), **params)


def _engine_delay(w: Weather) -> None:
    """Often as long as it may take at all: what is declared absent too early executes then."""
    least = w.random.choice((0, 0, MOST_ENGINE_MS - 1500))
    w.inject(
        FaultKind.ENGINE_DELAY, p=w.uniform(0.1, 0.9), for_s=w.uniform(0.5, 5),
        delay_ms=w.uniform(max(10, least), MOST_ENGINE_MS), min_delay_ms=least,
    )


def _doubled_late(w: Weather) -> None:
    """A copy of a request that comes after its deadline: refused, perhaps with the reply, and
    perhaps soon enough for that reply to be heard."""
    least, most = w.random.choice(((2600, 6000), (2400, 2950)))
    w.inject(
        FaultKind.DUPLICATE_REQUEST, p=w.uniform(0.1, 0.7), match=ORDERS, for_s=w.uniform(0.5, 5),
        delay_ms=most, min_delay_ms=least, reply=w.random.choice(("first", "second")),
    )


def _doubled_elsewhere(w: Weather) -> None:
    """A proxy that finds a gateway slow tries another one as well, and that one, busy or with a
    wrong clock, refuses at once: its word may be heard while the first copy has yet to execute."""
    for_s = w.uniform(0.5, 5)
    w.inject(
        FaultKind.DUPLICATE_REQUEST, p=w.uniform(0.2, 0.9), match=ORDERS, for_s=for_s,
        delay_ms=w.uniform(1, 400), reply="sooner", refused=w.random.choice((-1021, -1003, -1015)),
    )
    w.inject(
        FaultKind.ENGINE_DELAY, p=w.uniform(0.2, 0.9), match=ORDERS, for_s=for_s,
        delay_ms=w.uniform(10, 4000), min_delay_ms=0,
    )


def _doubled_cancel(w: Weather) -> None:
    w.inject(
        FaultKind.DUPLICATE_REQUEST, p=w.uniform(0.1, 0.7), match={"method": "DELETE"},
        for_s=w.uniform(0.5, 5), delay_ms=w.uniform(1, 500),
        reply=w.random.choice(("first", "second")),
    )


def _clock_offset(w: Weather) -> None:
    w.inject(
        FaultKind.CLOCK_OFFSET, p=w.uniform(0.2, 0.8), for_s=w.uniform(1, 8),
        ms=w.uniform(-CLOCK_OFF_MS, CLOCK_OFF_MS),
    )


def _maintenance(w: Weather) -> None:
    w.inject(FaultKind.MAINTENANCE, for_s=w.uniform(0.5, 6))


def _rate_limit(w: Weather) -> None:
    w.inject(
        FaultKind.RATE_LIMIT, p=w.uniform(0.1, 0.6), for_s=w.uniform(0.5, 3), retry_after_s=1
    )


def _ban(w: Weather) -> None:
    address = w.random.choice(w.network.addresses() or ["127.0.0.1"])
    w.inject(FaultKind.BAN, address=address, for_s=w.uniform(1, 5))


def _halt_symbol(w: Weather) -> None:
    symbol = w.random.choice(w.exchange.symbols)
    w.inject(FaultKind.HALT_SYMBOL, symbol=symbol)
    w.later(w.uniform(0.5, 6), lambda: w.exchange.restore(symbol))


def _change_filters(w: Weather) -> None:
    symbol = w.random.choice(w.exchange.symbols)
    w.exchange.change_filters(symbol, w.random)
    if w.random.random() < 0.7:
        w.later(w.uniform(2, 20), lambda: w.exchange.restore(symbol))


def _revoke(w: Weather) -> None:
    w.exchange.revoke()
    w.later(w.uniform(0.2, 4), w.exchange.allow)


KINDS: dict[str, Kind] = {
    "crash": _crash_somewhere,
    "crash_at_point": _crash_at_point,
    "crash_keeper": _crash_keeper,
    "kill_node": _kill_node,
    "power_off": _power_off,
    "oom_kill": _oom_kill,
    "no_memory": _no_memory,
    "stop_node": _stop_node,
    "hand_over": _hand_over,
    "pause": _pause,
    "pause_machine": _pause_machine,
    "pause_keeper": _pause_keeper,
    "pause_at_point": _pause_at_point,
    "deposed_in_sleep": _deposed_in_sleep,
    "slow_loop": _slow_loop,
    "clock_jump": _jump_clock,
    "store_cut": _store_cut,
    "store_full": _store_full,
    "store_stall": _store_stall,
    "store_lost_ack": _store_lost_ack,
    "store_lost_call": _store_lost_call,
    "store_refused": _store_refused,
    "net_cut": _net_cut,
    "net_reset": _net_reset,
    "net_refuse": _net_refuse,
    "net_slow": _net_slow,
    "drop_request": _requests(FaultKind.DROP_REQUEST, hang_ms=_delay(4000)),
    "drop_reply": _requests(FaultKind.DROP_REPLY, hang_ms=_delay(4000)),
    "delay_request": _requests(FaultKind.DELAY_REQUEST, delay_ms=_delay(4000)),
    "gateway_delay": _requests(FaultKind.GATEWAY_DELAY, delay_ms=_delay(3000)),
    "broker_delay": _requests(FaultKind.BROKER_DELAY, delay_ms=_delay(3000)),
    "delay_reply": _requests(FaultKind.DELAY_REPLY, delay_ms=_delay(4000)),
    "engine_delay": _engine_delay,
    "reset": _requests(
        FaultKind.RESET, when=lambda w: w.random.choice(("before", "after"))
    ),
    "truncate_body": _requests(FaultKind.TRUNCATE_BODY),
    "garbage_json": _requests(FaultKind.GARBAGE_JSON),
    "http_status": _http_status,
    "error_code": _error_code,
    "doubled_late": _doubled_late,
    "doubled_elsewhere": _doubled_elsewhere,
    "doubled_cancel": _doubled_cancel,
    "visibility_lag": _lag,
    "stream_drop": _stream(FaultKind.STREAM_DROP),
    "stream_duplicate": _stream(FaultKind.STREAM_DUPLICATE),
    "stream_reorder": _stream(FaultKind.STREAM_REORDER, delay_ms=800),
    "stream_silence": _stream(FaultKind.STREAM_SILENCE),
    "stream_disconnect": _stream(FaultKind.STREAM_DISCONNECT),
    "clock_offset": _clock_offset,
    "rate_limit": _rate_limit,
    "ban": _ban,
    "maintenance": _maintenance,
    "halt_symbol": _halt_symbol,
    "change_filters": _change_filters,
    "revoke_key": _revoke,
}


def break_assumption(w: Weather) -> None:
    """What must not happen happens; it has to end in an alarm."""
    w.checker.on_fault(w.plan.breaks)
    if w.plan.breaks == "engine_beyond_m":
        # The engine takes an order long after everybody was told that it will not.
        w.inject(
            FaultKind.ENGINE_DELAY, p=0.3, match=ORDERS, for_s=30, delay_ms=30_000,
            min_delay_ms=18_000,
        )
    else:
        w.inject(
            FaultKind.DUPLICATE_REQUEST, p=0.4, match=ORDERS, for_s=20, delay_ms=30,
            min_delay_ms=0,
        )
