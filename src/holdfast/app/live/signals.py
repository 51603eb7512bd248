"""External series of an account: their sources, followed while it trades, and their way into the
journal.

Lives here: one loop per source, and the one door by which an entry becomes a fact. Not here: what a
source is (signals), who sees it (engine).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession

from holdfast.config import Config, SignalSource, resolve
from holdfast.domain.event import OperatorAsked
from holdfast.domain.fact import CommandTaken
from holdfast.errors import ConfigError, RetryableError, UnreachableError
from holdfast.ledger.state import AccountState
from holdfast.signals.file import FileTail, Form, Line
from holdfast.signals.order import Rate, taken
from holdfast.signals.poll import poll
from holdfast.signals.port import Entry, SignalRefused
from holdfast.signals.webhook import listening
from holdfast.telemetry.log import get_logger, hide

log = get_logger("app.signals")

JOURNAL_S = 5.0
_TOLD_EVERY_S = 10.0
LISTEN_AGAIN_S = 5.0


class Signals:
    """The sources of one account.

    Args:
        account: the fold, which knows what was heard of each series.
        record: journals facts together; when it returns they are durable and folded.
        now_ms: the exchange's time.

    Raises:
        ConfigError: a secret cannot be read.
    """

    def __init__(
        self,
        config: Config,
        account: AccountState,
        record: Callable[..., Awaitable[object]],
        now_ms: Callable[[], int],
    ) -> None:
        sources = config.signals
        self._sources = {source.name: source for source in sources}
        self._webhooks = config.webhooks
        self._account = account
        self._record = record
        self._now_ms = now_ms
        self._turns = {name: asyncio.Lock() for name in self._sources}
        self._rates = {name: Rate(one.most_per_minute) for name, one in self._sources.items()}
        self._said: dict[str, tuple[float, int]] = {}
        self._secrets = {one.name: _secret(one.secret) for one in sources if one.secret}
        self._tokens = {one.name: _secret(one.token) for one in sources if one.token}

    def require(self, bot: str, wanted: Iterable[str]) -> None:
        """See that every series that a bot's strategy declares has a source.

        Raises:
            ConfigError: one has none.
        """
        for name in wanted:
            if name not in self._sources:
                raise ConfigError(
                    f"seen: bot {bot}'s strategy wants the signal {name!r}; expected: one of "
                    f"{', '.join(self._sources) or 'none, for there is no [[signals]]'}; do: add "
                    "it to [[signals]]"
                )

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """Each runs until cancelled."""
        parts = [self._follow(one) for one in self._sources.values() if one.file]
        parts += [self._ask(one) for one in self._sources.values() if one.url]
        return [*parts, self._listen()] if self._secrets else parts

    async def deliver(self, name: str, entry: Entry, *before: CommandTaken) -> bool:
        """Journal an entry; False when it was known. One of a series at a time.

        Args:
            before: the command that it came by, journaled with it.

        Raises:
            SignalRefused: it does not follow the last one, or there were too many.
            TimeoutError: the journal did not take it in time; it may do so yet.
        """
        async with self._turns[name], asyncio.timeout(JOURNAL_S):
            now_ns = self._now_ms() * 1_000_000
            try:
                fact = taken(name, entry, self._account.signals.get(name, ()), now_ns)
                if fact is None:
                    return False
                self._require_room(name)
            except SignalRefused as refused:
                self._tell(name, str(refused))
                raise
            await self._record(*before, fact)
            return True

    async def take(self, asked: OperatorAsked) -> None:
        """Journal what came by the API, with the command that it came by, or why it is refused.

        Raises:
            RetryableError: the journal does not take it now.
        """
        told = asked.arguments
        name, known_at_ns = told.get("signal", ""), told.get("known_at_ns")
        entry = Entry(
            told.get("value", ""), int(known_at_ns) if known_at_ns else None, told.get("id", "")
        )
        taken = CommandTaken(
            command_id=asked.command_id, name=asked.name, by=asked.by,
            arguments=str(sorted({"signal": name, "id": entry.entry_id}.items())),
        )  # fmt: skip
        if name not in self._secrets:
            why = f"seen: signal {name!r}; expected: one with a secret on this node"
            await self._record(msgspec.structs.replace(taken, refused=why))
            return
        try:
            if not await self.deliver(name, entry, taken):
                await self._record(taken)
        except SignalRefused as refused:
            await self._record(msgspec.structs.replace(taken, refused=str(refused)))
        except TimeoutError as error:
            raise RetryableError(f"seen: the journal did not take signal {name} in time") from error

    def _require_room(self, name: str) -> None:
        wait_s = self._rates[name].wait_s(time.monotonic())
        if wait_s:
            most = self._sources[name].most_per_minute
            raise SignalRefused(
                429, f"seen: more than {most} in a minute; expected: fewer; do: wait {wait_s:.0f} s"
            )
        self._rates[name].add(time.monotonic())

    def _tell(self, name: str, why: str) -> None:
        """Say that something was not taken; of a flood only how much it was, now and then."""
        now_s = time.monotonic()
        until_s, untold = self._said.get(name, (0.0, 0))
        if now_s < until_s:
            self._said[name] = (until_s, untold + 1)
            return
        self._said[name] = (now_s + _TOLD_EVERY_S, 0)
        log.warning("signal refused", action="signal_refused", signal=name, why=why, more=untold)

    # -- a file that somebody appends to -----------------------------------------------------------

    async def _follow(self, source: SignalSource) -> None:
        name, path = source.name, Path(source.file)
        tail, form = FileTail(path), Form(path)
        is_history = True
        while True:
            lines = await asyncio.to_thread(self._lines, name, tail)
            entries = [e for e in (self._entry(name, form, line) for line in lines) if e]
            if is_history:
                entries = self._last_of(name, entries)
            is_history = False
            for entry in entries:
                await self._when_there_is_room(name, entry)
            await asyncio.sleep(source.interval_s)

    def _last_of(self, name: str, history: list[Entry]) -> list[Entry]:
        """What was there before says nothing about now, but for the last of it, if that is news."""
        if len(history) > 1:
            passed_over = len(history) - 1
            log.info("signal history", action="signal_history", signal=name, lines=passed_over)
        return [entry for entry in history[-1:] if self._is_news(name, entry)]

    def _lines(self, name: str, tail: FileTail) -> list[Line]:
        try:
            return list(tail.read())
        except OSError as error:
            self._tell(name, f"seen: {tail.path} cannot be read ({error.strerror})")
            return []

    def _entry(self, name: str, form: Form, line: Line) -> Entry | None:
        try:
            return form.entry(line)
        except SignalRefused as refused:
            self._tell(name, f"line {line.number}: {refused}")
            return None

    async def _when_there_is_room(self, name: str, entry: Entry) -> None:
        """A file does not go away: its lines wait, in their order."""
        while True:
            await asyncio.sleep(self._rates[name].wait_s(time.monotonic()))
            try:
                await self.deliver(name, entry)
            except TimeoutError:
                log.warning("signal waits for the journal", action="signal_wait", signal=name)
                continue
            except SignalRefused as refused:
                if refused.status == 429:
                    continue
            return

    # -- an address that is asked ------------------------------------------------------------------

    async def _ask(self, source: SignalSource) -> None:
        token = self._tokens.get(source.name, "")
        async with ClientSession() as session:
            while True:
                try:
                    entry = await poll(session, source.url, pointer=source.pointer, token=token)
                    if self._is_news(source.name, entry):
                        await self.deliver(source.name, entry)
                except (RetryableError, TimeoutError) as error:
                    self._tell(source.name, str(error) or "seen: the journal does not answer")
                except SignalRefused as refused:
                    self._tell(source.name, str(refused))
                await asyncio.sleep(source.interval_s)

    def _is_news(self, name: str, entry: Entry) -> bool:
        """A value without a time is news when it is another than the last."""
        heard = self._account.signals.get(name, ())
        return entry.known_at_ns is not None or not heard or heard[-1].value != entry.value

    # -- who calls ---------------------------------------------------------------------------------

    async def _listen(self) -> None:
        where = self._webhooks
        while True:
            try:
                async with listening(where.host, where.port, self._secrets, self.deliver) as port:
                    log.info("webhooks", action="signals_listen", host=where.host, port=port)
                    await asyncio.Event().wait()
            except UnreachableError as error:  # trading goes on without them
                log.warning("no webhooks", action="signals_wait", why=str(error))
                await asyncio.sleep(LISTEN_AGAIN_S)


def _secret(reference: str) -> str:
    secret = resolve(reference).reveal()
    hide(secret)
    return secret
