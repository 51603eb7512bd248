"""Planted bugs of the journal, the books and the leases; see `bugs`.

Not here: bugs of sending and of judging answers (bugs).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.app.live import start as starting
from holdfast.cluster.election import Election
from holdfast.cluster.port import Seen
from holdfast.domain.fact import Filled, Ghost, Halted, OrderMoved
from holdfast.domain.order import OrderState
from holdfast.errors import FencedError, RetryableError
from holdfast.execution import books, sweep
from holdfast.execution.books import Books
from holdfast.execution.desk import Desk
from holdfast.execution.recorder import Recorder
from holdfast.execution.sweep import Sweep
from holdfast.journal import claims as claiming
from holdfast.journal import sqlite_file
from holdfast.journal.port import CommitUnknownError, Head
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.writer import JournalWriter
from holdfast.simulation.bugs import Plant, put, replace
from holdfast.simulation.leases import LeaseLine
from holdfast.simulation.store import StoreLine
from holdfast.venues.binance import decode

# -- journal ---------------------------------------------------------------------------------------


def no_epoch_check() -> None:
    def rebased(self: Any, head: Head, groups: Any, at_ns: int, *, wait: bool = True) -> Any:
        stored = self.head(head.account)
        mine = msgspec.structs.replace(head, seq=stored.seq, hash=stored.hash)
        return commit(self, mine, groups, at_ns, wait=wait)

    commit = SqliteFile.commit
    put(SqliteFile, "commit", rebased)
    unchecked = sqlite_file._ADVANCE.replace("epoch = ?", "epoch + 0 * ? >= 0")
    put(sqlite_file, "_ADVANCE", unchecked)


def epoch_check_before_the_statement() -> None:
    no_epoch_check()

    async def looked(self: Any, head: Head, groups: Any, at_ns: int) -> Any:
        if (await self.head(head.account)).epoch != head.epoch:
            raise FencedError("seen: another epoch; expected: ours; do: stop")
        return await commit(self, head, groups, at_ns)

    commit = StoreLine.commit
    put(StoreLine, "commit", looked)
    put(StoreLine, "commit_at_once", lambda *_args: None)


def answered_before_durable() -> None:
    """A missing flush: the commit is told as done, and is on its way."""

    def early(self: Any) -> None:
        loop = asyncio.get_running_loop()
        for _, future in self._queue:
            if not future.done():
                future.set_result(())
        loop.call_later(0.02, start, self)

    start = JournalWriter._start
    put(JournalWriter, "_start", early)


def evidence_is_dropped() -> None:
    async def once(self: Any, *facts: Any, **options: Any) -> Any:
        try:
            return await self.try_record(*facts, **options)
        except (RetryableError, CommitUnknownError):
            return ()

    put(Recorder, "record", once)


def goes_on_when_fenced() -> None:
    async def deaf(self: Any, *facts: Any, **options: Any) -> Any:
        try:
            return await record(self, *facts, **options)
        except FencedError as error:
            raise RetryableError(str(error)) from error

    record = Recorder.try_record
    put(Recorder, "try_record", deaf)
    no_epoch_check()


def snapshot_without_orders() -> None:
    def lossy(read: Any) -> Any:
        def forgetful(body: bytes) -> Any:
            state = read(body)
            if state is not None:
                state.live.clear()
            return state

        return forgetful

    replace(starting, "from_bytes", lossy)


# -- books -----------------------------------------------------------------------------------------


def trades_booked_twice() -> None:
    def none(_fact: Any) -> tuple[()]:
        return ()

    sqlite_file._INSERTING.pop(Filled, None)
    put(claiming, "_filled", none)
    put(Books, "_remember", lambda _self, _fill: None)


def no_lock_on_an_order() -> None:
    class Open:
        async def __aenter__(self) -> None:
            await asyncio.sleep(0)

        async def __aexit__(self, *_error: object) -> None:
            pass

    put(Books, "_alone", lambda _self, _cid: Open())


def silent_ghosts() -> None:
    def quiet(make: Any) -> Any:
        def facts_of(*args: Any, **options: Any) -> Any:
            return [fact for fact in make(*args, **options) if not isinstance(fact, Ghost)]

        return facts_of

    replace(books, "facts_of", quiet)
    put(books, "is_ghost", lambda _order: False)


def one_ghost_is_enough() -> None:
    """Who was alarmed once knows: further ones are booked, and not told."""
    told: list[Any] = []

    def once(make: Any) -> Any:
        def facts_of(*args: Any, **options: Any) -> Any:
            found = make(*args, **options)
            ghosts = [fact for fact in found if isinstance(fact, Ghost)]
            late = [fact for fact in ghosts if told and fact.cid != told[0].cid]
            told.extend(ghosts)
            return [fact for fact in found if fact not in late]

        return facts_of

    replace(books, "facts_of", once)
    put(books, "is_ghost", lambda _order: False)


def ghosts_do_not_halt() -> None:
    async def lenient(self: Any, proven: Any, *args: Any, **options: Any) -> Any:
        kept = [fact for fact in proven if not isinstance(fact, Halted)]
        return await journal(self, kept, *args, **options)

    journal = Books._journal
    put(Books, "_journal", lenient)


def no_sweep() -> None:
    async def nothing(_self: Any) -> None:
        await asyncio.sleep(0)

    put(Sweep, "round", nothing)


def cancelled_by_the_cancel_s_id() -> None:
    """`c` for `C` on cancels, and nobody looks whose id that is."""

    def confused(row: Any, names: Any) -> Any:
        found = report(row, names)
        return msgspec.structs.replace(found, cid=row.c)

    report = decode._execution_report
    put(decode, "_execution_report", confused)
    put(Books, "_owner", lambda self, cid, _report=None: self._account.order(cid))

    async def nothing(_self: Any, _order: Any) -> None:
        await asyncio.sleep(0)

    put(Sweep, "_follow", nothing)
    put(Desk, "_look", nothing)


def fees_are_forgotten() -> None:
    def free(make: Any) -> Any:
        def filled(self: Any, armed: Any, fill: Any) -> Any:
            made = make(self, armed, fill)
            return msgspec.structs.replace(
                made, fill=msgspec.structs.replace(made.fill, fee=Decimal(0))
            )

        return filled

    replace(Books, "_filled", free)


def every_fee_is_in_quote() -> None:
    """Of two assets, as if an account could not pay its fees with a third."""

    def quoted(make: Any) -> Any:
        def filled(self: Any, armed: Any, fill: Any) -> Any:
            made = make(self, armed, fill)
            if fill.fee_asset in fill.symbol.split("/"):
                return made
            quote = fill.symbol.partition("/")[2]
            return msgspec.structs.replace(
                made, fill=msgspec.structs.replace(made.fill, fee_asset=quote)
            )

        return filled

    replace(Books, "_filled", quoted)


def fills_are_nobody_s() -> None:
    def nobody(make: Any) -> Any:
        def filled(self: Any, armed: Any, fill: Any) -> Any:
            return msgspec.structs.replace(make(self, armed, fill), bot="")

        return filled

    replace(Books, "_filled", nobody)


def fills_are_the_first_bot_s() -> None:
    """Of several bots on a symbol the first one of the account has whatever is traded there."""

    def first(make: Any) -> Any:
        def filled(self: Any, armed: Any, fill: Any) -> Any:
            bots = sorted(self._account.bots.items())
            trade = [name for name, bot in bots if fill.symbol in bot.config]
            return msgspec.structs.replace(
                make(self, armed, fill), bot=trade[0] if trade else armed.bot
            )

        return filled

    replace(Books, "_filled", first)


def partial_fills_close() -> None:
    put(sweep, "is_behind", lambda _order: False)
    replace(
        decode, "_execution_report",
        lambda make: lambda row, names: msgspec.structs.replace(make(row, names), fills=()),
    )
    replace(
        decode, "_order_report",
        lambda make: lambda row, names: msgspec.structs.replace(make(row, names), fills=()),
    )


def a_cancel_that_finds_nothing_means_cancelled() -> None:
    async def sure(self: Any, armed: Any) -> None:
        order = self._account.order(armed.target)
        if order is not None and order.is_working:
            await self._recorder.record(
                OrderMoved(cid=armed.target, state=OrderState.CANCELLED, executed=order.executed)
            )

    put(Desk, "_look", sure)


# -- leases ----------------------------------------------------------------------------------------


def everybody_is_dead() -> None:
    """A challenger that takes a slow leader for a dead one, and never stops to."""
    put(Election, "_is_dead", lambda _self, _seen, _now_ns, _is_gone: True)


def patient_challengers() -> None:
    """Nobody is taken for dead before the third lifetime of his lease has passed."""

    def late(is_dead: Any) -> Any:
        def judged(self: Any, seen: Any, now_ns: int, is_gone: Any) -> bool:
            still_ns = now_ns - self._members[seen.member.boot_id].since_ns
            return bool(still_ns >= 3 * self._ttl_ns and is_dead(self, seen, now_ns, is_gone))

        return judged

    replace(Election, "_is_dead", late)


def non_atomic_renew() -> None:
    """A lease is written whole, as it was read at the last look: what came between is undone."""

    async def looked(self: Any) -> Any:
        self.read = await view(self)
        return self.read

    async def renewed(self: Any, boot_id: str) -> Any:
        read = getattr(self, "read", None) or await looked(self)
        mine = next((seen for seen in read.members if seen.member.boot_id == boot_id), None)
        if mine is None:
            return await renew(self, boot_id)
        held = tuple(claim for claim in read.claims if claim.boot_id == boot_id)

        def write() -> None:
            self._store._members[boot_id] = Seen(mine.member, mine.renewals + 1)
            for claim in held:
                self._store._put(claim)

        await self._call(write, writes=True)
        return held

    view, renew = LeaseLine.view, LeaseLine.renew
    put(LeaseLine, "view", looked)
    put(LeaseLine, "renew", renewed)


def leads_without_a_lease_or_epoch() -> None:
    no_epoch_check()
    everybody_is_dead()


PLANTS: dict[str, Plant] = {
    each.__name__: each
    for each in (
        no_epoch_check, epoch_check_before_the_statement, answered_before_durable,
        evidence_is_dropped, goes_on_when_fenced, snapshot_without_orders, trades_booked_twice,
        no_lock_on_an_order, silent_ghosts, one_ghost_is_enough, ghosts_do_not_halt, no_sweep,
        cancelled_by_the_cancel_s_id, fees_are_forgotten, every_fee_is_in_quote,
        fills_are_nobody_s, fills_are_the_first_bot_s, partial_fills_close,
        a_cancel_that_finds_nothing_means_cancelled, everybody_is_dead,
        patient_challengers, non_atomic_renew, leads_without_a_lease_or_epoch,
    )
}
