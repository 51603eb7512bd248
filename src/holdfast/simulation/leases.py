"""The lease store of a world: leases in memory, and each node's way there, which may fail.

Not here: leases themselves (cluster.memory), troubles on the way (store).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import Claim, Member, Seen, View
from holdfast.simulation.clock import Life
from holdfast.simulation.store import Backend, Way, at_once


class Leases:
    """What all nodes share.

    Attributes:
        runs: whether the process of a member runs, as its operating system says.
        on_claim: told of every claim that is written, with the one before it.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.on_claim: list[Callable[[Claim, Claim], None]] = []
        self.store = _Watched(self.on_claim)
        self.runs: Callable[[Member], bool] = lambda _member: True

    def plan(self, account: str, node: str) -> bool:
        """An operator's wish that the node called so leads from now on."""
        view: View = at_once(self.store.view())
        for seen in view.members:
            if seen.member.node == node:
                return bool(at_once(self.store.plan(account, seen.member.boot_id)))
        return False


class _Watched(MemoryLeases):
    """Leases in memory, of which every claim that is written is told."""

    def __init__(self, told: Sequence[Callable[[Claim, Claim], None]]) -> None:
        super().__init__()
        self._told = told

    def _put(self, claim: Claim) -> None:
        before = self._claims.get(claim.account)
        super()._put(claim)
        if before is not None:
            for told in self._told:
                told(before, claim)


class LeaseLine(Way):
    """`LeaseStore` as one keeper sees it."""

    def __init__(self, leases: Leases, life: Life) -> None:
        super().__init__(leases.backend, life)
        self._store = leases.store

    async def join(self, member: Member) -> None:
        """See the port; so for all of these."""
        await self._do(self._store.join, member, writes=True)

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        """One more renewal."""
        found: tuple[Claim, ...] | None = await self._call(
            _at_once, self._store.renew, boot_id, writes=True
        )
        return found

    async def view(self) -> View:
        """As of one moment."""
        found: View = await self._call(_at_once, self._store.view)
        return found

    async def sync(self) -> None:
        """As slow as a commit is."""
        await self._do(self._store.sync, writes=True)

    async def take(self, boot_id: str, claims: Sequence[Claim], of: Seen | None) -> frozenset[str]:
        """Those of `claims` that still are what they were."""
        found: frozenset[str] = await self._do(
            self._store.take, boot_id, claims, of, writes=True
        )
        return found

    async def hand(self, claim: Claim, to: str) -> bool:
        """From its holder."""
        return bool(await self._do(self._store.hand, claim, to, writes=True))

    async def plan(self, account: str, to: str, instead_of: str | None = None) -> bool:
        """Asked of its holder."""
        return bool(await self._do(self._store.plan, account, to, instead_of, writes=True))

    async def leave(self, boot_id: str) -> None:
        """Be no member any more."""
        await self._do(self._store.leave, boot_id, writes=True)

    async def forget(self, seen: Seen) -> None:
        """One that is gone."""
        await self._do(self._store.forget, seen, writes=True)

    async def close(self) -> None:
        """The world keeps it."""

    async def _do(self, method: Callable[..., Any], *args: Any, writes: bool = False) -> Any:
        return await self._call(_at_once, method, *args, writes=writes)


def _at_once(method: Callable[..., Any], *args: Any) -> Any:
    return at_once(method(*args))
