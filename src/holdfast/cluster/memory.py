"""Leases in memory: nodes of one process, simulation, and tests of everything above the port.

Not here: nodes in processes of their own (the other stores).
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.cluster.port import ANY, Claim, Member, Seen, View, already_there


class MemoryLeases:
    """One store for all who share this object; each call is atomic because none ever waits."""

    def __init__(self) -> None:
        self._members: dict[str, Seen] = {}
        self._claims: dict[str, Claim] = {}
        self._in_order: tuple[Claim, ...] | None = None  # until one of them changes

    async def join(self, member: Member) -> None:
        """Enter `member`, and its accounts where they are new."""
        known = self._members.get(member.boot_id)
        if known is not None and known != Seen(member, 0):
            raise already_there(member)
        self._members[member.boot_id] = Seen(member, 0)
        for account in member.accounts:
            if account not in self._claims:
                self._put(Claim(account, "", 0))

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        """One more renewal; the claims that are this member's."""
        seen = self._members.get(boot_id)
        if seen is None:
            return None
        self._members[boot_id] = Seen(seen.member, seen.renewals + 1)
        return tuple([claim for claim in self._sorted() if claim.boot_id == boot_id])

    async def view(self) -> View:
        """Members and claims, each in the order of its key."""
        return View(tuple([seen for _, seen in sorted(self._members.items())]), self._sorted())

    async def sync(self) -> None:
        """Nothing here outlasts anything."""

    async def take(self, boot_id: str, claims: Sequence[Claim], of: Seen | None) -> frozenset[str]:
        """Give this member those of `claims` that still are what they were seen to be."""
        if boot_id not in self._members:
            return frozenset()
        if of is not None and self._renewals(of.member.boot_id) != of.renewals:
            return frozenset()
        taken: set[str] = set()
        for claim in claims:
            holder = self._members.get(claim.boot_id)
            is_of = holder is None if of is None else claim.boot_id == of.member.boot_id
            if is_of and self._is_still(claim):
                self._give(claim.account, boot_id)
                taken.add(claim.account)
        return frozenset(taken)

    async def hand(self, claim: Claim, to: str) -> bool:
        """Its holder gives an account to the member `to`, or with an empty `to` to nobody."""
        if not self._is_still(claim) or (to and not self._may_lead(to, claim.account)):
            return False
        self._give(claim.account, to)
        return True

    async def plan(self, account: str, to: str, instead_of: str | None = None) -> bool:
        """Ask the holder of `account` to hand it to the member `to`; empty calls it off."""
        claim = self._claims.get(account)
        named = to and not to.startswith(ANY)
        if claim is None or (named and not self._may_lead(to, account)):
            return False
        if instead_of not in {None, claim.wanted}:
            return False
        wanted = "" if to == claim.boot_id else to
        self._put(Claim(account, claim.boot_id, claim.turn, wanted))
        return True

    async def leave(self, boot_id: str) -> None:
        """Remove the member; what it still holds is nobody's."""
        if self._members.pop(boot_id, None) is None:
            return
        for claim in self._sorted():
            if claim.boot_id == boot_id:
                self._give(claim.account, "")
        self._call_off(boot_id)

    async def forget(self, seen: Seen) -> None:
        """Remove a member that holds nothing and has not renewed since it was seen."""
        boot_id = seen.member.boot_id
        holds = any(claim.boot_id == boot_id for claim in self._claims.values())
        if not holds and self._renewals(boot_id) == seen.renewals:
            del self._members[boot_id]
            self._call_off(boot_id)

    async def close(self) -> None:
        """Nothing to release: what was entered stays until the object itself is gone."""

    def _sorted(self) -> tuple[Claim, ...]:
        if self._in_order is None:
            self._in_order = tuple([self._claims[account] for account in sorted(self._claims)])
        return self._in_order

    def _put(self, claim: Claim) -> None:
        self._claims[claim.account] = claim
        self._in_order = None

    def _renewals(self, boot_id: str) -> int | None:
        seen = self._members.get(boot_id)
        return None if seen is None else seen.renewals

    def _is_still(self, claim: Claim) -> bool:
        now = self._claims.get(claim.account)
        return now is not None and (now.boot_id, now.turn) == (claim.boot_id, claim.turn)

    def _may_lead(self, boot_id: str, account: str) -> bool:
        seen = self._members.get(boot_id)
        return seen is not None and account in seen.member.accounts

    def _give(self, account: str, to: str) -> None:
        old = self._claims[account]
        is_over = old.wanted == to or (to and old.wanted.startswith(ANY))
        wanted = "" if is_over else old.wanted
        self._put(Claim(account, to, old.turn + 1, wanted))

    def _call_off(self, boot_id: str) -> None:
        for claim in self._sorted():
            if claim.wanted == boot_id:
                self._put(Claim(claim.account, claim.boot_id, claim.turn))
