"""An account's worth between the journal's marks: fine for an hour, and no flood for a month."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path

from holdfast.app.view.model import Model
from holdfast.app.view.prices import Seen
from holdfast.app.view.recent import KEPT, Recent
from holdfast.config import Config
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.reports import Series
from tests.support.exchange import on_loop
from tests.support.report_stream import ACCOUNT, stream, write

SECOND_NS, DAY_NS = 10**9, 86_400 * 10**9
NOW_NS = 1_800_000_000 * SECOND_NS
NOTHING = Series((), 0.0)


async def seeing(folder: Path) -> tuple[Model, Recent]:
    """Somebody who looks at an account that holds Bitcoin."""
    journal = SqliteDatabase(folder / "journal.db")
    await asyncio.to_thread(write, journal, stream(3))
    model = Model(Config(database_url=f"sqlite:///{journal.name}"), journal)
    await model.journals.look()
    model.journals.close()
    return model, Recent(model)


def told(model: Model, price: str) -> None:
    for asset in ("BTC", "BNB"):
        seen = Seen(Decimal(price), NOW_NS, time.monotonic())
        model.last[f"{asset}/USDT"] = seen


@on_loop
async def test_an_hour_is_drawn_point_by_point_with_its_deepest_fall(tmp_path: Path) -> None:
    model, recent = await seeing(tmp_path)
    recent.look(NOW_NS - SECOND_NS)
    assert recent.joined(ACCOUNT, NOTHING, None, None, 800) == NOTHING, "what has no price is none"
    for second, price in enumerate(("60000", "50000", "60000")):
        told(model, price)
        recent.look(NOW_NS + second * SECOND_NS)
    mark = (NOW_NS - 60 * SECOND_NS, Decimal(10_000), 0.0)
    joined = recent.joined(ACCOUNT, Series((mark,), 0.0), None, None, 800)
    assert [at_ns for at_ns, *_ in joined.points] == [
        mark[0], NOW_NS, NOW_NS + SECOND_NS, NOW_NS + 2 * SECOND_NS,
    ]  # fmt: skip
    assert joined.points[1][1] > joined.points[2][1]
    assert joined.worst == joined.points[2][2] > 0
    only = recent.joined(ACCOUNT, NOTHING, NOW_NS + 1, NOW_NS + 2 * SECOND_NS, 800)
    assert [at_ns for at_ns, *_ in only.points] == [NOW_NS + SECOND_NS]


@on_loop
async def test_a_month_is_not_made_of_its_last_hour_and_memory_has_an_end(tmp_path: Path) -> None:
    model, recent = await seeing(tmp_path)
    told(model, "60000")
    for number in range(KEPT + 5):
        recent.look(NOW_NS + number * 5 * SECOND_NS)
    month = Series(
        tuple((NOW_NS - day * DAY_NS, Decimal(10_000), 0.0) for day in range(30, 0, -1)), 0.0
    )
    joined = recent.joined(ACCOUNT, month, None, None, 100)
    assert set(month.points) < set(joined.points)
    assert len(joined.points) == 31
    hour = recent.joined(ACCOUNT, NOTHING, None, None, 5_000)
    assert len(hour.points) == KEPT
    assert hour.points[0][0] == NOW_NS + 25 * SECOND_NS, "the oldest went"
