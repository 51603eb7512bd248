"""Who should take what: decided from what was seen, and from when it was seen.

Lives here: the judgement of one member about the others. It reads no clock and asks no store; what
it wants may be refused by the store, which compares again. Not here: when to look (keeper).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from holdfast.cluster.port import Claim, Member, Seen, View, is_for_any
from holdfast.cluster.timing import Timing

FORGET_TTLS: Final = 10
"""A dead member is shown to people for so many lifetimes of a lease before it is removed."""

UNDER_WAY_S: Final = 10.0
"""A renewal may be so long on its way to the store: whoever sent it may be gone as it arrives."""


class Take(msgspec.Struct, frozen=True):
    """What to ask of `LeaseStore.take`, in one call.

    Attributes:
        claims: one or many.
        of: the member that they are taken from; None when they are nobody's.
    """

    claims: tuple[Claim, ...]
    of: Seen | None


class _Watched(msgspec.Struct):
    """A counter, when it was first seen, and since when it has stood still, by both clocks."""

    renewals: int
    first_ns: int
    since_ns: int
    since_sight_ns: int
    moved: bool = False  # since it was first seen: its member lives, or lived a moment ago
    moves_late: bool = False  # also `UNDER_WAY_S` after it was first seen, for certain


class Election:
    """One member's memory of the others, and its judgement.

    Everything is measured on the clock of whoever looks; only differences count. How long a member
    has been silent is measured by the clock of sight, which stops while nobody looks: what makes a
    member silent and stops those who look as well, a host that gets no processor for a while or a
    store that answers nobody, has killed nobody.

    Args:
        me: who judges; it takes nothing that is not among its accounts.
    """

    def __init__(self, me: Member, timing: Timing) -> None:
        self._me = me
        self._ttl_ns = round(timing.ttl_s * 1e9)
        self._hint_ns = round(timing.hint_s * 1e9)
        self._turn_ns = round(timing.poll_s * 1e9) // 2  # so the next look, late or early, is it
        self._members: dict[str, _Watched] = {}
        self._sight_ns = round((timing.renew_s + timing.poll_s) * 1e9)  # from one look to the next
        self._blind_ns = 0  # by which the clock of sight is behind
        self._claims: dict[tuple[str, str, int], int] = {}  # since when each is as it is, by sight
        self._seen_claims: tuple[Claim, ...] = ()  # when it was written down
        self._free: dict[tuple[str, str, int], int] = {}  # since when each could be taken
        self._offered: dict[tuple[str, str, int, str], int] = {}  # since when each is
        self._judged: tuple[View, int, frozenset[str]] | None = None  # who lives, by the last look
        self._sorted: tuple[View, dict[str, Seen]] | None = None  # members of the last view
        self._looked_ns = self._viewed_ns = 0  # at the last look; before the last view was asked

    def look(self, view: View, now_ns: int, is_gone: Callable[[Member], bool]) -> list[Take]:
        """What to take now; most often nothing.

        Args:
            now_ns: read *after* `view` was answered: a renewal is never older than its first sight.
            is_gone: whether a process of this host has ended, for certain.
        """
        seen = self._watch(view, now_ns)
        if self._me.boot_id not in seen:
            return []
        dead = {i for i, one in seen.items() if self._is_dead(one, now_ns, is_gone)}
        me = self._me.boot_id
        watched = self._members
        living = frozenset([i for i in seen if i == me or (watched[i].moved and i not in dead)])
        self._judged = view, now_ns, living
        found: dict[str, list[Claim]] = {}
        free: dict[tuple[str, str, int], int] = {}
        for claim in view.claims:
            if claim.boot_id in seen:
                is_free = claim.boot_id in dead
            else:
                is_free = not claim.boot_id or self._stood_ns(claim, now_ns) >= self._ttl_ns
            if not is_free or claim.account not in self._me.accounts:
                continue
            live = [one.member for boot_id, one in seen.items() if boot_id in living]
            since_ns = free[_key(claim)] = self._free.get(_key(claim), now_ns)
            if self._is_first(claim, live) or now_ns - since_ns >= self._turn_ns:
                holder = claim.boot_id if claim.boot_id in seen else ""
                found.setdefault(holder, []).append(claim)
        self._free = free
        return [Take(tuple(claims), seen.get(holder)) for holder, claims in found.items()]

    def offered(self, view: View, now_ns: int, live: frozenset[str]) -> list[Claim]:
        """What other members lead, and this one may ask for now: whoever could lead is looked for.

        Of several that could, each has its turn as with what is nobody's.

        Args:
            live: as `live` found it of this view.
        """
        since: dict[tuple[str, str, int, str], int] = {}
        found: list[Claim] = []
        for claim in view.claims:
            if not is_for_any(claim.wanted, self._me.version) or claim.boot_id == self._me.boot_id:
                continue
            if claim.account not in self._me.accounts:
                continue
            key = (*_key(claim), claim.wanted)
            since[key] = self._offered.get(key, now_ns)
            others = live - {claim.boot_id}
            able = [one.member for one in view.members if one.member.boot_id in others]
            able = [one for one in able if is_for_any(claim.wanted, one.version)]
            if self._is_first(claim, able) or now_ns - since[key] >= self._turn_ns:
                found.append(claim)
        self._offered = since
        return found

    def live(
        self, view: View, now_ns: int, is_gone: Callable[[Member], bool]
    ) -> frozenset[str]:
        """Boot ids of the members that are known to live, this one among them.

        A member lives when it has renewed since it was first seen, and is not taken for dead. What
        `look` found of the same view at the same moment is not found out again.

        Args:
            view, now_ns, is_gone: as `look` had them before.
        """
        if self._judged is not None and self._judged[0] is view and self._judged[1] == now_ns:
            return self._judged[2]
        return frozenset(
            boot_id
            for boot_id, seen in self._by_boot_id(view).items()
            if boot_id == self._me.boot_id
            or (
                (watched := self._members.get(boot_id)) is not None
                and watched.moved
                and not self._is_dead(seen, now_ns, is_gone)
            )
        )

    def silent_since_ns(self, boot_id: str) -> int:
        """When a renewal of a member was last seen, on the clock of whoever looks; 0 for none."""
        watched = self._members.get(boot_id)
        return watched.since_ns if watched is not None else 0

    def free_since_ns(self, claim: Claim, now_ns: int) -> int:
        """Since when a claim could be taken, as far as was seen; `now_ns` when it could not."""
        return self._free.get(_key(claim), now_ns)

    def forgettable(
        self, view: View, now_ns: int, is_gone: Callable[[Member], bool]
    ) -> list[Seen]:
        """Dead members that hold nothing; what `LeaseStore.forget` may remove.

        At once when the process is proven gone, else after a while in which people can see it.

        Args:
            view, now_ns, is_gone: as `look` had them before.
        """
        members = self._by_boot_id(view)
        if len(self.live(view, now_ns, is_gone)) == len(members):
            return []
        holders = {self._me.boot_id, *[claim.boot_id for claim in view.claims]}
        return [
            seen
            for boot_id, seen in members.items()
            if boot_id not in holders
            and (watched := self._members.get(boot_id)) is not None
            and (
                now_ns - self._blind_ns - watched.since_sight_ns >= FORGET_TTLS * self._ttl_ns
                or self._is_gone(seen.member, is_gone)
            )
        ]

    def twin(self, view: View, is_gone: Callable[[Member], bool]) -> Member | None:
        """Another live member with this one's name that was here before, as far as was seen.

        It lives when its counter still moves `UNDER_WAY_S` after it was first seen, and was seen to
        have stood between: what moved while nobody looked may have done so at once. What a killed
        node left behind is none, then, though renewals that it had sent may arrive after the next
        node of its name has looked; nor is what an earlier keeper of this very process left, or a
        process of this host that is proven gone. Of two that start at once, one is told.
        """
        me, node = self._me.boot_id, self._me.node
        members = self._by_boot_id(view)
        named = [i for i, seen in members.items() if seen.member.node == node and i != me]
        if not named:
            return None
        mine = members.get(me)
        order = (-1 if mine is None else mine.renewals, me)
        for boot_id in named:
            seen, watched = members[boot_id], self._members.get(boot_id)
            if (
                watched is not None
                and watched.moves_late
                and _process(seen.member) != _process(self._me)
                and not self._is_gone(seen.member, is_gone)
                and (seen.renewals, boot_id) > order
            ):
                return seen.member
        return None

    def _watch(self, view: View, now_ns: int) -> dict[str, Seen]:
        """Remember what moved, forget who is not there any more; the members by boot id."""
        seen, known, self._members = self._by_boot_id(view), self._members, {}
        if self._looked_ns:
            self._blind_ns += max(0, now_ns - self._looked_ns - self._sight_ns)
        sight_ns = now_ns - self._blind_ns
        for boot_id, one in seen.items():
            watched = known.get(boot_id)
            if watched is None:
                watched = _Watched(one.renewals, now_ns, now_ns, sight_ns)
            elif watched.renewals != one.renewals:
                # Since the last view, which was asked for after the look before it.
                is_late = self._viewed_ns - watched.first_ns >= UNDER_WAY_S * 1e9
                watched = _Watched(
                    one.renewals, watched.first_ns, now_ns, sight_ns, moved=True,
                    moves_late=is_late or watched.moves_late,
                )  # fmt: skip
            self._members[boot_id] = watched
        self._viewed_ns, self._looked_ns = self._looked_ns, now_ns
        if view.claims != self._seen_claims:
            self._seen_claims = view.claims
            self._claims = {key: self._claims.get(key, sight_ns) for key in map(_key, view.claims)}
        return seen

    def _by_boot_id(self, view: View) -> dict[str, Seen]:
        """The members of a view; not a row without a boot id, which somebody wrote by hand."""
        if self._sorted is None or self._sorted[0] is not view:
            found = {one.member.boot_id: one for one in view.members if one.member.boot_id}
            self._sorted = view, found
        return self._sorted[1]

    def _is_dead(self, seen: Seen, now_ns: int, is_gone: Callable[[Member], bool]) -> bool:
        if seen.member.boot_id == self._me.boot_id:
            return False
        still_ns = now_ns - self._blind_ns - self._members[seen.member.boot_id].since_sight_ns
        if still_ns >= self._ttl_ns:
            return True
        if seen.is_connected is False and still_ns >= self._hint_ns:
            return True
        return self._is_gone(seen.member, is_gone)

    def _is_gone(self, member: Member, is_gone: Callable[[Member], bool]) -> bool:
        return member.host == self._me.host and is_gone(member)

    def _stood_ns(self, claim: Claim, now_ns: int) -> int:
        return now_ns - self._blind_ns - self._claims[_key(claim)]

    def _is_first(self, claim: Claim, live: Iterable[Member]) -> bool:
        """Whether no other live member is to take it rather than this one."""
        able = [member.boot_id for member in live if claim.account in member.accounts]
        if claim.wanted in able:
            return claim.wanted == self._me.boot_id
        able.append(self._me.boot_id)  # whatever somebody made of its row in the store
        return self._me.boot_id == max(able, key=lambda boot_id: _weight(claim.account, boot_id))


def _process(member: Member) -> tuple[str, int, int]:
    return member.host, member.pid, member.started


def _key(claim: Claim) -> tuple[str, str, int]:
    return claim.account, claim.boot_id, claim.turn


def _weight(account: str, boot_id: str) -> bytes:
    """Rendezvous hashing: accounts spread over members, and only those of a lost one move."""
    return blake2b(f"{account}\0{boot_id}".encode(errors="replace"), digest_size=8).digest()
