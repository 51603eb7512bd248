"""Who takes part in a cluster, as a person sees it, and moving an account by plan.

Not here: doing it (cluster.keeper), what an account is (operator).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from holdfast.app.live.opening import database_of
from holdfast.cluster.open import lease_store_at, lease_url_beside
from holdfast.cluster.port import ANY, Claim, LeaseStore
from holdfast.cluster.timing import Timing
from holdfast.config import Config
from holdfast.domain.fact import Reconciled, Rested, TookOver
from holdfast.errors import ConfigError, UnreachableError
from holdfast.journal.database import Database
from holdfast.journal.reading import head_of
from holdfast.journal.record import Record

T = TypeVar("T")

POLL_S = 0.02
PATIENT = Timing(renew_s=1.0, ttl_s=12.0, call_s=5.0)
"""For who holds no lease: a call that takes longer than a renewal may costs a person nothing."""


class Node(msgspec.Struct, frozen=True):
    """A node as the others see it.

    Attributes:
        is_live: whether it renewed while it was looked at.
        leads: accounts.
        accounts: that it may lead.
    """

    name: str
    boot_id: str
    pid: int
    version: str
    is_live: bool
    leads: tuple[str, ...]
    accounts: tuple[str, ...] = ()


class Handover(msgspec.Struct, frozen=True):
    """An account that moved.

    Attributes:
        seq: of the record in which the new leader took over.
        gap_ms: from when the old leader had come to rest until the new one could arm; None when
            the old one ended in another way.
    """

    account: str
    node: str
    seq: int
    gap_ms: float | None


def nodes(config: Config, watch_s: float | None = None) -> list[Node]:
    """All members, by name.

    Args:
        watch_s: how long to watch who renews; a little more than one renewal unless told.

    Raises:
        ConfigError, RetryableError: the lease store cannot be read.
    """
    return asyncio.run(_with_leases(config, lambda store: _nodes(store, config, watch_s)))


def hand_over(config: Config, account: str, to: str, wait_s: float) -> Handover:
    """Move `account` to the node named `to`, and wait until it leads there.

    Where no live node has that name, to one that runs the version `to`. Of several the one is taken
    that is warm and asks first; each has its turn as when a leader is lost. `Handover.node` says
    which it was.

    Raises:
        ConfigError: there is no such node, it may not lead the account, or leads it already.
        UnreachableError: it did not lead within `wait_s`, and the plan is called off; or somebody
            else planned otherwise.
    """
    return asyncio.run(
        _with_leases(config, lambda store: _hand_over(store, config, account, to, wait_s))
    )


async def _with_leases(config: Config, work: Callable[[LeaseStore], Awaitable[T]]) -> T:
    url = config.cluster.lease_url or lease_url_beside(config.database_url)
    store = lease_store_at(url, PATIENT, config.deployment)
    try:
        return await work(store)
    finally:
        await store.close()


async def _nodes(
    store: LeaseStore, config: Config, watch_s: float | None = None
) -> list[Node]:
    before = await store.view()
    await asyncio.sleep(watch_s or 1.5 * config.cluster.timing.renew_s)
    after = await store.view()
    renewed = {seen.member.boot_id: seen.renewals for seen in before.members}
    return sorted(
        (
            Node(
                name=seen.member.node,
                boot_id=seen.member.boot_id,
                pid=seen.member.pid,
                version=seen.member.version,
                is_live=seen.renewals > renewed.get(seen.member.boot_id, -1),
                leads=tuple(c.account for c in after.claims if c.boot_id == seen.member.boot_id),
                accounts=seen.member.accounts,
            )
            for seen in after.members
        ),
        key=lambda node: (node.name, node.boot_id),
    )


async def _hand_over(
    store: LeaseStore, config: Config, account: str, to: str, wait_s: float
) -> Handover:
    database = database_of(config)
    heirs = _heirs(await _nodes(store, config), account, to)
    head = _last_seq(database, account)
    if not await store.plan(account, heirs.plan):
        raise ConfigError(
            f"seen: node {to} does not lead {account}; expected: a node whose configuration has "
            "it; do: name another"
        )
    deadline_s = time.monotonic() + wait_s
    while True:
        claim = await _claim_of(store, account)
        new = list(database.read(account, head))
        for heir in heirs.nodes.values():
            if (done := _done(account, heir, new)) is not None:
                return done
        if not {claim.boot_id, claim.wanted} & {heirs.plan, *heirs.nodes}:
            raise UnreachableError(
                f"seen: {account} is not to be led by {heirs.called} any more: it went elsewhere, "
                "or somebody planned otherwise; expected: a handover; do: look at "
                "`holdfast cluster nodes`"
            )
        if time.monotonic() > deadline_s:
            for wanted in (heirs.plan, *heirs.nodes):
                await store.plan(account, "", instead_of=wanted)
            raise UnreachableError(
                f"seen: {account} was not led by {heirs.called} within {wait_s:g} s; expected: a "
                "handover; do: look at `holdfast cluster nodes` and at the log of its leader"
            )
        await asyncio.sleep(POLL_S)


class _Heirs(msgspec.Struct, frozen=True):
    """Who may be given an account, by boot id, what is planned for that, and what to call them."""

    nodes: dict[str, Node]
    plan: str
    called: str


def _heirs(found: list[Node], account: str, to: str) -> _Heirs:
    """The node of that name, or else whichever is warm of those that run that version."""
    live = [node for node in found if node.is_live]
    named = [node for node in live if to in {node.name, node.boot_id}]
    able = named or [node for node in live if node.version == to and account in node.accounts]
    leader = next((node for node in able if account in node.leads), None)
    if leader is not None:
        raise ConfigError(
            f"seen: {leader.name}, version {leader.version}, leads {account} already; expected: "
            "another node; do: nothing"
        )
    if len(named) > 1 or not able:
        there = ", ".join(f"{node.name} ({node.version})" for node in live)
        raise ConfigError(
            f"seen: {len(named)} live nodes called {to}, and none of that version which may lead "
            f"{account}; expected: one of {there or 'none is there'}; do: correct the name"
        )
    nodes = {node.boot_id: node for node in able}
    if named:
        return _Heirs(nodes, named[0].boot_id, named[0].name)
    return _Heirs(nodes, ANY + to, f"a node of version {to}")


def _last_seq(database: Database, account: str) -> int:
    database.require()
    with database.one_moment() as rows:
        return head_of(database.name, rows, account).seq


async def _claim_of(store: LeaseStore, account: str) -> Claim:
    claims = (await store.view()).claims
    return next((claim for claim in claims if claim.account == account), Claim(account, "", 0))


def _done(account: str, to: Node, new: list[Record]) -> Handover | None:
    """The handover in what was written since it was asked for; None while it is under way.

    Who else led meanwhile is nobody that it was asked for.
    """
    rested: Record | None = None
    begun: Record | None = None
    for record in new:
        if isinstance(record.fact, Rested):
            rested, begun = record, None
        elif isinstance(record.fact, TookOver) and _is_by(record.fact, to):
            begun = record
        elif isinstance(record.fact, TookOver):
            rested = begun = None
        elif begun is not None and isinstance(record.fact, Reconciled):
            gap_ms = (record.at_ns - rested.at_ns) / 1e6 if rested is not None else None
            return Handover(account, to.name, begun.seq, gap_ms)
    return None


def _is_by(fact: TookOver, to: Node) -> bool:
    """Whether a process of the node took over; one without a name is called by its machine."""
    name = fact.node.rpartition(":")[0]
    return to.name in {name, f"{name}-{to.pid}"}
