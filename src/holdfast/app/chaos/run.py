"""A chaos run: rounds of strike, wait, heal, and every order checked against the exchange.

Read `Chaos.run` from top to bottom. Not here: what a strike does (strikes), what runs (site), or
options and output (cli.chaos).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from holdfast.app.chaos import burner
from holdfast.app.chaos.accounts import Account, takeovers
from holdfast.app.chaos.aim import caught_arming
from holdfast.app.chaos.checks import Checks
from holdfast.app.chaos.orders import POLL_S, Orders
from holdfast.app.chaos.result import Result, Round, by_strike, covered, phases, spread_of
from holdfast.app.chaos.site import Links, Node, Site, running_site
from holdfast.app.chaos.strikes import (
    Able,
    Strike,
    Struck,
    heal,
    left_out,
    possible,
    strike,
)
from holdfast.app.demo.audit import Audit, Finding, Kind
from holdfast.app.demo.processes import Child
from holdfast.app.live.leadership import Takeover
from holdfast.errors import UnreachableError
from holdfast.operations.cpu import Load, Meter

QUIET_POLL_S: Final = 1.0
GAP_TIMEOUT_S: Final = 40.0  # a doubt takes 14 s; beyond twice that nobody goes on
READY_TIMEOUT_S: Final = 120.0
SETTLE_S: Final = 90.0
BEFORE_ITS_ROW: Final = "a byte of it left before its row could be read"
AIMED: Final = 0.5  # of the strikes that stop a process: the others come at any moment
ENDING: Final = "the chaos is ending"
ROUNDS: Final = "rounds.jsonl"
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Say = Callable[[str], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose.

    Attributes:
        folder: an empty one, for everything that the run writes.
        rounds: how often a leader is struck.
        hours: strike nothing for so long instead, beside neighbours that keep the machine busy
            for four fifths of the time; every change of the leader is then a false one.
        leases: one of `site.LEASES`, where they are kept.
        fault: a name of `strikes.FAULTS`.
        accounts: how many each node serves; the leader of one of them is struck, by chance.
        between_hosts: each node believes to be on a host of its own, so that nobody can look
            whether another's process still runs.
        apart: a round begins when nothing of those before is in doubt: one that strikes every five
            seconds holds up all bots at once in the end, each for a doubt of its own, and a gap
            is then what is left of them.
        seed: of what is struck when.
    """

    folder: Path
    rounds: int
    hours: float = 0.0
    store: str = "sqlite"
    leases: str = "journal"
    profile: str = "fast"
    fault: str = "mixed"
    nodes: int = 2
    accounts: int = 1
    between_hosts: bool = False
    apart: bool = False
    seed: int = 0


class Chaos:
    """One run on a site that stands."""

    def __init__(
        self, wanted: Wanted, site: Site, say: Say, progress: Callable[[int], None]
    ) -> None:
        self._wanted = wanted
        self._site = site
        self._say = say
        self._progress = progress
        self._chance = random.Random(wanted.seed)
        self._accounts = [Account(site, name, key) for name, key in site.api_keys.items()]
        self._orders = Orders(site.proxy, {one.name: one.replica for one in self._accounts})
        self._rounds: list[Round] = []
        self._checks = Checks(self._accounts, lambda: len(self._orders.early), say)
        self._explained = 0  # changes of the leader that strikes brought about
        self._stuck = 0
        self._load: Load | None = None
        self._quiet_s = 0.0
        self._is_ending = False
        self._able = Able(
            nodes=wanted.nodes,
            has_store_link=bool(site.store.upstream),
            has_server=site.store.server is not None,
            has_leases=site.leases is not None,
        )

    async def run(self, began_s: float) -> Result:
        """Strike so often, let everything come to rest, and check for the last time."""
        for account in self._accounts:
            account.replica.begin_run()
        if self._wanted.hours:
            await self._quiet()
        strikes = possible(self._wanted.fault, self._able) if self._wanted.rounds else ()
        for number in range(self._wanted.rounds):
            if self._is_ending:
                break
            await self._ready()
            kind = strikes[number % len(strikes)]
            await asyncio.sleep(self._chance.random())  # at any moment of what a leader does
            found = await self._round(kind, number + 1)
            checked = await self._checks.after(number + 1)
            self._keep(msgspec.structs.replace(found, checked=checked))
            self._progress(number + 1)
        await self._ready()
        await self._all_trade()
        return self._result(await self._settle(), began_s)

    def end(self) -> None:
        """Begin nothing more: end the round that is on, check, and tell of what has been done.

        Raises:
            KeyboardInterrupt: asked for the second time, to end at once.
        """
        if self._is_ending:
            raise KeyboardInterrupt
        self._is_ending = True
        self._say("ending: what was done is checked; ask again to end without that")

    def _keep(self, found: Round) -> None:
        """Also in the folder: a long run that is cut short has not been for nothing."""
        self._rounds.append(found)
        with (self._wanted.folder / ROUNDS).open("ab") as file:
            file.write(msgspec.json.encode(found) + b"\n")

    async def _quiet(self) -> None:
        """Leave the nodes alone, on a machine that is busy."""
        await self._ready()
        burners = []
        try:
            for number in range(1, (os.cpu_count() or 1) + 1):
                log = self._wanted.folder / f"burner-{number}.log"
                burners.append(
                    await Child.start(f"burner {number}", [], log, module=burner.__name__)
                )
            meter, began_s = Meter(), time.monotonic()
            while self._quiet_s < self._wanted.hours * 3600 and not self._is_ending:
                await self._orders.read()
                await self._checks.now_and_then()
                await asyncio.sleep(QUIET_POLL_S)
                self._quiet_s = time.monotonic() - began_s
                self._progress(round(self._quiet_s / 60))
            self._load = meter.load()
        finally:
            for one in burners:
                await one.kill()

    async def _ready(self) -> None:
        """Return when somebody leads and trades, and every other node stands by, warm."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        await self._orders.read()
        trading: set[str] = set()
        while not await self._is_ready(trading):
            if time.monotonic() > deadline_s:
                raise UnreachableError(
                    f"seen: no leader that trades with a warm standby in {READY_TIMEOUT_S:.0f} s; "
                    f"expected: both; do: see the logs in {self._wanted.folder}"
                )
            await asyncio.sleep(POLL_S)

    async def _is_ready(self, trading: set[str]) -> bool:
        """Adds whose orders came to `trading`, by boot id."""
        trading |= {order.boot_id for order in await self._orders.read()}
        for node in self._site.nodes:
            if not node.is_running:
                assert node.child is not None  # noqa: S101 - all are started
                raise node.child.failure("ended")
        leaders = [account.leader for account in self._accounts]
        names = self._site.api_keys
        return (
            all([node.is_warm(names) for node in self._site.nodes])  # noqa: C419 - each is read
            and not (self._wanted.apart and any(one.held_up for one in self._accounts))
            and all(
                leader is not None
                and self._node_of(leader) is not None
                and leader.boot_id in trading
                for leader in leaders
            )
        )

    def _node_of(self, leader: Takeover) -> Node | None:
        return next((node for node in self._site.nodes if node.owns(leader.pid)), None)

    async def _round(self, kind: Strike, number: int) -> Round:
        """Strike the leader of an account, wait until its orders flow again, and undo it."""
        account = self._accounts[0]
        if len(self._accounts) > 1:
            account = self._chance.choice(self._accounts)
        leader = account.leader
        assert leader is not None  # noqa: S101 - see `_ready`
        node = self._node_of(leader)
        assert node is not None  # noqa: S101 - the same
        for each in self._accounts:
            each.mark()
        hit = [account] if kind.strikes_one else [
            each for each in self._accounts
            if each.leader is not None and node.owns(each.leader.pid)
        ]  # fmt: skip
        await self._orders.read()
        refused = self._refused()
        may_aim = kind.stops and self._able.has_store_link and self._chance.random() < AIMED
        is_aimed = may_aim and await caught_arming(node, self._orders, account, leader.boot_id)
        struck = await strike(self._site, kind, node, account.name, leader.pid)
        if may_aim:
            await node.link(Links())
        healed = False
        if self._wanted.nodes == 1 and kind.ends_processes:
            await heal(self._site, struck, leader.pid)
            healed = True
        self._orders.mark(struck.mono_ns, account.name, leader.boot_id)
        if kind.moves:
            if not await self._gone_on():
                self._stuck += 1
                self._say(f"{kind.value}: nobody went on within {GAP_TIMEOUT_S:.0f} s")
            await asyncio.sleep(self._chance.random())
        else:
            await asyncio.sleep(1 + 2 * self._chance.random())
        if kind is Strike.PAUSE:
            node.begins_again([each.name for each in hit if each.changes])
        if not healed:
            await heal(self._site, struck, leader.pid)
        await self._ready()
        for each in self._accounts:
            self._explained += kind.explained(len(each.changes), is_hit=each in hit)
        return msgspec.structs.replace(
            self._found(struck, account),
            number=number,
            aimed=is_aimed,
            refused=self._refused() - refused,
        )

    def _refused(self) -> int:
        """Commits that the journal has refused, as far as logs were read."""
        return sum(node.refused for node in self._site.nodes)

    async def _gone_on(self) -> bool:
        deadline_s = time.monotonic() + GAP_TIMEOUT_S
        while self._orders.gap_ms is None:
            if time.monotonic() > deadline_s:
                return False
            await self._orders.read()
            await asyncio.sleep(POLL_S)
        return True

    async def _all_trade(self) -> None:
        """Each bot goes on, not only the one whose order ended a gap."""
        bots = {
            (account.name, bot)
            for account in self._accounts
            for bot in account.replica.state.present
        }
        for account, bot in sorted(await self._orders.without(bots, GAP_TIMEOUT_S)):
            self._stuck += 1
            self._say(f"{bot} of {account} ordered nothing for {GAP_TIMEOUT_S:.0f} s in the end")

    def _found(self, struck: Struck, account: Account) -> Round:
        since = account.changes
        first = since[0] if since else None
        heir = self._node_of(account.leader) if account.leader is not None else None

        def since_ms(at_ns: int) -> float | None:
            return round((at_ns - struck.wall_ns) / 1e6, 1) if at_ns else None

        return Round(
            strike=struck.strike.value,
            gap_ms=self._orders.gap_ms if struck.rest_ms is None else struck.rest_ms,
            silence_ms=self._orders.silence_ms,
            taken_ms=since_ms(first.at_ns) if first else None,
            ready_ms=since_ms(first.ready_ns) if first else None,
            armed_ms=since_ms(first.first_order_ns) if first else None,
            takeovers=len(since),
            account=account.name,
            to=heir.name if heir is not None else "",
        )

    async def _settle(self) -> list[Audit]:
        """No entries any more, every doubt waited out, and everything compared, each account."""
        for account in self._accounts:
            await account.halt(self._site, ENDING)
        deadline_s = time.monotonic() + SETTLE_S
        return [
            await account.checker.settle(
                account.is_halted, lambda: time.monotonic() > deadline_s
            )
            for account in self._accounts
        ]

    def _result(self, last: Sequence[Audit], began_s: float) -> Result:
        for node in self._site.nodes:
            node.is_warm(())  # reads what it has logged
        wanted, changes = self._wanted, takeovers(self._accounts)
        states = [account.replica.state for account in self._accounts]
        return Result(
            rounds=len(self._rounds),
            quiet_hours=round(self._quiet_s / 3600, 4),
            quiet_busy=None if self._load is None else round(self._load.busy, 3),
            quiet_stolen=None if self._load is None else round(self._load.stolen, 3),
            gap_ms=spread_of(one.gap_ms for one in self._rounds if one.gap_ms is not None),
            duplicate_orders=sum(one.duplicate_orders for one in last),
            lost_orders=sum(one.lost_orders for one in last),
            unresolved_orders=sum(one.unresolved_orders for one in last),
            ghosts=sum(state.counters.ghosts for state in states),
            stale_epoch_writes_refused=self._refused(),
            false_failovers=changes - self._explained,
            by_strike=by_strike(self._rounds),
            phases_ms=phases(self._rounds),
            takeovers=changes,
            ended_early=self._is_ending,
            stuck=self._stuck,
            orders=sum(one.orders for one in last),
            fills=sum(one.executions for one in last),
            doubts=sum(state.counters.doubts for state in states),
            epoch=max(state.epoch for state in states),
            store=wanted.store,
            leases=wanted.leases,
            profile=wanted.profile,
            fault=wanted.fault,
            nodes=wanted.nodes,
            accounts=wanted.accounts,
            between_hosts=wanted.between_hosts,
            apart=wanted.apart,
            seed=wanted.seed,
            seconds=round(time.monotonic() - began_s, 1),
            settled=all(one.is_settled for one in last),
            findings=(
                *(finding for one in last for finding in one.findings),
                *(Finding(Kind.LOST, cid, BEFORE_ITS_ROW) for cid in self._orders.early),
            ),
            skipped=() if wanted.hours else left_out(wanted.fault, self._able),
            each=covered(self._rounds, self._checks.so_far(len(self._rounds))),
        )


async def run_chaos(wanted: Wanted, say: Say, progress: Callable[[int], None]) -> Result:
    """Run it from start to end; whatever happens, no process is left.

    Args:
        say: told of what happens, a sentence at a time.
        progress: told how many rounds are over.

    Raises:
        ConfigError: nothing of the fault can be done with so many nodes.
        ConfigError, UnreachableError: something does not start, or nobody trades any more.
    """
    began_s = time.monotonic()
    if wanted.rounds:
        possible(wanted.fault, _able_to_be(wanted))  # raises before anything is started
    async with running_site(
        wanted.folder,
        store=wanted.store,
        leases=wanted.leases,
        profile=wanted.profile,
        nodes=wanted.nodes,
        accounts=wanted.accounts,
        between_hosts=wanted.between_hosts,
        seed=wanted.seed,
        say=say,
    ) as site:
        run = Chaos(wanted, site, say, progress)
        loop = asyncio.get_running_loop()
        for number in _ENDING_SIGNALS:
            loop.add_signal_handler(number, run.end)
        try:
            return await run.run(began_s)
        finally:
            for number in _ENDING_SIGNALS:
                loop.remove_signal_handler(number)


def _able_to_be(wanted: Wanted) -> Able:
    """What its site will have; a server may still turn out to be somebody else's."""
    return Able(
        nodes=wanted.nodes,
        has_store_link=wanted.store == "postgres",
        has_server=True,
        has_leases=wanted.leases == "redis",
    )
