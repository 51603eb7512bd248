"""How fast the local exchange's markets are made: invented events, replayed prints, rows read.

Not here: matching them (`matching`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from pathlib import Path

from benchmarks.row import Row
from holdfast.domain.market import Trade
from holdfast.exchange.catalogue import LISTINGS
from holdfast.exchange.replay import RecordedMarket, ReplayFlow
from holdfast.exchange.synthetic import SyntheticFlow
from holdfast.market.read import open_recording

EVENTS = 200_000
PRINTS = 50_000
_START_MS = 1_723_118_400_000


def run() -> list[Row]:
    """Per second of processor time."""
    invented = _per_second(islice(SyntheticFlow(1).events(), EVENTS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTCUSDT.csv"
        path.write_text("\n".join(["time,price,qty", *_lines()]))
        recording = open_recording(path)
        read = _per_second(recording.trades())
        prints: list[Trade] = list(recording.trades())
    flow = ReplayFlow([RecordedMarket(LISTINGS["BTC/USDT"], lambda: prints)])
    return [
        Row(what="markets: invented events", unit="1/s", measured=invented, at_least=100_000),
        Row(what="markets: events of a replay", unit="1/s", measured=_per_second(flow.events())),
        Row(what="markets: trades read from CSV", unit="1/s", measured=read),
    ]


def _lines() -> Iterable[str]:
    """A slow zigzag, as most prints are: near the one before."""
    for number in range(PRINTS):
        price = Decimal(60_000) + Decimal(abs(number % 400 - 200)) / 10
        yield f"{_START_MS + number},{price},0.0123"


def _per_second(items: Iterable[object]) -> float:
    started_s = time.process_time()
    count = sum(1 for _ in items)
    return count / (time.process_time() - started_s)
