"""What a real node tells of itself: traces, errors and a log, and no secret in any of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.support.canary import Canary, escaped, written
from tests.support.collectors import Heard, attributes, collecting
from tests.support.node import BotLine, until_node
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S, until

LEAKY = '''
import logging
import os
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy, Target, View, Wish


class Flip(Strategy):
    """Trades with every bar."""

    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity > Decimal("0.01") else Target(quantity=Decimal("0.5"))


class Leaky(Strategy):
    """Says what it must not, in its log and then in an exception."""

    def decide(self, now: View) -> Wish:
        logging.getLogger("leaky").error("signed with %s", os.environ["NODE_SECRET"])
        logging.getLogger("leaky").error("GET /order?signature=%s", os.environ["CANARY_FORM"])
        logging.getLogger("leaky").error("postgresql://u:%s@h/d", os.environ["CANARY_FORM"])
        raise RuntimeError("no good: " + os.environ["NODE_SECRET"])
'''
PARTS = {"gate", "arm", "send", "classify"}


@pytest.mark.slow
def test_a_node_sends_traces_and_errors_and_no_secret_gets_out(tmp_path: Path) -> None:
    asyncio.run(_node(tmp_path))


async def _node(folder: Path) -> None:
    form, sentry = Canary("by its form"), Canary("sentry", uuid.uuid4().hex)
    with collecting() as heard:
        async with scene(folder) as made:
            bots = (BotLine("flip", "BTC/USDT"), BotLine("leaky", "ETH/USDT", "Leaky"))
            node = made.node(bots, strategies=LEAKY)
            key = Canary("api key and secret", node.secrets()["NODE_SECRET"])
            await node.start(environ={
                "OTEL_EXPORTER_OTLP_ENDPOINT": heard.otlp, "OTEL_BSP_SCHEDULE_DELAY": "100",
                "SENTRY_DSN": heard.dsn(str(sentry)), "CANARY_FORM": str(form),
                "ENVIRONMENT": "canaries",
            })  # fmt: skip
            await until_node(node, lambda: len(node.logged("order_placed")) >= 3, "orders")
            await made.fault("stream_silence", None, for_ms=8000)
            refusal = f'{{"code":-1000,"msg":"apiKey={form}&signature={form} went wrong"}}'
            await made.fault(
                "http_status", method="POST", count=2, status=503, executed=True, body=refusal
            )
            await until_node(node, lambda: bool(node.logged("order_in_doubt")), "a doubt")
            (doubt, *_) = node.logged("order_in_doubt")
            await until(
                lambda: doubt["order"] in {_about(span)["holdfast.order"]
                                           for span in heard.named("resolve")},
                lambda: f"no end of the doubt in the trace; {node.said()[-1500:]}",
            )  # fmt: skip
            await until(lambda: bool(heard.errors), lambda: "no error was reported")
            await node.stop()
        assert escaped(written(folder, "journal.db", "-wal", "-shm"), form, key, sentry) == []
        assert escaped({"what was sent": heard.raw}, form, key) == []
        for told in (node.said(), heard.raw):
            assert told.count("***") >= 3  # they were there, and are masked

        placed = node.logged("order_placed")[0]
        assert (placed["service"], placed["env"], placed["account"]) == ("node", "canaries", "main")
        assert placed["epoch"] >= 1
        _whole(heard, placed["order"], placed["intent"])
        resolve = next(s for s in heard.named("resolve")
                       if _about(s)["holdfast.order"] == doubt["order"])  # fmt: skip
        assert resolve.trace_id == uuid.UUID(doubt["intent"]).bytes
        error = next(one for one in heard.errors if one["tags"].get("action") == "bot_stopped")
        assert (error["tags"]["bot"], error["environment"]) == ("leaky", "canaries")


_about = attributes


def _whole(heard: Heard, order: str, intent: str) -> None:
    """The trace of an order: one span for the attempt, and the stations of its path below it."""
    root = next(s for s in heard.named("order") if _about(s)["holdfast.order"] == order)
    assert root.trace_id == uuid.UUID(intent).bytes
    below = {s.name: s for _, s in heard.spans if s.parent_span_id == root.span_id}
    assert below.keys() >= PARTS
    path = [below[name] for name in ("gate", "arm", "send", "classify")]
    assert all(one.trace_id == root.trace_id for one in path)
    times = [root.start_time_unix_nano, *(s.end_time_unix_nano for s in path)]
    assert times == sorted(times)
    (first_byte,) = below["send"].events
    assert below["arm"].end_time_unix_nano <= first_byte.time_unix_nano


@pytest.mark.parametrize("words", [("--debug", "api"), ("node",)])
@pytest.mark.slow
def test_a_password_in_an_address_is_not_shown_by_who_cannot_use_it(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    canary, log = Canary("password"), tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            cwd=tmp_path, stdout=file, stderr=file,
            env={
                **{k: v for k, v in os.environ.items() if not k.endswith("_URL")},
                "DATABASE_URL": f"postgresql://user:{canary}@127.0.0.1:1/journal?connect_timeout=1",
                "BINANCE_API_KEY": "k" * 16, "BINANCE_API_SECRET": str(Canary("unused")),
                "PORT": "0", "METRICS_PORT": "0",
            },
        )  # fmt: skip
    try:  # a node tries again and again, an API gives up
        asyncio.run(until(lambda: "127.0.0.1" in log.read_text(), log.read_text, every_s=0.1))
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
    assert escaped(written(tmp_path), canary) == []
