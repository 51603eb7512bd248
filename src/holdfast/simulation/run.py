"""One run: a world from a seed, its faults, its healing, and what was found.

Lives here: the order of a run. Call `run` in a process of its own after `clock.install`. Not here:
many runs (campaign), what a seed draws (weather), or what is checked as it happens (checker).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.cluster.timing import PROFILES
from holdfast.config import Config
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.sqlite import SqliteStore
from holdfast.simulation import bugs, patches
from holdfast.simulation.alone import Alone
from holdfast.simulation.checker import PIDS, Checker
from holdfast.simulation.clock import FIRST_S, WORLD, Machine, real_monotonic_s
from holdfast.simulation.combos import run_combos
from holdfast.simulation.database import SimDatabase
from holdfast.simulation.exchange import HOST, PORT, SimExchange
from holdfast.simulation.faults import break_assumption
from holdfast.simulation.leases import Leases
from holdfast.simulation.limits import UNBOUND, BotLimits, draw_limits
from holdfast.simulation.loop import StuckError, VirtualLoop
from holdfast.simulation.network import Network
from holdfast.simulation.node import SimNode, is_of_the_world
from holdfast.simulation.outcome import Event, Outcome, Violation
from holdfast.simulation.outsiders import Operator
from holdfast.simulation.store import Backend
from holdfast.simulation.verdict import judge
from holdfast.simulation.views import put_behind
from holdfast.simulation.weather import Weather, draw_plan, draw_purse, draw_sharing

SYMBOLS = ("BTC/USDT", "ETH/USDT")
UNITS = {"BTC/USDT": "0.01", "ETH/USDT": "0.2"}
MOST_HELD = Decimal(2_000)  # less than the strategy wishes for now and then
MOST_TOGETHER = Decimal(3_000)  # of bots that trade one symbol
EAGER_TURNS = 6  # tenths of a second
SETTLE_S = 25.0
"""The strategies go on for so long after the last fault: somebody must trade again by then."""
QUIET_S = 22.0
"""Then nothing new is wished for so long, and everything must have come to rest."""
BROKEN_QUIET_S = 150.0
"""The same where an assumption was broken: what nobody could expect, only balances may tell."""
POLL_S = {"fast": 0.1, "standard": 0.25}
"""Between two looks of a keeper at the others: half of a run would be keepers otherwise."""
WAIT_LOOK_S = 5.0
MOST_WAIT_LOOKS = 26
CID_LENGTH = 32
STORY = 120  # lines
_STRATEGY = Path(__file__).with_name("strategy.py")


def run(
    seed: int, minutes: float, bug: str = "", *, machines: int = 3, directory: Path
) -> Outcome:
    """Run one seed; call it once per process.

    Args:
        directory: an empty one; what is left in it is of no use afterwards.
    """
    began_s = real_monotonic_s()
    gc.disable()  # what is abandoned must stay, and what is short of memory ends with the process
    logging.getLogger().setLevel(logging.CRITICAL + 1)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    world = _World(loop, seed, minutes, machines, directory)
    if bug:
        bugs.plant(bug)
    try:
        loop.run_until_complete(world.live_until_violated() if bug else world.live())
    except StuckError as error:
        world.checker.violate("defect", str(error))
    return world.outcome(real_monotonic_s() - began_s)


class _World:
    def __init__(
        self, loop: VirtualLoop, seed: int, minutes: float, machines: int,
        directory: Path,
    ) -> None:
        self.seed, self.loop, self.minutes = seed, loop, minutes
        self.source = source = random.Random(f"holdfast {seed}")
        self.plan = draw_plan(source, machines)
        self.network = Network(loop, source.getrandbits(64))
        self.backend = Backend(
            directory / "journal.db", loop, random.Random(source.getrandbits(64)), _WARM.journal
        )
        # Drawn apart: the weather of a seed stays what it was.
        fees, purse = draw_purse(random.Random(f"fees {seed}"))
        self.sharing = draw_sharing(
            random.Random(f"sharing {seed}"), SYMBOLS, must_pay=self.plan.alone
        )
        drawn = random.Random(f"limits {seed}")
        limits = draw_limits(drawn, may_wait=not self.plan.alone, has_prices=not purse)
        purse["USDT"] = self.sharing.cash
        self.exchange = SimExchange(self.network, seed, SYMBOLS, purse, fees)
        put_behind(self.exchange.desk.exchange, seed, alone=self.plan.alone)
        self.checker = Checker(
            self.exchange.account, price=self.exchange.last_price, traded=self.sharing.symbols,
            breaks=bool(self.plan.breaks), most_held=MOST_HELD,
            most_together=MOST_TOGETHER if self.sharing.is_crowded else None, limits=limits,
        )
        self.leases = Leases(self.backend)
        self._watch()
        names = [f"n{number + 1}" for number in range(machines)]
        self.operator: Operator | None = None
        self.alone: Alone | None = None
        config = self._config(limits)
        self.nodes = [
            SimNode(
                loop=loop,
                machine=Machine(name, rate=rate, wall_off_ns=int(wall_s * 1e9)),
                config=config,
                source=random.Random(source.getrandbits(64)),
                first_pid=PIDS * (number + 1),
                leases=self.leases,
                timing=config.cluster.timing,
                host="one" if self.plan.one_host else name,
            )
            for number, (name, rate, wall_s) in enumerate(
                zip(names, self.plan.rates, self.plan.walls_s, strict=True)
            )
        ]
        self.leases.runs = lambda member: any(node.pid == member.pid for node in self.nodes)
        databases = {name: SimDatabase(self.backend, name) for name in names}
        patches.apply(loop, databases, self.nodes, seed)
        for name in names:
            self.backend.trouble(name).delay_s = self.plan.store_delay_s
            self.network.link(name).delay_s = self.plan.net_delay_s
            self.network.link(name).jitter_s = self.plan.net_delay_s / 5
        loop.on_last_step = self._last_step
        self.weather = Weather(
            loop=loop, plan=self.plan, source=random.Random(source.getrandbits(64)),
            network=self.network, exchange=self.exchange, backend=self.backend, nodes=self.nodes,
            checker=self.checker, leases=self.leases,
        )
        if self.plan.meddles:
            account = config.account.name
            self.operator = Operator(self.weather, databases[names[0]].commands(), account)
        if self.plan.alone:
            self.alone = Alone(self.weather, frozenset(self.sharing.symbols))

    def _watch(self) -> None:
        """Let the checker see what becomes true, where it does."""
        self.backend.on_commit.append(self.checker.on_commit)
        self.backend.on_acquire.append(self.checker.on_acquire)
        self.exchange.on_call.append(self.checker.on_call)
        self.exchange.watch(self.checker.on_event)
        self.exchange.on_refused.append(self.checker.on_refused)
        self.network.on_hasty = self.checker.on_hasty
        self.leases.on_claim.append(self.checker.on_claim)

    def _config(self, limits: BotLimits) -> Config:
        os.environ["SIM_KEY"] = self.exchange.account.api_key
        os.environ["SIM_SECRET"] = self.exchange.account.secret
        bots = [
            {
                "name": symbol[:3].lower() + ("" if symbol == own else "2"),
                **self._strategy(number, symbol),
                "symbols": [symbol],
                "timeframe": "1s",
                "limits": limits.configured() | {"max_position_notional": str(MOST_HELD)},
            }
            for number, (symbol, own) in enumerate(zip(self.sharing.symbols, SYMBOLS, strict=True))
        ]
        together: dict[str, Any] = {"max_orders_per_minute": UNBOUND}
        if self.sharing.is_crowded:
            together["max_position_notional"] = str(MOST_TOGETHER)
        profile = self.plan.profile
        timing = msgspec.structs.replace(PROFILES[profile], poll_s=POLL_S[profile])
        document = {
            "deployment": "sim",
            "account": {
                "api_key": "env:SIM_KEY",
                "api_secret": "env:SIM_SECRET",
                "limits": together,
                "reconcile": self.plan.policy.value,
                "venue": {
                    "rest_url": f"http://{HOST}:{PORT}",
                    "stream_url": f"ws://{HOST}:{PORT}/stream",
                    "ws_api_url": f"ws://{HOST}:{PORT}/ws-api/v3",
                },
            },
            "bots": bots,
            "cluster": {"profile": profile, "times": msgspec.to_builtins(timing)},
        }
        return msgspec.convert(document, Config)

    def _strategy(self, number: int, symbol: str) -> dict[str, Any]:
        if not self.plan.alone:
            params = {
                "seed": self.seed, "unit": UNITS[symbol], "patience_s": self.sharing.patience_s,
            }
            if self.sharing.is_crowded:  # they would wish the same at the same bar
                params |= {"seed": self.seed + (number << 40), "is_near": True}
            return {"strategy": f"{_STRATEGY}:Restless", "params": params}
        # One decides while the other's order is under way, so that not both are in doubt at once.
        turn = number * EAGER_TURNS // len(SYMBOLS)
        params = {"turn": turn, "turns": EAGER_TURNS, "quantity": UNITS[symbol]}
        return {"strategy": f"{_STRATEGY}:Eager", "params": params}

    def _last_step(self, life: object) -> None:
        for node in self.nodes:
            if node.account is life:
                node.crash()

    async def live_until_violated(self) -> None:
        """`live`, but no longer than it takes to find the bug that was planted."""
        story = asyncio.create_task(self.live())
        self.checker.on_violation = story.cancel
        await asyncio.wait({story})
        if not story.cancelled():
            story.result()

    async def live(self) -> None:
        """From the first moment to the verdict."""
        await self.exchange.open()
        for node in self.nodes:
            node.start()
        await asyncio.sleep(5)
        faults = asyncio.create_task((self.alone or self.weather).run())
        together = asyncio.create_task(self._combos())
        looking = asyncio.create_task(self.operator.run()) if self.operator is not None else None
        breaking = None
        if self.plan.breaks:
            breaking = self.loop.call_later(
                self.source.uniform(5, max(6, self.minutes * 30)), break_assumption, self.weather
            )
        await asyncio.sleep(self.minutes * 60 - 5)
        await _end(faults)
        await _end(together)
        if breaking is not None:
            breaking.cancel()
        self.weather.heal()
        self.checker.say("all faults end")
        await self._waits_end()
        if self.operator is not None and looking is not None:
            await _end(looking)
            await self.operator.review_all()
        quiet_s = BROKEN_QUIET_S if self.plan.breaks else QUIET_S
        WORLD.quiet_from_ns = WORLD.now_ns + int(SETTLE_S * 1e9)
        await asyncio.sleep(SETTLE_S + quiet_s / 2)
        self.exchange.stop_market()
        await asyncio.sleep(quiet_s / 2)
        judge(
            self.checker, self.exchange, self.nodes, self.backend, SETTLE_S + quiet_s,
            is_restless=not self.sharing.patience_s,
        )

    async def _combos(self) -> None:
        """Where faults come on top of each other; runs without any, and of one at a time, have none
        of these."""
        if self.plan.kinds and not self.plan.alone:
            # Drawn apart: the weather of a seed stays what it was.
            await run_combos(self.weather, random.Random(f"combos {self.seed}"))

    async def _waits_end(self) -> None:
        """Circuit breakers hold entries back for a minute after the last failure, and who begins
        stays away for as long as it was told, as they should; these are none of the faults that
        have ended."""
        for _ in range(MOST_WAIT_LOOKS):
            await asyncio.sleep(WAIT_LOOK_S)
            leads = any(node.trader is not None for node in self.nodes)
            stays_away = WORLD.now_ns < max(patches.STAYS_AWAY_UNTIL_NS.values(), default=0)
            if (leads or not stays_away) and not self.checker.fold.breakers:
                return

    def outcome(self, wall_s: float) -> Outcome:
        """What is told of it."""
        checker = self.checker
        for node in self.nodes:
            for defect in dict.fromkeys(node.defects):
                checker.violate("defect", defect[-3000:])
            if node.final is not None:
                checker.violate("defect", f"{node.machine.name} goes on no more: {node.final}")
        for context in self.loop.failures:
            error = context.get("exception")
            if not (isinstance(error, OSError) or is_of_the_world(error)):
                checker.violate("defect", f"{context.get('message')}: {error!r}")
        counts = Counter(checker.counts)
        counts["starts"] = sum(node.starts for node in self.nodes)
        counts["crashes"] = sum(node.crashes for node in self.nodes)
        counts["turns"] = self.loop.turns
        for kind, number in self.backend.counts.items():
            counts[f"struck {kind}"] += number
        for node in self.nodes:
            for name, number in node.ends.items():
                counts[f"end {name}"] += number
        violations = tuple(checker.violations)
        return Outcome(
            seed=self.seed,
            virtual_s=WORLD.now_s - FIRST_S,
            wall_s=wall_s,
            cpu_s=sum(os.times()[:2]),
            counts=dict(counts),
            violations=violations,
            profile=self.plan.profile,
            gaps_s=tuple(round(gap_s, 3) for gap_s in self.alone.gaps_s) if self.alone else (),
            trace_hash=checker.trace.hexdigest()[:32],
            breaks=self.plan.breaks,
            timeline=_story(violations, checker.events) if violations else (),
        )


def _story(violations: Sequence[Violation], events: Iterable[Event]) -> tuple[Event, ...]:
    """What is told of the order that went wrong, or of the time before something else did."""
    cid = next((one.cid for one in violations if len(one.cid) == CID_LENGTH), "")
    if not cid:
        return tuple(e for e in events if e.at_s <= violations[0].at_s)[-STORY:]
    about = [e for e in events if not e.cids or cid in e.cids]
    first = next((at for at, e in enumerate(about) if cid in e.cids), 0)
    return tuple(about[max(first - 5, len(about) - STORY):])


async def _end(task: asyncio.Task[None]) -> None:
    """End what goes on for ever; what broke it is raised."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


class _Warm:
    """What forked runs share.

    Attributes:
        journal: a file without records; making its tables takes as long as seconds of a run.
    """

    journal = b""


_WARM = _Warm()


def warm_up(directory: Path) -> None:
    """Import everything that a run imports late, so that forked runs share it.

    Args:
        directory: an empty one; what is left in it is of no use afterwards.
    """
    path = directory / "journal.db"
    asyncio.run(SqliteStore(path, inline=True).close())
    SqliteDatabase(path).commands().close()
    _WARM.journal = path.read_bytes()
