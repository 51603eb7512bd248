"""News as a signal: scored by a real library, once each, and in the form that nodes follow.

Not here: how a node takes a signal in (tests/integration/signals).
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from holdfast.app.jobs.inputs import SlotJob
from holdfast.app.jobs.news import analyze_sentiment, news_in, sentiment_of
from holdfast.errors import ConfigError, RetryableError
from holdfast.signals.file import FileTail, Form, read_series
from tests.support.job_work import Here

SLOT = SlotJob(slot="2026-11-21T00:00:00Z")
GOOD = "Great rally: excellent results delight investors"
BAD = "Terrible crash: awful losses horrify investors"


def rss(*titles: str) -> str:
    items = "".join(f"<item><guid>{t}</guid><title>{t}</title></item>" for t in titles)
    channel = f"<channel><title>n</title>{items}</channel>"
    return f'<?xml version="1.0"?><rss version="2.0">{channel}</rss>'


class Reading(Here):
    """`Work` with feeds in its configuration."""

    def __init__(self, folder: Path, *feeds: str) -> None:
        super().__init__(folder)
        self.file = folder / "signals" / "news.jsonl"
        self.config_file.write_text(
            f'[jobs.sentiment]\nfeeds = {json.dumps(feeds)}\nfile = "{self.file}"\n'
        )


def test_good_news_sound_better_than_bad_ones_and_silence_is_neither() -> None:
    good, bad, none = (sentiment_of([text]) for text in (GOOD, BAD, "Ξ 漢字 12.5 \ud83d\ude80"))
    assert -1 <= bad.score < -0.5 < none.score == 0 < 0.5 < good.score <= 1
    mean = sentiment_of([GOOD, BAD])
    assert mean.news == 2
    assert mean.score == pytest.approx((good.score + bad.score) / 2, abs=1e-6)


def test_each_news_is_heard_once_and_the_file_is_what_nodes_follow(tmp_path: Path) -> None:
    feed = tmp_path / "feed.xml"
    feed.write_text(rss(BAD))
    work = Reading(tmp_path, feed.as_uri())
    began = datetime.now(UTC)
    assert analyze_sentiment(SLOT, work).new == 1
    assert analyze_sentiment(SLOT, work).value is None
    feed.write_text(rss(GOOD, BAD))
    found = analyze_sentiment(SLOT, work)
    assert found.value is not None
    assert (found.new, found.value.news) == (1, 1)
    entries = read_series(work.file)
    scores = [json.loads(entry.value)["score"] for entry in entries]
    assert [score > 0 for score in scores] == [False, True]
    first_ns = entries[0].known_at_ns
    assert first_ns is not None
    assert first_ns >= int(began.timestamp()) * 1_000_000_000
    assert len({entry.entry_id for entry in entries}) == 2
    form = Form(work.file)
    assert [form.entry(line) for line in FileTail(work.file).read()] == entries


def test_what_a_crash_repeats_has_the_same_id(tmp_path: Path) -> None:
    feed = tmp_path / "feed.xml"
    feed.write_text(rss(BAD, GOOD))
    work = Reading(tmp_path, feed.as_uri())
    analyze_sentiment(SLOT, work)
    (work.file.parent / ".news.jsonl.seen").unlink()  # as if it had ended in between
    analyze_sentiment(SLOT, work)
    one, two = read_series(work.file)
    assert one.entry_id == two.entry_id


def test_markup_is_no_word_and_what_is_no_feed_has_no_news() -> None:
    body = rss("A &lt;b&gt;great&lt;/b&gt; day &amp;amp; night").encode()
    assert [one.text for one in news_in(body)] == ["A great day & night. "]
    for nonsense in (b"", b"<html>", b"\x00\xff", b"[" * 10_000):
        assert news_in(nonsense) == []


def test_one_silent_feed_costs_the_others_nothing_and_all_silent_are_tried_again(
    tmp_path: Path,
) -> None:
    feed = tmp_path / "feed.xml"
    feed.write_text(rss(GOOD))
    gone = (tmp_path / "gone.xml").as_uri()
    found = analyze_sentiment(SLOT, Reading(tmp_path, gone, feed.as_uri()))
    assert (found.new, found.silent) == (1, (gone,))
    with pytest.raises(RetryableError, match="do not answer"):
        analyze_sentiment(SLOT, Reading(tmp_path, gone))


def test_feeds_are_fetched_over_http_and_bounded(tmp_path: Path) -> None:
    bodies = {"feed": rss(GOOD), "huge": "x" * (5 << 20)}

    async def answer(request: web.Request) -> web.Response:
        body = bodies.get(request.match_info["name"])
        return web.Response(text=body) if body else web.Response(status=503)

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{name}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        names = [f"http://127.0.0.1:{port}/{name}" for name in ("feed", "huge", "down")]
        work = Reading(tmp_path, *names)
        found = await asyncio.to_thread(analyze_sentiment, SLOT, work)
        assert (found.new, list(found.silent)) == (1, names[1:])
        await runner.cleanup()

    asyncio.run(serve())


def test_it_is_off_until_it_is_configured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sentiment"):
        analyze_sentiment(SLOT, Here(tmp_path))
