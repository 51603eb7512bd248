"""What it costs to tell of an order: its lines in the log, and its trace where traces are on.

Processor time of the whole process, sending thread included; a stand-in takes the spans. Not here:
the order itself (live).
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from benchmarks.row import Row
from holdfast.app.live.fact_log import FactLog
from holdfast.app.live.tracing import OrderTraces
from holdfast.domain.event import Committed
from holdfast.domain.fact import Armed, AttemptMoved, Filled
from holdfast.domain.fill import Fill
from holdfast.domain.order import AttemptState, OrderSpec, OrderType, Side
from holdfast.execution.passage import Passage
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.telemetry import log, trace
from holdfast.telemetry.context import identify
from holdfast.venues.port import Answer, Verdict
from tests.support.collectors import collecting

ORDERS, ROUNDS = 500, 5


def run() -> list[Row]:
    """Medians of some rounds."""
    account, armed = AccountState(account="main", epoch=3), _armed()
    account.live[armed.cid] = LiveOrder(armed)
    log.configure("info", file=Path(os.devnull))
    identify(service="node", version="0", node="left")
    for number in range(4):
        log.hide(f"secret-number-{number}-of-an-account")
    lines = _median_us(lambda: _tell(FactLog(account, lambda _bot: "sma_cross"), armed))
    with collecting() as heard:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = heard.otlp
        traces = trace.begin("node", "0")
        spans = _median_us(lambda: OrderTraces(account, traces).passed(_passage(armed)))
        trace.stop()
    log.configure("info", stream=sys.stderr)
    return [
        Row(what="the log of an order that fills, CPU", unit="us", measured=lines),
        Row(what="the trace of an order, where traces are on, CPU", unit="us", measured=spans),
    ]


def _median_us(once: Callable[[], None]) -> float:
    logging.captureWarnings(capture=False)
    found = []
    for _ in range(ROUNDS + 1):
        began_s = time.process_time()
        for _ in range(ORDERS):
            once()
        found.append((time.process_time() - began_s) / ORDERS * 1e6)
    return statistics.median(found[1:])


def _tell(told: FactLog, armed: Armed) -> None:
    passage = _passage(armed)
    told.leaving(passage)
    told.committed(Committed(1, 0, AttemptMoved(cid=armed.cid, state=AttemptState.ACKED)))
    fill = Fill(
        symbol="BTC/USDT", side=Side.BUY, trade_id="7", venue_order_id="28457", cid=armed.cid,
        quantity=Decimal("0.5"), price=Decimal(60_000), fee=Decimal("0.0005"), fee_asset="BTC",
        at_ns=0,
    )  # fmt: skip
    told.committed(Committed(2, 0, Filled(fill=fill, bot="trend")))
    told.passed(passage)


def _passage(armed: Armed) -> Passage:
    now_ns = time.monotonic_ns()
    return Passage(
        (armed,), now_ns, now_ns, now_ns + 1_000, now_ns + 2_000, now_ns + 3_000, now_ns + 4_000,
        Verdict(answer=Answer.ACKED),
    )  # fmt: skip


def _armed() -> Armed:
    spec = OrderSpec(
        symbol="BTC/USDT", side=Side.BUY, type=OrderType.MARKET, quantity=Decimal("0.5")
    )
    return Armed(
        cid="5e0c91920410964645ac5437bdf3a272", intent_id="b9a2f1f0-0000-5000-8000-0000000000aa",
        n=1, bot="trend", leg="BTC/USDT", seq=0, decision=7, spec=spec, boot_id="1-1",
        timestamp_ms=0, window_ms=1000, reserve_asset="USDT", reserve=Decimal(30_000),
    )  # fmt: skip
