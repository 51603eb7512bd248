"""The demo as a whole: the site started, watched, struck on request, checked, and ended in order.

Lives here: the run and its end. Not here: options and output (cli.demo).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.app.database import SqliteDatabase
from holdfast.app.demo.audit import Audit
from holdfast.app.demo.checker import PATIENCE_NS, Checker
from holdfast.app.demo.control import Control
from holdfast.app.demo.dashboard import Dashboard
from holdfast.app.demo.home import ACCOUNT, Home, P, open_home
from holdfast.app.demo.nodes import Seat
from holdfast.app.demo.picture import Moment, Picture, draw
from holdfast.app.demo.plan import Plan
from holdfast.app.demo.processes import Child
from holdfast.app.demo.replica import Replica
from holdfast.app.demo.site import Site, running_site
from holdfast.app.demo.summary import Summary, gaps_of, sentences
from holdfast.app.view.prices import Prices
from holdfast.domain.money import ZERO
from holdfast.errors import ConfigError, CorruptionError
from holdfast.ledger.state import AccountState
from holdfast.telemetry.log import configure
from holdfast.venues.binance.endpoints import Endpoints

POLL_S = 0.1
SAMPLE_S = 1.0
SERIES_KEPT = 600
SETTLE_S = 60.0  # a doubt takes 14 s, the next attempt may meet another, a machine may be busy
NOTE_S = 5.0
TELL_EVERY_S = 5.0
READY_TIMEOUT_S = 30.0

Say = Callable[[str], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose.

    Attributes:
        directory: the folder of the run.
        fresh: throw away what an earlier one left there.
        duration_s: how long to trade; None is until somebody ends it.
        kill_every_s: kill the leader so often; None never does.
        dashboard: serve it as well.
        opens: and show it in a browser.
    """

    directory: Path
    fresh: bool = False
    duration_s: float | None = None
    kill_every_s: float | None = None
    dashboard: bool = False
    opens: bool = False


class Demo:
    """One run. `stop` ends it, a second `stop` ends the waiting as well.

    Attributes:
        control: what the keys do.
    """

    def __init__(
        self,
        wanted: Wanted,
        home: Home[Plan],
        replica: Replica,
        site: Site,
        *,
        began_s: float,
        say: Say,
    ) -> None:
        self._wanted = wanted
        self._home = home
        self._site = site
        self._began_s = began_s
        self._began_ns = time.time_ns() - int((time.monotonic() - began_s) * 1e9)
        self._say = say
        self._replica = replica
        stream_url = f"{site.url.replace('http', 'ws', 1)}/stream"
        endpoints = Endpoints(rest_url=site.url, stream_url=stream_url)
        self._prices = Prices(endpoints, lambda: home.plan.symbols)
        self._checker = Checker(site.admin, self._replica, home.api_key)
        self._series: deque[float] = deque(maxlen=SERIES_KEPT)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._note, self._noted_s = "", 0.0
        self._acting: set[asyncio.Task[None]] = set()
        self.control = Control(home, self._replica, site.admin, site.nodes)
        self._dashboard = Dashboard(home, self._tell, opens=wanted.opens)

    # -- from outside ------------------------------------------------------------------------------

    def stop(self) -> None:
        """End it: settle what is in doubt, check, stop the processes. Again: do not wait."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def press(self, key: str) -> None:
        """Do what a key stands for; others do nothing."""
        match key.lower():
            case "q" | "\x03" | "\x04":
                self.stop()
            case "k":
                self._tell(self.control.kill_leader())
            case "p":
                self._tell(self.control.pause_leader())
            case "h":
                self._act(asyncio.to_thread(self.control.toggle_halt))
            case "r":
                self._act(self.control.lose_reply())
            case "o" if self._wanted.dashboard:
                self._act(self._dashboard.show())
            case _:
                pass

    def picture(self) -> Picture:
        """What there is to see at this moment."""
        now_s, now_ns = time.monotonic(), time.time_ns()
        struck_ns = self.control.struck_ns
        doubts = self._replica.told.doubted_since_ns()
        return draw(
            self._replica,
            Moment(
                elapsed_s=now_s - self._began_s,
                url=self._site.url,
                dashboard=self._dashboard.url,
                verb=self._home.plan.verb,
                market=self._home.plan.market,
                marks=self._prices.by_asset(self._replica.state.reporting),
                price_age_s=self._prices.age_s,
                series=list(self._series),
                check=self._checker.last,
                checked_ns=self._checker.checked_ns,
                down_s=(now_ns - struck_ns) / 1e9 if struck_ns else None,
                paused_s=max(0.0, self.control.paused_until_s - now_s),
                doubt_s=(now_ns - doubts) / 1e9 if doubts else 0.0,
                ending=self._stop.is_set(),
                note=self._note if now_s < self._noted_s + NOTE_S else "",
            ),
        )

    # -- the run -----------------------------------------------------------------------------------

    async def run(self) -> Summary:
        """Trade until told to stop, settle, check for the last time.

        Raises:
            UnreachableError, ConfigError: the exchange or the node ended by itself.
            CorruptionError: the journal contradicts itself.
        """
        parts = [
            self._follow(),
            self._sample(),
            self._prices.run(),
            self._checker.run(),
            self._keep_nodes(),
            self._ends_by_itself(self._site.exchange),
            self._strike(),
            self._tell_failovers(),
            self._tell_now_and_then(),
        ]
        if self._wanted.dashboard:
            parts.append(self._serve_dashboard())
        try:
            last = await self._until(parts)
        finally:
            self.control.close()
        return self._summary(last)

    async def _until(self, parts: list[Coroutine[Any, Any, None]]) -> Audit:
        """Run all parts beside the run's own course; the first that fails ends everything."""
        course = asyncio.create_task(self._course(), name="course of the demo")
        under_way: set[asyncio.Task[Any]] = {course, *map(asyncio.create_task, parts)}
        try:
            while not course.done():
                done, under_way = await asyncio.wait(
                    under_way, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
            return course.result()
        finally:
            left = [*under_way, *self._acting]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _course(self) -> Audit:
        await self._ready()
        if self._replica.state.halted == self.control.ending:
            await asyncio.to_thread(self.control.command, "resume", "")
        try:
            await asyncio.wait_for(self._stop.wait(), self._wanted.duration_s)
        except TimeoutError:
            self._stop.set()
        return await self._settle()

    async def _ready(self) -> None:
        """Return when the node has its journal and has reconciled: from here on it may trade."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not (self._replica.ready_ns or self._stop.is_set()):
            if time.monotonic() > deadline_s:
                node = self._site.nodes.seats[0].child
                assert node is not None  # noqa: S101 - the site started it
                raise node.failure(f"does not trade after {READY_TIMEOUT_S:.0f} s")
            await asyncio.sleep(POLL_S)

    async def _settle(self) -> Audit:
        """Stop entries, wait for what is in doubt, and compare everything for the last time."""
        self.control.wake_leader()
        if not self._replica.state.halted and self._home.journal.exists():
            await asyncio.to_thread(self.control.command, "halt", self.control.ending)
        self._say("ending: no new entries, waiting until nothing is in doubt")
        deadline_s = time.monotonic() + SETTLE_S
        return await self._checker.settle(
            lambda: bool(self._replica.state.halted),
            lambda: time.monotonic() > deadline_s or self._hurry.is_set(),
        )

    # -- its parts ---------------------------------------------------------------------------------

    async def _follow(self) -> None:
        said = False
        while True:
            self._replica.poll()
            if self._replica.first_order_ns and not said:
                said = True
                self._say(f"first order {self._first_order_ms()} ms after the start")
            await asyncio.sleep(POLL_S)

    async def _sample(self) -> None:
        while True:
            equity = self._equity()
            if equity is not None:
                self._series.append(float(equity))
            await asyncio.sleep(SAMPLE_S)

    async def _strike(self) -> None:
        """Kill the leader now and then, once it has traded; none once the end has begun."""
        every_s = self._wanted.kill_every_s
        while every_s is not None:
            await asyncio.sleep(every_s)
            await _until(lambda: self._stop.is_set() or self._may_strike())
            if not self._stop.is_set():
                self._tell(self.control.kill_leader())

    def _may_strike(self) -> bool:
        """Whether it has traded, and nobody is still starting."""
        return bool(self._replica.first_order_ns) and self._site.nodes.are_warm()

    async def _keep_nodes(self) -> None:
        """The standbys start once there is somebody to follow; who is struck down comes back."""
        first, *others = self._site.nodes.seats
        await asyncio.gather(first.keep(), *(self._stand_by(seat) for seat in others))

    async def _stand_by(self, seat: Seat) -> None:
        await _until(lambda: bool(self._replica.ready_ns))
        await seat.start()
        await seat.keep()

    async def _tell_failovers(self) -> None:
        """A sentence for each, when the next order has been made."""
        told = 0
        while True:
            await asyncio.sleep(POLL_S)
            failovers = self._replica.failovers
            if told < len(failovers) and failovers[told].gap_ms is not None:
                last = await self._checker.check(PATIENCE_NS)
                self._tell(
                    f"{self._leader()} went on: the next order {failovers[told].gap_ms} ms after "
                    f"the strike, doubled {last.duplicate_orders}, lost {last.lost_orders}"
                )
                told += 1

    async def _serve_dashboard(self) -> None:
        """Once trading has begun: the first order has the machine to itself."""
        await _until(lambda: bool(self._replica.first_order_ns))
        await self._dashboard.run()

    def _leader(self) -> str:
        leader = self._replica.leader
        seat = self._site.nodes.of(leader.pid) if leader is not None else None
        return seat.name if seat is not None else "the next one"

    async def _ends_by_itself(self, child: Child) -> None:
        await child.ended()
        raise child.failure("ended")

    async def _tell_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            equity, last = self._equity(), self._checker.last
            if last is not None and equity is not None and not self._stop.is_set():
                self._say(
                    f"{last.orders} orders, {last.executions} fills, doubled "
                    f"{last.duplicate_orders}, lost {last.lost_orders}, equity {equity:,.2f}"
                )

    def _act(self, action: Coroutine[Any, Any, str]) -> None:
        async def tell() -> None:
            self._tell(await action)

        task = asyncio.create_task(tell())
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    def _tell(self, note: str) -> None:
        self._note, self._noted_s = note, time.monotonic()
        self._say(note)

    def _equity(self) -> Decimal | None:
        state = self._replica.state
        if not state.reporting:
            return None
        return state.equity(self._prices.by_asset(state.reporting))

    def _first_order_ms(self) -> int | None:
        first_ns = self._replica.first_order_ns
        return (first_ns - self._began_ns) // 1_000_000 if first_ns else None

    def _summary(self, last: Audit) -> Summary:
        state = self._replica.state
        return Summary(
            orders=last.orders,
            fills=last.executions,
            failovers=len(self._replica.failovers),
            duplicate_orders=last.duplicate_orders,
            lost_orders=last.lost_orders,
            unresolved_orders=last.unresolved_orders,
            final_equity=self._equity(),
            failover_gap_ms=gaps_of(one.gap_ms for one in self._replica.failovers),
            failover_ready_ms=gaps_of(one.ready_ms for one in self._replica.failovers),
            first_order_ms=self._first_order_ms(),
            doubts=state.counters.doubts,
            ghosts=state.counters.ghosts,
            records=state.seq,
            epoch=state.epoch,
            run=self._home.plan.runs,
            seconds=round(time.monotonic() - self._began_s, 1),
            reporting=state.reporting,
            settled=last.is_settled,
            findings=last.findings,
            directory=str(self._wanted.directory),
            market=self._home.plan.market,
            assumption=self._home.plan.assumption,
            positions=_positions(state),
        )


def _positions(state: AccountState) -> dict[str, Decimal]:
    """What the bots hold, by symbol; a symbol that none holds is not there."""
    held: dict[str, Decimal] = {}
    for bot in state.bots.values():
        for symbol, position in bot.positions.items():
            if position.quantity:
                held[symbol] = held.get(symbol, ZERO) + position.quantity
    return held


async def _until(holds: Callable[[], bool]) -> None:
    while True:
        if holds():
            return
        await asyncio.sleep(POLL_S)


Show = Callable[[Demo], Coroutine[Any, Any, None]]


async def run_plan(
    wanted: Wanted, kind: type[P], choose: Callable[[P | None], P], say: Say, show: Show
) -> Summary:
    """Run a demo, or another plan, from start to end.

    Args:
        kind, choose: what runs, see `open_home`.
        say: told of what happens, a sentence at a time.
        show: runs beside the demo until cancelled: a screen, keys, signals.

    Raises:
        ConfigError: the folder cannot be used.
        UnreachableError: the exchange or the node did not start, or ended by itself.
    """
    began_s = time.monotonic()
    with (
        open_home(wanted.directory, kind, choose, fresh=wanted.fresh) as home,
        home.log(kind.verb).open("a", encoding="utf-8") as log,
    ):
        configure("info", stream=log)
        await home.plan.check()
        replica = _caught_up(home)
        async with running_site(home, say) as site:
            demo = Demo(wanted, home, replica, site, began_s=began_s, say=say)
            showing = asyncio.create_task(show(demo), name="screen")
            try:
                return await demo.run()
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)


def _caught_up(home: Home[Plan]) -> Replica:
    """A replica at the end of what earlier runs have left."""
    replica = Replica(SqliteDatabase(home.journal), ACCOUNT)
    try:
        replica.poll()
    except CorruptionError as error:
        seen = str(error).partition("; expected: ")[0].removeprefix("seen: ")
        raise ConfigError(
            f"seen: {seen}; expected: the journal of the last {home.plan.kind} in {home.path}; "
            "do: keep it for whoever looks into it, and begin anew with --fresh"
        ) from error
    replica.begin_run()
    return replica


__all__ = ["Demo", "Show", "Summary", "Wanted", "run_plan", "sentences"]
