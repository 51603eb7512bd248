"""Leases in Redis: each call is one script, which the server runs as one step.

A server that forgets (restart, flush, eviction, a failover to a replica that is behind) costs a
change of leaders and never an order: that is the epoch in the journal. Not here: the scripts
(cluster.redis_scripts).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from holdfast.cluster import redis_scripts as scripts
from holdfast.cluster.port import Claim, Member, Seen, View, already_there
from holdfast.cluster.redis_connect import is_refusal, redis_pool
from holdfast.cluster.timing import Timing
from holdfast.config.redis import EXPECTED, sentinels_in
from holdfast.errors import ConfigError, OutcomeUnknownError, PlatformError, RetryableError

_NOT_OURS: Final = ("WRONGTYPE", "NOPERM", scripts.OTHER_VERSION, "hash value is not an integer")


class RedisLeases:
    """Leases at an address of Redis (config.redis); the first call opens it.

    Args:
        deployment: part of every key, so that several may share a server.

    Each call takes at most `call_s`, with opening and with waiting for the one before it.

    Raises:
        ConfigError: the address cannot be understood.
    """

    def __init__(self, url: str, timing: Timing, deployment: str = "holdfast") -> None:
        self._call_s = timing.call_s
        # One slot of a cluster; and what it refuses is tried again by nobody but the caller.
        self._keys = [f"holdfast:{{{deployment}}}:{key}" for key in scripts.KEYS]
        try:
            self._pool = redis_pool(
                url, client_name="holdfast-keeper", answer_s=timing.call_s
            )
        except ValueError:
            raise ConfigError(
                "seen: an address of Redis that the driver does not understand; expected: "
                f"{EXPECTED}; do: correct `cluster.lease_url`"
            ) from None  # its words may quote the address, and its password with it
        known = self._pool.connection_kwargs
        followed = sentinels_in(url)
        self.name = (
            f"redis://{known.get('path') or known.get('host', 'localhost')}"
            if followed is None
            else f"the leader {followed.service} of Redis"
        )
        self._connection: AbstractConnection | None = None
        self._was_in = False
        self._turn = asyncio.Lock()

    async def join(self, member: Member) -> None:
        """Enter `member`, and its accounts where they are new."""
        body = msgspec.json.encode(member)
        named = f",{','.join(member.accounts)},"
        if not await self._write(scripts.JOIN, member.boot_id, body, named, *member.accounts):
            raise already_there(member)

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        """One more renewal; the claims that are this member's."""
        held = await self._write(scripts.RENEW, boot_id)
        return None if held is None else tuple(sorted(map(self._claim, held), key=_account))

    async def view(self) -> View:
        """Members and claims, each in the order of its key."""
        answer = await self._run(scripts.VIEW, (), writes=False)
        member, accounts, renewals, holder, turn, wanted = map(_pairs, answer)
        members = (
            Seen(_member(boot_id, body, accounts.get(boot_id, b"")),
                 self._number(renewals.get(boot_id, b"0")))
            for boot_id, body in sorted(member.items())
        )  # fmt: skip
        claims = (
            self._claim((account, boot_id, turn.get(account, b"0"), wanted.get(account, b"")))
            for account, boot_id in sorted(holder.items())
        )
        return View(tuple(members), tuple(claims))

    async def sync(self) -> None:
        """What Redis has done is told before it is on a disk, and no journal is kept there."""

    async def take(self, boot_id: str, claims: Sequence[Claim], of: Seen | None) -> frozenset[str]:
        """Give this member those of `claims` that still are what they were seen to be."""
        whose = ("", 0) if of is None else (of.member.boot_id, of.renewals)
        seen = (part for claim in claims for part in (claim.account, claim.boot_id, claim.turn))
        taken = await self._write(scripts.TAKE, boot_id, *whose, *seen)
        return frozenset(map(_text, taken))

    async def hand(self, claim: Claim, to: str) -> bool:
        """Its holder gives an account to the member `to`, or with an empty `to` to nobody."""
        seen = (claim.account, claim.boot_id, claim.turn)
        return bool(await self._write(scripts.HAND, *seen, to))

    async def plan(self, account: str, to: str, instead_of: str | None = None) -> bool:
        """Ask the holder of `account` to hand it to the member `to`; empty calls it off."""
        instead = () if instead_of is None else (instead_of,)
        return bool(await self._write(scripts.PLAN, account, to, *instead))

    async def leave(self, boot_id: str) -> None:
        """Remove the member; what it still holds is nobody's."""
        await self._write(scripts.LEAVE, boot_id)

    async def forget(self, seen: Seen) -> None:
        """Remove a member that holds nothing and has not renewed since it was seen."""
        await self._write(scripts.FORGET, seen.member.boot_id, seen.renewals)

    async def close(self) -> None:
        """Release the connections; may be called twice."""
        await self._drop()
        await self._pool.disconnect()

    async def _write(self, script: str, *arguments: str | bytes | int) -> Any:
        return await self._run(script, arguments, writes=True)

    async def _run(
        self, script: str, arguments: Sequence[str | bytes | int], *, writes: bool
    ) -> Any:
        sent = False
        try:
            async with asyncio.timeout(self._call_s), self._turn:
                try:
                    connection = self._connection or await self._open()
                    sent = True
                    call = ("EVAL", script, len(self._keys), *self._keys, *arguments)
                    await connection.send_command(*call)
                    return await connection.read_response()
                except ReadOnlyError:  # demoted; whoever leads now may answer at the same address
                    await self._drop()
                    raise
                except ResponseError:
                    raise  # an answer: the next call has this connection again
                except BaseException:
                    await self._drop()
                    raise
        except TimeoutError as error:
            said = f"no answer within {self._call_s:g} s"
            raise self._failed(said, is_open=sent and writes) from error
        except RedisError as error:
            raise self._meaning(error, is_open=sent and writes) from error
        except OSError as error:
            raise self._failed(str(error), is_open=sent and writes) from error

    async def _open(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        self._connection = connection
        await connection.connect()  # type: ignore[no-untyped-call]
        self._was_in = True
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def _meaning(self, error: RedisError, *, is_open: bool) -> PlatformError:
        said = str(error)
        if is_refusal(error):
            if self._was_in:  # perhaps one side of a rotation is late; no reason to end a node
                return RetryableError(
                    f"seen: {self.name} refuses us by now ({said}); expected: the user and "
                    "password that it knew; nothing was done; do: correct what they refer to"
                )
            return ConfigError(
                f"seen: {self.name} refuses us ({said}); expected: a user that may run scripts; "
                "do: correct the user and password of `cluster.lease_url`"
            )
        if isinstance(error, ResponseError):
            if any(word in said for word in _NOT_OURS):
                return self._not_ours(said)
            return RetryableError(
                f"seen: {self.name}: {said}; expected: a primary with memory left; nothing was "
                "done; do: look at the server"
            )
        return self._failed(said, is_open=is_open)

    def _failed(self, said: str, *, is_open: bool) -> PlatformError:
        if is_open:
            return OutcomeUnknownError(
                f"seen: {self.name}: {said}; expected: an answer; do: look whether it was done"
            )
        return RetryableError(
            f"seen: {self.name} does not answer ({said}); expected: a Redis server there; nothing "
            "was done; do: start it, or name another"
        )

    def _not_ours(self, said: str) -> ConfigError:
        return ConfigError(
            f"seen: {self.name}: {said}; expected: leases of version {scripts.VERSION} under "
            f"{self._keys[0].rpartition(':')[0]}:*, and a user that may use them; do: end all "
            "nodes, remove those keys, and start them again, all of one version"
        )

    def _claim(self, row: Sequence[bytes]) -> Claim:
        account, boot_id, turn, wanted = row
        return Claim(_text(account), _text(boot_id), self._number(turn), _text(wanted))

    def _number(self, written: bytes) -> int:
        try:
            return int(written)
        except ValueError as error:
            raise self._not_ours(f"{_text(written)!r} for a number") from error


def _pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _text(written: bytes) -> str:
    return written.decode(errors="replace")


def _account(claim: Claim) -> str:
    return claim.account


def _member(boot_id: bytes, body: bytes, accounts: bytes) -> Member:
    """A member; of a body that somebody wrote by hand what is known without it."""
    try:
        return msgspec.json.decode(body, type=Member)
    except (msgspec.DecodeError, UnicodeDecodeError):
        named = tuple(filter(None, _text(accounts).split(",")))
        return Member(_text(boot_id), "unreadable", "", 0, 0, "", named)
