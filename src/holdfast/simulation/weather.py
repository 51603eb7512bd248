"""The weather of a run: which faults there are, how often, and when; all drawn from its seed.

Each run draws its own kinds and rates (swarm), and some have none. Not here: what a
fault does (faults).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.cluster.timing import PROFILES
from holdfast.config import ReconcilePolicy
from holdfast.exchange.accounts import FeePlan
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.simulation.checker import Checker
from holdfast.simulation.exchange import SimExchange
from holdfast.simulation.faults import KINDS
from holdfast.simulation.leases import Leases
from holdfast.simulation.loop import VirtualLoop
from holdfast.simulation.network import Link, Network
from holdfast.simulation.node import SimNode
from holdfast.simulation.outsiders import KINDS as OUTSIDE
from holdfast.simulation.outsiders import withdraw_orders
from holdfast.simulation.store import Backend, Trouble


class Plan(msgspec.Struct, frozen=True):
    """What a seed draws before anything runs.

    Attributes:
        kinds: faults that this run has.
        every_s: seconds between two faults, on average.
        breaks: it breaks an assumption on purpose.
        store_delay_s: to the store, one way; 0 is a file.
        net_delay_s: to the exchange, one way.
        rates: each machine's monotonic clock against the world's.
        profile: of the leases.
        walls_s: what each machine's wall clock is ahead from the beginning.
        policy: about what others do on the account.
        alone: faults strike one at a time, while all else is well.
        one_host: the machines are processes of one, which see each other end.
    """

    kinds: tuple[str, ...]
    every_s: float
    breaks: str
    store_delay_s: float
    net_delay_s: float
    rates: tuple[float, ...]
    profile: str
    one_host: bool
    walls_s: tuple[float, ...]
    policy: ReconcilePolicy
    alone: bool

    @property
    def meddles(self) -> bool:
        """Whether people do something on the account beside the platform."""
        return not self.alone and any(kind in OUTSIDE for kind in self.kinds)


class Sharing(msgspec.Struct, frozen=True):
    """What the bots of a seed have to share.

    Attributes:
        cash: quote units that the account begins with; in some about what the bots want together,
            so that purchases compete.
        symbols: of each bot.
        patience_s: how long they wish the same; 0 for another wish at each bar.
    """

    cash: Decimal
    symbols: tuple[str, ...]
    patience_s: int = 0

    @property
    def is_crowded(self) -> bool:
        """Whether bots trade one symbol."""
        return len(set(self.symbols)) < len(self.symbols)


CALM_SHARE = 0.06
BREAKING_SHARE = 0.06
MEDDLING_SHARE = 0.2
ALONE_SHARE = 0.08
WRONG_CLOCKS_SHARE = 0.3
THIRD_ASSET_SHARE = 0.2
THIRD_ASSET = "BNB"
SHORT_OF_CASH_SHARE = 0.2
CROWDED_SHARE = 0.2
PATIENT_SHARE = 0.15
PATIENCE_S = (15, 30, 45)  # a doubt ends within 14: what it held up is asked for again
PLENTY = Decimal(100_000)
LITTLE = (1_400, 3_000)  # quote units, for bots that want up to 2,000 each
BREAKERS = ("engine_beyond_m", "doubled_order")
ALL_KINDS = KINDS | OUTSIDE
# Not `ignore`: it leaves books and balances apart, which is what it is for.
POLICIES = (ReconcilePolicy.HALT, ReconcilePolicy.QUARANTINE, ReconcilePolicy.ADOPT)


def draw_plan(source: random.Random, machines: int) -> Plan:
    """The plan of a seed."""
    names = sorted(ALL_KINDS)
    kinds = tuple(name for name in names if source.random() < source.choice((0.25, 0.5, 0.8)))
    if source.random() < CALM_SHARE:
        kinds = ()
    breaks = source.choice(BREAKERS) if source.random() < BREAKING_SHARE else ""
    if breaks or source.random() >= MEDDLING_SHARE:  # ghosts and others' orders look alike
        kinds = tuple(name for name in kinds if name not in OUTSIDE)
    drift = source.random() < 0.3
    wrong = source.random() < WRONG_CLOCKS_SHARE
    return Plan(
        kinds=kinds,
        every_s=source.choice((1.5, 3.0, 6.0, 12.0)),
        breaks=breaks,
        store_delay_s=source.choice((0.0, 0.0, 0.0005, 0.003)),
        net_delay_s=source.choice((0.0005, 0.005, 0.025, 0.08)),
        rates=tuple(
            1 + source.uniform(-0.0004, 0.0004) if not drift else 1 + source.uniform(-0.01, 0.01)
            for _ in range(machines)
        ),
        profile=source.choice(sorted(PROFILES)),
        one_host=source.random() < 0.3,
        walls_s=tuple(source.uniform(-60, 60) if wrong else 0.0 for _ in range(machines)),
        policy=source.choice(POLICIES),
        alone=not breaks and machines > 1 and source.random() < ALONE_SHARE,
    )


def draw_purse(source: random.Random) -> tuple[FeePlan, dict[str, Decimal]]:
    """What the account pays for trades, and what it has for that; it may run out in mid-run."""
    if source.random() >= THIRD_ASSET_SHARE:
        return FeePlan(), {}
    return FeePlan(asset=THIRD_ASSET), {THIRD_ASSET: Decimal(source.randint(10, 400)) / 1000}


def draw_sharing(source: random.Random, symbols: tuple[str, ...], *, must_pay: bool) -> Sharing:
    """What a seed's bots have to share.

    Args:
        symbols: a bot's own each, unless they are to trade the first together.
        must_pay: no purchase may have to wait for another bot's.
    """
    is_short, is_crowded = source.random() < SHORT_OF_CASH_SHARE, source.random() < CROWDED_SHARE
    little = Decimal(source.randint(*LITTLE))
    return Sharing(
        cash=little if is_short and not must_pay else PLENTY,
        symbols=symbols[:1] * len(symbols) if is_crowded else symbols,
        patience_s=source.choice(PATIENCE_S) if source.random() < PATIENT_SHARE else 0,
    )


class Weather:
    """Brings faults about until told to stop, and then heals everything."""

    def __init__(
        self, *, loop: VirtualLoop, plan: Plan, source: random.Random, network: Network,
        exchange: SimExchange, backend: Backend, nodes: list[SimNode], checker: Checker,
        leases: Leases,
    ) -> None:
        self.loop = loop
        self.plan = plan
        self.random = source
        self.network = network
        self.exchange = exchange
        self.backend = backend
        self.nodes = nodes
        self.checker = checker
        self.leases = leases
        self.has_ended = False

    async def run(self) -> None:
        """One fault after the other, until cancelled."""
        if not self.plan.kinds:
            return
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self.plan.every_s))
            kind = self.random.choice(self.plan.kinds)
            self.checker.on_fault(kind)
            ALL_KINDS[kind](self)

    def heal(self) -> None:
        """End every fault for good."""
        self.has_ended = True
        self.mend()
        withdraw_orders(self)

    def mend(self) -> None:
        """End every fault that is under way."""
        self.exchange.desk.gateway.faults.clear()
        self.exchange.desk.gateway.incidents.end_all()
        for node in self.nodes:
            node.crash_at, node.fail_at, node.hold_at = "", "", None
            if node.account is not None:
                node.account.stumbles = 0
            self.backend.trouble(node.machine.name).clear()
            link = self.network.link(node.machine.name)
            link.delay_s = self.plan.net_delay_s
            link.heal()

    # -- for the kinds -----------------------------------------------------------------------------

    def node(self) -> SimNode:
        """One of the nodes, rather one that trades."""
        trading = [node for node in self.nodes if node.trader is not None]
        return self.random.choice(trading or self.nodes)

    def hand_over(self) -> None:
        """An operator wants another node to lead."""
        node = self.random.choice(self.nodes)
        self.leases.plan(node.config.account.name, node.machine.name)

    def link(self) -> Link:
        """The way of one of the nodes to the exchange."""
        return self.network.link(self.node().machine.name)

    def trouble(self) -> Trouble:
        """The way of one of the nodes to the store."""
        return self.backend.trouble(self.node().machine.name)

    def uniform(self, least: float, most: float) -> float:
        """A draw."""
        return self.random.uniform(least, most)

    def later(self, after_s: float, action: Callable[[], object]) -> None:
        """Do something later, unless all is healed by then."""

        def act() -> None:
            if not self.has_ended:
                action()

        self.loop.call_later(after_s, act)

    def inject(
        self, kind: FaultKind, *, p: float = 1.0, match: dict[str, str] | None = None,
        for_s: float = 3.0, **params: Any,
    ) -> None:
        """A fault of the exchange, for a while."""
        params["for_ms"] = for_s * 1000
        fault = Fault(kind, Match(**(match or {})), probability=p, params=params)
        try:
            self.exchange.desk.admin.inject(fault)
        except RefusedError as refusal:
            self.checker.say(f"fault not possible: {refusal}")
