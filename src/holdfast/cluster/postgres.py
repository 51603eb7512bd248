"""Leases in PostgreSQL, beside a journal or alone.

Everything but a renewal waits for the disk, as the server is told to; a renewal that a crash takes
back is one that nobody needs. Not here: the session (cluster.postgres_line).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from holdfast.cluster.port import ANY, Claim, Member, Seen, View, already_there
from holdfast.cluster.postgres_line import Line, Results
from holdfast.cluster.timing import Timing

# Whatever changes hands takes turns; renewals do not, and meet the others in the member's row.
_TURN: Final = "BEGIN; SELECT pg_advisory_xact_lock(29656814113354);"
_LOCK: Final = "SELECT FROM lease_member WHERE boot_id = %(boot_id)s FOR UPDATE;"

_JOIN: Final = f"""{_TURN}
    INSERT INTO lease_member
        (boot_id, node, host, pid, started, version, accounts, backend, backend_start)
    VALUES (%(boot_id)s, %(node)s, %(host)s, %(pid)s, %(started)s, %(version)s,
        %(accounts)s::text[], %(backend)s, %(backend_start)s::timestamptz)
    ON CONFLICT (boot_id) DO NOTHING;
    INSERT INTO lease_claim (account)
        SELECT DISTINCT unnest(accounts) FROM lease_member WHERE boot_id = %(boot_id)s
        ON CONFLICT (account) DO NOTHING;
    SELECT boot_id, node, host, pid, started, version, accounts, renewals
        FROM lease_member WHERE boot_id = %(boot_id)s;
    COMMIT"""  # noqa: S608 - our statements
_RENEW: Final = """BEGIN;
    SET LOCAL synchronous_commit = off;
    UPDATE lease_member SET renewals = renewals + 1, backend = %(backend)s,
        backend_start = %(backend_start)s::timestamptz
        WHERE boot_id = %(boot_id)s RETURNING renewals;
    SELECT account, boot_id, turn, wanted FROM lease_claim
        WHERE boot_id = %(boot_id)s ORDER BY account COLLATE "C";
    COMMIT"""
_SYNC: Final = "SELECT pg_logical_emit_message(true, 'holdfast', '')"
# A session of another role may hide when it began; then nothing is known.
_VIEW: Final = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SELECT boot_id, node, host, m.pid, started, version, accounts, renewals,
        CASE WHEN a.pid IS NULL THEN false WHEN a.backend_start IS NULL THEN NULL
            ELSE a.backend_start = m.backend_start END
        FROM lease_member m LEFT JOIN pg_stat_activity a ON a.pid = m.backend
        ORDER BY boot_id COLLATE "C";
    SELECT account, boot_id, turn, wanted FROM lease_claim ORDER BY account COLLATE "C";
    COMMIT"""
_GIVE: Final = f"""
    UPDATE lease_claim c SET boot_id = %(to)s, turn = c.turn + 1,
        wanted = CASE WHEN wanted = %(to)s OR (%(to)s <> '' AND starts_with(wanted, '{ANY}'))
            THEN '' ELSE wanted END
        FROM unnest(%(accounts)s::text[], %(holders)s::text[], %(turns)s::bigint[])
            AS seen (account, boot_id, turn)
        WHERE (c.account, c.boot_id, c.turn) = (seen.account, seen.boot_id, seen.turn)
    """  # noqa: S608 - our word
_MAY_LEAD: Final = """EXISTS (SELECT FROM lease_member
        WHERE boot_id = %(to)s AND %(account)s = ANY (accounts))"""
_TAKE: Final = f"""{_TURN} {_LOCK} {_GIVE}
        AND EXISTS (SELECT FROM lease_member WHERE boot_id = %(to)s)
        AND CASE WHEN %(boot_id)s = ''
            THEN NOT EXISTS (SELECT FROM lease_member m WHERE m.boot_id = c.boot_id)
            ELSE c.boot_id = %(boot_id)s AND EXISTS (SELECT FROM lease_member
                WHERE boot_id = %(boot_id)s AND renewals = %(renewals)s) END
        RETURNING c.account;
    COMMIT"""  # noqa: S608 - our statements
_HAND: Final = f"{_TURN} {_GIVE} AND (%(to)s = '' OR {_MAY_LEAD}) RETURNING c.account; COMMIT"
_PLAN: Final = f"""{_TURN}
    UPDATE lease_claim SET wanted = CASE WHEN boot_id = %(to)s THEN '' ELSE %(to)s END
        WHERE account = %(account)s AND (%(to)s = '' OR starts_with(%(to)s, '{ANY}') OR {_MAY_LEAD})
            AND wanted = coalesce(%(instead_of)s::text, wanted)
        RETURNING account;
    COMMIT"""  # noqa: S608 - our statements
_LEAVE: Final = f"""{_TURN}
    DELETE FROM lease_member WHERE boot_id = %(boot_id)s;
    UPDATE lease_claim SET boot_id = '', turn = turn + 1 WHERE boot_id = %(boot_id)s;
    UPDATE lease_claim SET wanted = '' WHERE wanted = %(boot_id)s;
    COMMIT"""  # noqa: S608 - our statements
_FORGET: Final = f"""{_TURN}
    DELETE FROM lease_member WHERE boot_id = %(boot_id)s AND renewals = %(renewals)s
        AND NOT EXISTS (SELECT FROM lease_claim WHERE boot_id = %(boot_id)s);
    UPDATE lease_claim SET wanted = '' WHERE wanted = %(boot_id)s
        AND NOT EXISTS (SELECT FROM lease_member WHERE boot_id = %(boot_id)s);
    COMMIT"""  # noqa: S608 - our statements


class PostgresLeases:
    """Leases at a PostgreSQL address; the first call opens it, and makes the tables.

    Each call but `sync` takes at most `call_s`. A member counts as connected while the session of
    its last renewal lasts.
    """

    def __init__(self, url: str, timing: Timing) -> None:
        self._url = url
        self._call_s = timing.call_s
        self._line = Line(url, timing.call_s)

    async def join(self, member: Member) -> None:
        """Enter `member`, and its accounts where they are new."""
        named = {
            "boot_id": member.boot_id, "node": member.node, "host": member.host, "pid": member.pid,
            "started": member.started, "version": member.version,
            "accounts": list(member.accounts),
        }  # fmt: skip
        row = (await self._write(_JOIN, named))[-2][0]
        if _seen((*row, None)) != Seen(member, 0):
            raise already_there(member)

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        """One more renewal; the claims that are this member's."""
        *_, renewed, claims, _ = await self._write(_RENEW, {"boot_id": boot_id})
        return tuple(Claim(*row) for row in claims) if renewed else None

    async def view(self) -> View:
        """Members and claims, each in the order of its key."""
        *_, members, claims, _ = await self._line.run(_VIEW, {}, writes=False)
        return View(tuple(map(_seen, members)), tuple(Claim(*row) for row in claims))

    async def sync(self) -> None:
        """A record of the log that nobody reads, committed as the journal's are.

        On a session of its own: one that is given up while its commit waits for a copy stays at the
        server until that is back, and the next one would be one more.
        """
        line = Line(self._url, self._call_s)
        try:
            await line.run(_SYNC, {}, writes=True, in_time=False)
        finally:
            line.close()

    async def take(self, boot_id: str, claims: Sequence[Claim], of: Seen | None) -> frozenset[str]:
        """Give this member those of `claims` that still are what they were seen to be."""
        seen = {
            "boot_id": "" if of is None else of.member.boot_id,
            "renewals": 0 if of is None else of.renewals,
        }
        *_, taken, _ = await self._write(_TAKE, {**_as_seen(claims), **seen, "to": boot_id})
        return frozenset(account for (account,) in taken)

    async def hand(self, claim: Claim, to: str) -> bool:
        """Its holder gives an account to the member `to`, or with an empty `to` to nobody."""
        named = {**_as_seen([claim]), "account": claim.account, "to": to}
        *_, given, _ = await self._write(_HAND, named)
        return bool(given)

    async def plan(self, account: str, to: str, instead_of: str | None = None) -> bool:
        """Ask the holder of `account` to hand it to the member `to`; empty calls it off."""
        named: dict[str, object] = {"account": account, "to": to, "instead_of": instead_of}
        *_, planned, _ = await self._write(_PLAN, named)
        return bool(planned)

    async def leave(self, boot_id: str) -> None:
        """Remove the member; what it still holds is nobody's."""
        await self._write(_LEAVE, {"boot_id": boot_id})

    async def forget(self, seen: Seen) -> None:
        """Remove a member that holds nothing and has not renewed since it was seen."""
        named = {"boot_id": seen.member.boot_id, "renewals": seen.renewals}
        await self._write(_FORGET, named)

    async def close(self) -> None:
        """Release the connection; may be called twice."""
        self._line.close()

    async def _write(self, statements: str, parameters: dict[str, object]) -> Results:
        return await self._line.run(statements, parameters, writes=True)


def _as_seen(claims: Sequence[Claim]) -> dict[str, object]:
    return {
        "accounts": [claim.account for claim in claims],
        "holders": [claim.boot_id for claim in claims],
        "turns": [claim.turn for claim in claims],
    }


def _seen(row: tuple[Any, ...]) -> Seen:
    boot_id, node, host, pid, started, version, accounts, renewals, is_connected = row
    member = Member(boot_id, node, host, pid, started, version, tuple(map(str, accounts)))
    return Seen(member, renewals, is_connected)
