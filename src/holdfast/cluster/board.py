"""What a node's keeper says to its account processes, and they to it.

Lives here: the words, and the board in memory, for one process. The one that processes share is
the app's. Not here: who writes what, and when (keeper, app).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol


class Wanted(IntEnum):
    """What the keeper wants of an account."""

    FOLLOW = 0
    LEAD = 1
    YIELD = 2  # stop, let what is in flight finish, close the journal: somebody else follows


class State(IntEnum):
    """How far an account is; written by its own process."""

    DOWN = 0  # no process, or one that is starting
    FOLLOWING = 1  # warm: it could lead at once
    LEADING = 2
    UNFIT = 3  # it ended in a way that would only repeat itself on this node


class Board(Protocol):
    """One node's. Accounts are named as in its configuration."""

    def lease(self, until_ns: int) -> None:
        """The keeper: nothing is armed by this node after `until_ns` of its clock."""
        ...

    def fell_silent(self, account: str, since_ns: int) -> None:
        """The keeper: when the last sign of the leader before was seen; 0 for none."""
        ...

    def silent_s(self, account: str) -> float:
        """The account: how long ago that was; 0 for none."""
        ...

    def want(self, account: str, wanted: Wanted) -> None:
        """The keeper: what is wanted of an account from now on."""
        ...

    def wanted(self, account: str) -> Wanted:
        """What is wanted of an account."""
        ...

    def tell(self, account: str, state: State) -> None:
        """The account: how far it is."""
        ...

    def state(self, account: str) -> State:
        """How far an account is."""
        ...

    def reach(self, account: str, reaches: bool) -> None:
        """The account: whether its exchange answers it."""
        ...

    def reaches(self, account: str) -> bool:
        """Whether its exchange answers an account, as far as it knows."""
        ...

    def key(self, account: str, is_taken: bool) -> None:
        """The account: whether its exchange takes the key that it has here."""
        ...

    def has_key(self, account: str) -> bool:
        """Whether it does, as far as the account knows."""
        ...

    def exchange_answers(self, account: str, answers: bool) -> None:
        """The account: whether its exchange answered when it was last asked from here."""
        ...

    def exchange_answered(self, account: str) -> bool | None:
        """Whether it did, whichever process asked; None before the first question has ended."""
        ...

    def may_lead(self, account: str) -> bool:
        """Whether an account may arm at this moment: it is to lead, and the lease runs."""
        ...

    async def until(self, account: str, *wanted: Wanted) -> Wanted:
        """The account: return when what is wanted is one of these."""
        ...

    async def told(self) -> None:
        """The keeper: return when an account may have told something since the last call."""
        ...


class LocalBoard:
    """A board for one process, as in simulations and tests.

    Args:
        now_ns: the clock that leases are measured on.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._until_ns = 0
        self._wanted: dict[str, Wanted] = {}
        self._states: dict[str, State] = {}
        self._cut_off: set[str] = set()
        self._keyless: set[str] = set()
        self._answered: dict[str, bool] = {}
        self._silent_ns: dict[str, int] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._told = asyncio.Event()

    def lease(self, until_ns: int) -> None:
        """Nothing is armed by this node after `until_ns`."""
        self._until_ns = until_ns

    def fell_silent(self, account: str, since_ns: int) -> None:
        """When the last sign of the leader before was seen."""
        self._silent_ns[account] = since_ns

    def silent_s(self, account: str) -> float:
        """How long ago that was; 0 without one."""
        since_ns = self._silent_ns.get(account, 0)
        return (self._now_ns() - since_ns) / 1e9 if since_ns else 0.0

    def want(self, account: str, wanted: Wanted) -> None:
        """What is wanted of an account from now on."""
        self._wanted[account] = wanted
        if account in self._changed:
            self._changed[account].set()

    def wanted(self, account: str) -> Wanted:
        """What is wanted of an account."""
        return self._wanted.get(account, Wanted.FOLLOW)

    def tell(self, account: str, state: State) -> None:
        """How far an account is."""
        self._states[account] = state
        self._told.set()

    def state(self, account: str) -> State:
        """How far an account is."""
        return self._states.get(account, State.DOWN)

    def reach(self, account: str, reaches: bool) -> None:
        """Whether its exchange answers an account."""
        if reaches == self.reaches(account):
            return
        (self._cut_off.discard if reaches else self._cut_off.add)(account)
        self._told.set()

    def reaches(self, account: str) -> bool:
        """Whether its exchange answers an account, as far as it knows."""
        return account not in self._cut_off

    def key(self, account: str, is_taken: bool) -> None:
        """Whether its exchange takes the key that an account has here."""
        if is_taken != self.has_key(account):
            (self._keyless.discard if is_taken else self._keyless.add)(account)
            self._told.set()

    def has_key(self, account: str) -> bool:
        """Whether it does, as far as the account knows."""
        return account not in self._keyless

    def exchange_answers(self, account: str, answers: bool) -> None:
        """Whether an account's exchange answered when it was last asked from here."""
        self._answered[account] = answers

    def exchange_answered(self, account: str) -> bool | None:
        """Whether it did; None before the first question has ended."""
        return self._answered.get(account)

    def may_lead(self, account: str) -> bool:
        """Whether an account may arm at this moment."""
        return self.wanted(account) is Wanted.LEAD and self._now_ns() < self._until_ns

    async def until(self, account: str, *wanted: Wanted) -> Wanted:
        """Return when what is wanted is one of these."""
        changed = self._changed.setdefault(account, asyncio.Event())
        while (now := self.wanted(account)) not in wanted:
            changed.clear()
            await changed.wait()
        return now

    async def told(self) -> None:
        """Return when an account may have told something since the last call."""
        await self._told.wait()
        self._told.clear()
