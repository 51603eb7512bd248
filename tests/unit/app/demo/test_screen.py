"""The screen: a scripted moment as text, at the size of a small terminal and of a large one."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from holdfast.app.database import SqliteDatabase
from holdfast.app.demo.picture import Moment, Mood, draw, say
from holdfast.app.demo.replica import Replica
from holdfast.app.demo.screen import Screen, sparkline
from holdfast.app.live.leadership import Takeover
from holdfast.domain.fact import AnyFact, BotStarted, Halted, HaltLevel
from holdfast.domain.order import AttemptState, OrderState, Side
from holdfast.ledger.fold import apply
from tests.support import demo_world as world

NOON_NS = 1_700_049_600_000_000_000


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The screen tells local time; the test's place is Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def replica(*more: AnyFact) -> Replica:
    """The scripted journal, with one order resting and one on its way."""
    found = Replica(SqliteDatabase(Path("nowhere")), "main")
    facts = [
        *world.facts(),
        world.armed(4, Side.BUY, "0.1"),
        world.acked(4, OrderState.NEW, "0"),
        world.armed(5, Side.BUY, "0.2"),
        *more,
    ]
    for seq, fact in enumerate(facts, start=1):
        apply(found.state, seq, 2, seq, fact)
        found.told.take(fact, NOON_NS + seq * 1_000_000)
    return found


def moment(**changes: Any) -> Moment:
    fields: dict[str, Any] = {
        "elapsed_s": 42.4,
        "url": "http://127.0.0.1:8900",
        "verb": "demo",
        "market": "invented market, seed 7",
        "marks": {"BTC": Decimal(1002)},
        "price_age_s": 0.21,
        "series": [1.0, 2.0, 1.5, 3.0],
        "check": world.audited(world.facts(), world.ledger()),
        "checked_ns": NOON_NS,
        "down_s": None,
        "paused_s": 0.0,
        "doubt_s": 0.0,
        "ending": False,
        "note": "",
    }
    return Moment(**{**fields, **changes})


def shown(
    found: Replica, at: Moment, *, width: int = 80, height: int = 24, **console: Any
) -> list[str]:
    """The lines of the screen."""
    out = io.StringIO()
    Console(file=out, width=width, height=height, force_terminal=False, **console).print(
        Screen(draw(found, at)), height=height, end=""
    )
    return [line.rstrip() for line in out.getvalue().split("\n")]


EXPECTED = """\
 holdfast demo          local exchange, invented market, seed 7           00:42
 Trading normally. Prices 0.2 s old. Nothing in doubt.

 equity       10,000.08 USDT  today +0.08  ▁▅▃█
 exposure        200.10 USDT  2.0 % of equity is in coins

 bot     strategy    market     position   profit   state
 trend   sma_cross   BTC/USDT     0.1997    +0.08   trading
 orders ────────────────────────────────────────────────────────────────────────
 resting 1   filled 2   taken back 0   in doubt 0   on its way 1   refused 1
 12:00:00.021   trend   buy    0.2   BTC/USDT   at market   on its way
 12:00:00.019   trend   buy    0.1   BTC/USDT   at market   resting
 12:00:00.017   trend   buy    0.1   BTC/USDT   at market   refused
 12:00:00.013   trend   sell   0.1   BTC/USDT    1,001.00   filled
 12:00:00.007   trend   buy    0.3   BTC/USDT    1,000.07   filled



 proof ─────────────────────────────────────────────────────────────────────────
 doubled 0   lost 0   by the exchange's ledger at 12:00:00: 2 orders, 3 fills
 journal 21 records   chain proved   epoch 2
 failovers 1   the last: trading again after 0.06 s, next order after 0.71 s

  k  kill leader   p  pause   r  lose reply   h  halt   q  quit"""


def test_the_screen_shows_a_moment() -> None:
    found = replica()
    second = 1_000_000_000
    failover = Takeover(9, 2, second + 50_000_000, "here:2", "boot-2", "1.0", fault_ns=second)
    failover.ready_ns, failover.first_order_ns = second + 60_000_000, second + 710_000_000
    found.failovers.append(failover)
    assert "\n".join(shown(found, moment())) == EXPECTED


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
def test_the_screen_fills_its_size_and_no_more(width: int, height: int) -> None:
    lines = shown(replica(), moment(), width=width, height=height)
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert "q  quit" in lines[-1]


def test_each_symbol_of_a_bot_has_its_line() -> None:
    config = '{"strategy":"rebalance","symbols":["ETH/USDT","BTC/USDT"]}'
    started = BotStarted(bot="trend", config_version=2, config=config, anchor_ns=0)
    lines = shown(replica(started), moment())
    at = next(n for n, line in enumerate(lines) if line.startswith(" trend   rebalance"))
    assert lines[at].split() == ["trend", "rebalance", "ETH/USDT", "0", "+0.00", "trading"]
    assert lines[at + 1].split() == ["BTC/USDT", "0.1997", "+0.08"]
    assert len(lines) == 24


def test_a_small_screen_still_shows_the_sentence_and_the_title() -> None:
    lines = shown(replica(), moment(), width=40, height=10)
    assert len(lines) == 10
    assert lines[1].startswith(" Trading normally.")


def test_without_colours_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    Console(file=out, width=80, height=24, force_terminal=True, color_system="truecolor").print(
        Screen(draw(replica(), moment())), height=24
    )
    assert "\x1b[" in out.getvalue(), "bold and reverse are no colours"
    assert not [code for code in ("[32m", "[33m", "[36m", ";32m") if code in out.getvalue()]


def test_before_the_first_record_nothing_is_made_up() -> None:
    empty = Replica(SqliteDatabase(Path("nowhere")), "main")
    lines = shown(empty, moment(check=None, series=[], price_age_s=None))
    text = "\n".join(lines)
    assert "Starting: the node reads its journal" in text
    assert "equity    not known yet" in text
    assert "doubled ?   lost ?   not checked yet" in text


@pytest.mark.parametrize(
    ("more", "changes", "sentence", "mood"),
    [
        ([], {}, "Trading normally. Prices 0.2 s old. Nothing in doubt.", Mood.GOOD),
        ([], {"down_s": 0.42}, "Leader killed 0.4 s ago. The next one is starting.", Mood.BUSY),
        ([], {"paused_s": 2.1}, "Leader paused, 2.1 s to go.", Mood.BUSY),
        (
            [world.attempt(5, AttemptState.IN_DOUBT)],
            {"doubt_s": 3.25},
            "1 order in doubt for 3.2 s. Asking the exchange, never sending again.",
            Mood.BUSY,
        ),
        (
            [Halted(level=HaltLevel.ENTRIES, reason="halted at the keyboard", by="demo")],
            {},
            "Entries halted (halted at the keyboard). Exits go on.",
            Mood.BUSY,
        ),
        ([], {"price_age_s": 7.25}, "Waiting for prices. 7.2 s old.", Mood.BUSY),
        ([], {"ending": True}, "Ending. No new entries; waiting for the last check.", Mood.BUSY),
    ],
)
def test_the_sentence_says_what_matters_most(
    more: list[AnyFact], changes: dict[str, Any], sentence: str, mood: Mood
) -> None:
    told, felt = say(replica(*more), moment(**changes))
    assert told.startswith(sentence)
    assert felt is mood


def test_a_finding_comes_before_everything_else() -> None:
    true = world.ledger()
    true["orders"].append(world.order(7, "0", status="NEW"))
    check = world.audited(world.facts(), true)
    told, felt = say(replica(), moment(check=check, ending=True))
    assert felt is Mood.BAD
    assert world.cid(7) in told
    assert "lost 1" in "\n".join(shown(replica(), moment(check=check)))


def test_a_sparkline_spans_its_own_range() -> None:
    assert sparkline([1.0, 2.0, 3.0]) == "▁▅█"
    assert sparkline([5.0, 5.0]) == "▁▁"
    assert sparkline([]) == ""
