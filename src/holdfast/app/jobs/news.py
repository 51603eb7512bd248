"""How news sound, as a signal: a number that a strategy may look at, like any other series.

Feeds are read, what is new in them is scored by TextBlob's lexicon (English, packaged with it), and
the mean is appended to a file that nodes follow. It is a rough measure, and says so with how many
texts it had. Not here: signals (signals, app.live.signals).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import unescape
from pathlib import Path
from re import compile as pattern
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from holdfast.app.jobs.inputs import SlotJob
from holdfast.config import load
from holdfast.errors import ConfigError, RetryableError
from holdfast.platform.jobs.kinds import Work
from holdfast.telemetry.log import get_logger

log = get_logger("app.news")

_MOST_BYTES: Final = 4 << 20
_MOST_TEXT: Final = 4000
_REMEMBERED: Final = 5000
_TIMEOUT: Final = ClientTimeout(total=20)
_TAG: Final = pattern(r"<[^>]*>")


class News(msgspec.Struct, frozen=True):
    """One entry of a feed."""

    id: str
    text: str


class Sentiment(msgspec.Struct, frozen=True):
    """The value of the signal: -1 is bad, 1 is good; how many texts, and how opinionated (0 to 1).

    What has no word that the lexicon knows counts as 0.
    """

    score: float
    subjectivity: float
    news: int


class Looked(msgspec.Struct, frozen=True):
    """What a look came to: how many entries were new, the value if there is one, silent feeds."""

    new: int
    value: Sentiment | None
    silent: tuple[str, ...]


class _Entry(msgspec.Struct):
    value: Sentiment
    known_at: str
    id: str


def analyze_sentiment(given: SlotJob, work: Work) -> Looked:
    """Look at the feeds, and append one value if there was news.

    Raises:
        ConfigError: nothing is configured, or what reads and scores is not installed.
        RetryableError: no feed answers.
    """
    del given
    settings = load(work.config_file).jobs.sentiment
    if settings is None:
        raise ConfigError("seen: no `[jobs.sentiment]`; expected: feeds; do: configure it")
    bodies, silent = asyncio.run(_fetched(settings.feeds))
    if not bodies:
        raise RetryableError(f"seen: {', '.join(silent)} do not answer; expected: one that does")
    file = Path(settings.file)
    memory = file.with_name(f".{file.name}.seen")
    known = _remembered(memory)
    fresh = {one.id: one for body in bodies for one in news_in(body) if one.id not in known}
    work.tell(0.5, f"{len(fresh)} new")
    if not fresh:
        return Looked(0, None, silent)
    value = sentiment_of([one.text for one in fresh.values()])
    # Known from now on, whatever the feed says: a strategy must not have heard it before.
    known_at = datetime.now(UTC).isoformat()
    digest = sha256("\n".join(sorted(fresh)).encode()).hexdigest()[:32]
    _append(file, msgspec.json.encode(_Entry(value, known_at, digest)))
    _remember(memory, [*known, *fresh][-_REMEMBERED:])
    return Looked(len(fresh), value, silent)


def sentiment_of(texts: Sequence[str]) -> Sentiment:
    """The mean over texts, at least one.

    Raises:
        ConfigError: what scores is not installed.
    """
    try:
        from textblob import TextBlob  # noqa: PLC0415  # an extra, and slow
    except ImportError as error:
        raise _not_installed(error) from error
    found = [TextBlob(text[:_MOST_TEXT]).sentiment for text in texts]
    count = len(found)
    return Sentiment(
        score=round(sum(one.polarity for one in found) / count, 6),
        subjectivity=round(sum(one.subjectivity for one in found) / count, 6),
        news=count,
    )


def news_in(body: bytes) -> list[News]:
    """The entries of an RSS or Atom document, in its order; what is none has none.

    Raises:
        ConfigError: what reads is not installed.
    """
    try:
        import feedparser  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise _not_installed(error) from error
    found = []
    for entry in feedparser.parse(body).entries:
        words = f"{_plain(entry, 'title')}. {_plain(entry, 'summary')}"
        named = str(entry.get("id") or entry.get("link") or words)
        found.append(News(sha256(named.encode(errors="replace")).hexdigest()[:32], words))
    return found


def _plain(entry: Any, name: str) -> str:
    return " ".join(_TAG.sub(" ", unescape(str(entry.get(name) or ""))).split())


async def _fetched(feeds: Sequence[str]) -> tuple[list[bytes], tuple[str, ...]]:
    """What the feeds answered, and those that did not."""
    bodies, silent = [], []
    async with ClientSession(timeout=_TIMEOUT) as session:
        for feed in feeds:
            try:
                bodies.append(await _body(session, feed))
            except (ClientError, TimeoutError, OSError) as error:
                log.warning("a feed does not answer", action="feed_silent", feed=feed,
                            why=str(error) or type(error).__name__)  # fmt: skip
                silent.append(feed)
    return bodies, tuple(silent)


async def _body(session: ClientSession, feed: str) -> bytes:
    parts = urlsplit(feed)
    if parts.scheme == "file":
        with Path(unquote(parts.path)).open("rb") as file:  # noqa: ASYNC230 - a small local file
            return file.read(_MOST_BYTES)
    async with session.get(feed) as answer:
        answer.raise_for_status()
        body = bytearray()
        async for chunk in answer.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > _MOST_BYTES:
                raise OSError(f"more than {_MOST_BYTES:,} bytes")
        return bytes(body)


def _append(file: Path, line: bytes) -> None:
    """One line, whole and durable; whoever follows the file takes a repeated id for known."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab", buffering=0) as out:
        out.write(line + b"\n")
        os.fsync(out.fileno())


def _remembered(memory: Path) -> dict[str, None]:
    try:
        return dict.fromkeys(msgspec.json.decode(memory.read_bytes(), type=list[str]))
    except FileNotFoundError:
        return {}


def _remember(memory: Path, ids: Sequence[str]) -> None:
    fresh = memory.with_name(f"{memory.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(ids))
    fresh.replace(memory)


def _not_installed(error: ImportError) -> ConfigError:
    return ConfigError(
        f"seen: {error.name} is not installed; expected: the extra `sentiment`; do: pip install "
        "'holdfast[sentiment]'"
    )
