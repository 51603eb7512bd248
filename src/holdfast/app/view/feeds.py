"""What is told as it happens, and to whom.

Events have their place in a journal, so that who was away comes back to exactly what he missed:
from memory, or for longer from the journal itself. How things stand is told whole, and only the
newest counts. Not here: fan-out (hub), what an event says (events).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from holdfast.api.ports import TOPICS, Frame
from holdfast.app.view.account import (
    account_of,
    balances_of,
    bot_of,
    now,
    positions_of,
    price_of,
)
from holdfast.app.view.events import EVENTS, events_of
from holdfast.app.view.hub import Channel, Hub, Memory, Reader, Said, frame_of
from holdfast.app.view.journals import Followed
from holdfast.app.view.model import Model
from holdfast.errors import CorruptionError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.reading import hash_of, head_of, lines_of
from holdfast.journal.record import Record, decode
from holdfast.platform.identity.values import Principal

STANDING_S: Final = 1.0
FASTEST_S: Final = 0.1
BEAT_S: Final = 5.0
MOST_PER_S: Final = 2000
"""Messages of how one thing stands, all readers together: many readers hear it less often."""
MOST_MISSED: Final = 20_000
"""Records that a journal is read for; who missed more looks anew."""

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode


class ViewFeeds:
    """`api.ports.Feeds` over the read model. Belongs to one event loop."""

    def __init__(self, model: Model, database: Database) -> None:
        self._model = model
        self._database = database
        self._hub = Hub()
        self._memories: dict[tuple[str, str], Memory] = {}
        self._listening: dict[Reader, tuple[Principal, Sequence[str]]] = {}
        self._standing: dict[Channel, bytes] = {}
        self._changed: set[str] = set()
        self._begun_anew: set[str] = set()
        model.journals.on_news = self._on_news
        model.journals.on_whole = self._on_whole

    @property
    def readers(self) -> int:
        """How many listen now."""
        return len(self._listening)

    async def run(self) -> None:
        """Tell how things stand, now and then, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in (self._tell_prices(), self._tell_standing(), self._beat()):
                group.create_task(part)

    async def subscribe(
        self, who: Principal, topics: Sequence[str], after: Mapping[str, int]
    ) -> AsyncGenerator[Frame, None]:
        """Messages until it is closed; see the port."""
        journals = self._model.journals
        if not journals.is_read:
            raise RetryableError("seen: journals that are still being read; do: come again")
        reader = Reader()
        # Of one that is begun later, or anew, readers are told once it is read (`_on_whole`).
        followed = [f for f in journals.accounts.values() if f.is_whole and _sees(who, f.name)]
        reached = {one.name: one.state.seq for one in followed}
        self._listening[reader] = (who, topics)
        self._hub.join(reader, [Channel("beat")])
        if "prices" in topics:
            self._hub.join(reader, [Channel("prices")])
        for one in followed:
            self._hub.join(reader, _channels(who, topics, one))
        try:
            yield Frame("ready", "", 0, _encode({"topic": "ready", "positions": reached}))
            for one in followed:
                if one.name in after:
                    for frame in await self._missed(
                        who, topics, one, after[one.name], reached[one.name]
                    ):
                        yield frame
            while True:
                for frame in await reader.take():
                    yield frame
        finally:
            self._hub.leave(reader)
            self._listening.pop(reader, None)

    # -- events ------------------------------------------------------------------------------------

    def _on_whole(self, followed: Followed) -> None:
        """From here on what is said of an account is kept, and its readers hear it.

        Those who listen already have seen nothing of it, or another history: they look anew.
        """
        name, seq = followed.name, followed.state.seq
        if (EVENTS[0], name) in self._memories:
            self._begun_anew.add(name)
        for topic in EVENTS:
            self._memories[topic, name] = Memory(seq)
        joining = {
            reader: channels
            for reader, (who, topics) in self._listening.items()
            if _sees(who, name) and (channels := list(_channels(who, topics, followed)))
        }
        self._hub.tell(joining, _reset(name, seq))
        for reader, channels in joining.items():
            self._hub.join(reader, channels)

    def _on_news(self, followed: Followed, records: Sequence[Record]) -> None:
        name, batch = followed.name, events_of(followed, records)
        for topic, said in batch.items():
            self._memories[topic, name].add(said)
        parts = [
            (channel, own)
            for topic, said in batch.items() if said
            for channel in self._hub.channels(topic, name)
            if (own := [one for one in said if channel.bot in {"", one.bot}])
        ]  # fmt: skip
        if parts:
            reached = max(said[-1].seq for said in batch.values() if said)
            self._hub.send_batch(parts, records[0].seq - 1, reached)
        self._changed.add(name)

    async def _missed(
        self, who: Principal, topics: Sequence[str], followed: Followed, after: int, reached: int
    ) -> list[Frame]:
        """What came after a position up to another one; or that one has to look anew."""
        if after == reached:
            return []
        found: dict[str, list[Said]] = {}
        for topic in EVENTS:
            memory = self._memories[topic, followed.name]
            said = memory.after(after) if after <= reached else None
            if said is None:
                if followed.name in self._begun_anew:  # whose position it is cannot be told
                    return [_reset(followed.name, reached)]
                try:
                    found = await asyncio.to_thread(self._read_missed, followed, after, reached)
                except (RetryableError, CorruptionError, LookupError):
                    return [_reset(followed.name, reached)]
                break
            found[topic] = [one for one in said if one.seq <= reached]
        parts = [
            (topic, own)
            for topic in EVENTS if topic in topics
            if (own := [one for one in found[topic] if _hears(who, followed, one)])
        ]  # fmt: skip
        told = max((own[-1].seq for _, own in parts), default=after)
        return [  # positions as of `Hub.send_batch`
            frame_of(topic, followed.name, own, told if left == 0 else after)
            for left, (topic, own) in zip(reversed(range(len(parts))), parts, strict=True)
        ]

    def _read_missed(
        self, followed: Followed, after: int, reached: int
    ) -> dict[str, list[Said]]:
        """The same from the journal; blocks.

        Raises:
            LookupError: it is too much, or of another history.
        """
        if not 0 <= reached - after <= MOST_MISSED:
            raise LookupError
        name = self._database.name
        with self._database.one_moment() as rows:
            head = head_of(name, rows, followed.name)
            if head.seq < reached or (after and hash_of(name, rows, followed.name, after) is None):
                raise LookupError
            lines = lines_of(name, rows, followed.name, after)
            records = [decode(line.body) for line in lines if line.seq <= reached]
        return events_of(followed, records)

    # -- how things stand --------------------------------------------------------------------------

    async def _beat(self) -> None:
        """So that a stream on which nothing happens is told from one that is dead."""
        while True:
            await asyncio.sleep(BEAT_S)
            told = _encode({"topic": "beat", "at": now()})
            self._hub.send(Channel("beat"), Frame("beat", "", 0, told))

    async def _tell_prices(self) -> None:
        while True:
            listeners = len(self._hub.readers(Channel("prices")))
            await asyncio.sleep(max(FASTEST_S, listeners / MOST_PER_S))
            prices = [price_of(symbol, seen) for symbol, seen in sorted(self._model.last.items())]
            self._stand(Channel("prices"), {"prices": [_without_age(price) for price in prices]})

    async def _tell_standing(self) -> None:
        told_s = 0.0
        while True:
            await asyncio.sleep(max(FASTEST_S, self.readers / MOST_PER_S))
            now_s, accounts = time.monotonic(), self._model.journals.accounts
            names = self._changed & accounts.keys()
            if now_s - told_s >= STANDING_S:  # prices move without any record
                names, told_s = set(accounts), now_s
            self._changed.clear()
            for name in names:
                self._tell_account(accounts[name])

    def _tell_account(self, followed: Followed) -> None:
        """Equity and positions, to those who listen, where they differ from what was told last."""
        model, name = self._model, followed.name
        if self._hub.listens(Channel("equity", name)):
            account = account_of(
                followed, model.last, model.nodes.leader_of(name), model.venue_of(name)
            )
            sentence, tone = model.says([followed])
            self._stand(
                Channel("equity", name),
                {"state": account, "sentence": sentence, "tone": tone.value},
            )
        for channel in list(self._hub.channels("positions", name)):
            self._stand(channel, self._holdings(followed, channel.bot))

    def _holdings(self, followed: Followed, bot: str) -> dict[str, Any]:
        """What an account and its bots have; of one bot only what is its own."""
        last = self._model.last
        bots = [
            bot_of(followed, name, last, written)
            for _, name, written in self._model.bots([followed])
            if bot in {"", name}
        ]
        if bot:
            return {
                "bots": bots,
                "positions": list(positions_of(followed, last, bot)),
                "balances": [],
            }
        return {
            "bots": bots,
            "positions": list(positions_of(followed, last)),
            "balances": list(balances_of(followed, last)),
        }

    def _stand(self, channel: Channel, told: dict[str, Any]) -> None:
        """Tell it when it is news; `at` alone is none."""
        body = _encode(told)
        if self._standing.get(channel) == body:
            return
        self._standing[channel] = body
        followed = self._model.account(channel.account)
        head = {"topic": channel.topic, "account": channel.account, "at": now()}
        if followed is not None:
            head["seq"] = followed.state.seq
        whole = _encode(head)[:-1] + b"," + body[1:]
        self._hub.send_latest(channel, Frame(channel.topic, channel.account, 0, whole))


def _sees(who: Principal, account: str) -> bool:
    return who.accounts is None or account in who.accounts


def _channels(who: Principal, topics: Sequence[str], followed: Followed) -> Iterator[Channel]:
    """What somebody may hear of an account: all of it, or what is of his bots."""
    name = followed.name
    for topic in TOPICS:
        if topic not in topics or topic == "prices":
            continue
        if who.owns(name):
            yield Channel(topic, name)
        elif topic in {"orders", "alerts", "positions"}:
            for grant in who.grants:
                if grant.account == name and grant.bot:
                    yield Channel(topic, name, grant.bot)


def _reset(account: str, seq: int) -> Frame:
    told = _encode({"topic": "reset", "account": account, "seq": seq})
    return Frame("reset", account, seq, told)


def _hears(who: Principal, followed: Followed, said: Said) -> bool:
    return who.owns(followed.name) or (bool(said.bot) and who.owns(followed.name, said.bot))


def _without_age(price: Any) -> dict[str, Any]:
    """A price without how old it is: that changes all the time, and whoever reads it can tell."""
    return {"symbol": price.symbol, "price": price.price, "at": price.at}
