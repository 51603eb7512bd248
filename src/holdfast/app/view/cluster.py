"""The nodes as the lease store shows them, looked at now and then.

Not here: electing (the room of the same name), what the journals say of leaders (live.leadership).
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec

from holdfast.app.live.members import Node
from holdfast.cluster.open import lease_store_at, lease_url_beside
from holdfast.cluster.port import LeaseStore, View
from holdfast.config import Config
from holdfast.errors import ConfigError, OutcomeUnknownError, RetryableError
from holdfast.telemetry.log import get_logger

log = get_logger("app.view")

LOOK_S: Final = 0.5
MISSED: Final = 2.5
"""Renewals that a member may miss before it is shown as one that does not live."""


class _Renewed(msgspec.Struct):
    count: int
    at_s: float


class Nodes:
    """Members and what each leads, as of the last look.

    Attributes:
        is_reached: the store answered the last time.
    """

    def __init__(self, config: Config) -> None:
        self._url = config.cluster.lease_url or lease_url_beside(config.database_url)
        self._timing = config.cluster.timing
        self._deployment = config.deployment
        self._patience_s = MISSED * self._timing.renew_s + LOOK_S
        self._renewed: dict[str, _Renewed] = {}
        self._seen: tuple[Node, ...] = ()
        self._seen_s: float | None = None
        self.profile = config.cluster.profile
        self.is_reached = False

    @property
    def unread_s(self) -> float:
        """How long the store has told nothing, beyond what is usual; 0 while it tells.

        It is asked when somebody wants to know: a store may as well hang as refuse.
        """
        waited_s = 0.0 if self._seen_s is None else time.monotonic() - self._seen_s
        return waited_s if waited_s >= self._patience_s else 0.0

    @property
    def all(self) -> tuple[Node, ...]:
        """By name and start; empty until the store was read. Of old news nobody is live."""
        if self.unread_s:
            return tuple(msgspec.structs.replace(node, is_live=False) for node in self._seen)
        return self._seen

    def leader_of(self, account: str) -> str | None:
        """Name of the live node that has the lease of an account."""
        return next((n.name for n in self.all if n.is_live and account in n.leads), None)

    def that_have(self, account: str) -> tuple[str, ...]:
        """Names of the live nodes that may lead an account."""
        return tuple(node.name for node in self.all if node.is_live and account in node.accounts)

    async def run(self) -> None:
        """Look until cancelled."""
        store: LeaseStore | None = None
        self._seen_s = time.monotonic()
        try:
            while True:
                try:
                    if store is None:
                        store = lease_store_at(self._url, self._timing, self._deployment)
                    self._take(await store.view())
                    self.is_reached = True
                except (RetryableError, OutcomeUnknownError, ConfigError) as error:
                    if self.is_reached:
                        log.warning("leases not read", action="leases_wait", why=str(error))
                    self.is_reached = False
                await asyncio.sleep(LOOK_S)
        finally:
            if store is not None:
                await store.close()

    def _take(self, view: View) -> None:
        self._seen_s = now_s = time.monotonic()
        found = []
        for seen in view.members:
            member = seen.member
            renewed = self._renewed.get(member.boot_id)
            if renewed is None or renewed.count != seen.renewals:
                renewed = self._renewed[member.boot_id] = _Renewed(seen.renewals, now_s)
            found.append(
                Node(
                    name=member.node,
                    boot_id=member.boot_id,
                    pid=member.pid,
                    version=member.version,
                    is_live=now_s - renewed.at_s < self._patience_s
                    and seen.is_connected is not False,
                    leads=tuple(c.account for c in view.claims if c.boot_id == member.boot_id),
                    accounts=member.accounts,
                )
            )
        there = {node.boot_id for node in found}
        self._renewed = {boot: seen for boot, seen in self._renewed.items() if boot in there}
        self._seen = tuple(sorted(found, key=lambda node: (node.name, node.boot_id)))
