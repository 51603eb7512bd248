"""The port of leases: what a lease store must promise, and the values it speaks in.

Lives here: `LeaseStore`. The contract suite in the tests runs against each implementation. Not
here: who should lead (election), when to ask (keeper). Nothing in this room makes an order safe:
that is the epoch in the journal. A lease only decides who takes the epoch, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from holdfast.errors import ConfigError, RetryableError

ANY: Final = "any:"
"""Planned in place of a boot id: whoever could lead at once; a version behind it, of that alone."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """A node that takes part, from one start to its end.

    Attributes:
        boot_id: unique for each start; everything in a store is keyed by it.
        node: its name, for people; two live members with one name are a mistake in configuration.
        host: of the running operating system, new with each boot of it; process ids mean something
            only within one.
        pid, started: the process whose end is the node's end, and its start time in clock ticks
            after boot, 0 where the system does not say.
        version: of the program.
        accounts: what it may lead.
    """

    boot_id: str
    node: str
    host: str
    pid: int
    started: int
    version: str
    accounts: tuple[str, ...]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """A member as the store shows it.

    Attributes:
        renewals: how often it has renewed; it lives as long as this moves. Watched on the
            watcher's own monotonic clock, so no two clocks are ever compared.
        is_connected: False when the store knows that its session is gone, a hint and no proof;
            None when the store cannot tell.
    """

    member: Member
    renewals: int
    is_connected: bool | None = None


class Claim(msgspec.Struct, frozen=True, gc=False):
    """Who is to lead an account.

    Attributes:
        boot_id: of the member; empty when nobody does.
        turn: rises by one with every change of hands; what compare-and-set compares.
        wanted: boot id of the member that is to follow by plan, or `ANY`; empty without a plan.
    """

    account: str
    boot_id: str
    turn: int
    wanted: str = ""


class View(msgspec.Struct, frozen=True, gc=False):
    """Everything a store holds, as of one moment."""

    members: tuple[Seen, ...]
    claims: tuple[Claim, ...]

    def now_of(self, claim: Claim) -> Claim:
        """The claim as it stood then; itself when it was not there."""
        return next(iter([one for one in self.claims if one.account == claim.account]), claim)


class ForgottenError(RetryableError):
    """The store does not know this member any more; begin again under another boot id."""


class TwinError(ConfigError):
    """Another live member has this node's name, and was here before."""


class LeaseStore(Protocol):
    """Keeps members and claims. Each call is atomic, and none is retried inside.

    Any call may raise RetryableError (it did not happen, for certain), OutcomeUnknownError (it may
    have: ask `view`) and ConfigError (wrong address, another kind or version of store).
    """

    async def join(self, member: Member) -> None:
        """Enter `member` with no renewals, and its accounts as nobody's where they are new.

        May be repeated until its first renewal.

        Raises:
            ConfigError: another member has its boot id, or it has renewed already.
        """
        ...

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        """One more renewal; the claims that are this member's at that moment.

        None when the member is not there (any more): it must end what it leads and join under
        another boot id.
        """
        ...

    async def view(self) -> View:
        """Members and claims as of one moment, each in the order of its key."""
        ...

    async def sync(self) -> None:
        """Write something that outlasts a loss of power, and return once it is written.

        Renewals need not: that they are answered does not show that a commit would be. A store
        that never writes so returns at once. It takes as long as the disk does, which may be for
        ever, and no other call waits for it meanwhile; whoever asks asks once at a time.
        """
        ...

    async def take(self, boot_id: str, claims: Sequence[Claim], of: Seen | None) -> frozenset[str]:
        """Give this member those of `claims` that still are what they were seen to be.

        Args:
            of: the member that they are taken from; nothing is taken when it has renewed since, in
                the same atomic step. None for claims that are nobody's, or of no member that is
                there.

        Returns:
            The accounts that this member leads from now on; none when it is not there itself.
        """
        ...

    async def hand(self, claim: Claim, to: str) -> bool:
        """Its holder gives an account to the member `to`, or with an empty `to` to nobody.

        Returns:
            False when the claim is not what it was, or `to` is no member that may lead it.
        """
        ...

    async def plan(self, account: str, to: str, instead_of: str | None = None) -> bool:
        """Ask the holder of `account` to hand it to the member `to`; empty calls it off.

        A plan ends when `to` leads, and when `to` is not there any more. One for the holder itself
        calls off what was planned. One for `ANY` asks the others to plan themselves in its place,
        and ends when anybody is given the account.

        Args:
            instead_of: what has to be planned still, empty for nothing; None for whatever it is.

        Returns:
            False when there is no such account, no member `to` that may lead it, or another plan.
        """
        ...

    async def leave(self, boot_id: str) -> None:
        """Remove the member; what it still holds is nobody's. Does nothing when it is not there."""
        ...

    async def forget(self, seen: Seen) -> None:
        """Remove a member that holds nothing and has not renewed since it was seen."""
        ...

    async def close(self) -> None:
        """Release everything; may be called twice."""
        ...


def is_for_any(wanted: str, version: str) -> bool:
    """Whether a member of that version is asked to plan itself (`Claim.wanted`)."""
    return wanted in {ANY, ANY + version}


def already_there(member: Member) -> ConfigError:
    """What a store says to a second member under one boot id."""
    return ConfigError(
        f"seen: node {member.node} joins as {member.boot_id}, which is there already; expected: a "
        "boot id that is new with each start; do: start the node again"
    )
