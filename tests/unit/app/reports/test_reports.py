"""Tables that follow the journal: the same in a file and in PostgreSQL, however often one stops."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.app.reports import projector
from holdfast.app.reports.projector import Followed, Projector, fill
from holdfast.config.database import ReportPolicy
from holdfast.domain.fact import Marked, Reconciled, Rested, TookOver
from holdfast.domain.order import AttemptState, OrderState, Side
from holdfast.errors import ConfigError, CorruptionError, FencedError
from holdfast.journal.database import Database
from holdfast.journal.record import GENESIS
from holdfast.journal.report_query import END_OF_STREAM, Wanted
from holdfast.journal.reports import TABLES, Progress, Row
from tests.support.report_stream import (
    ACCOUNT,
    BEGIN,
    DAY,
    NOW_NS,
    everything,
    made,
    ns,
    opening,
    order,
    spoil,
    stream,
    write,
)
from tests.support.report_stream import (
    fill as filled,
)


def test_each_table_says_what_the_stream_says(journal: Database) -> None:
    write(journal, stream(50))
    reports = made(journal)
    at = fill(journal, reports, ACCOUNT)
    assert at.seq == at.end == 4 + 50 * 9
    rows = everything(reports)
    assert {table: len(found) for table, found in rows.items()} == {
        "report_order": 100, "report_fill": 100, "report_equity": 50, "report_pnl": 100,
        "report_position": 2, "report_event": 4 + 50 * 8, "report_takeover": 0,
    }  # fmt: skip

    first, refused = rows["report_order"][:2]
    moment = BEGIN + 2 * DAY
    assert first == {
        "account": ACCOUNT, "armed_at": ns(moment), "seq": 5,
        "cid": order(2, "", Side.BUY, "1").cid,
        "order_id": "v1", "list_cid": None, "bot": "one", "symbol": "BTC/USDT", "side": "BUY",
        "type": "LIMIT", "time_in_force": "GTC", "quantity": Decimal("0.02"),
        "price": Decimal("50000.01"), "stop_price": None,
        "attempt": AttemptState.ACKED, "state": OrderState.FILLED, "executed": Decimal("0.02"),
        "condition": "filled", "protects": False,
        "changed_at": ns(moment + timedelta(hours=30)),
    }  # fmt: skip
    assert (refused["attempt"], refused["state"], refused["executed"]) == ("REJECTED", None, 0)

    part = rows["report_fill"][1]
    assert (part["at"], part["quantity"]) == (ns(moment + timedelta(hours=30)), Decimal("0.015"))
    assert (part["held"], part["fee"], part["is_maker"]) == (
        Decimal("0.02"), Decimal("0.00001"), True,
    )  # fmt: skip
    assert rows["report_equity"][-1]["equity"] == Decimal("10050.000000000000000001"), "exactly"
    assert [row["pnl"] for row in rows["report_pnl"][-2:]] == [Decimal(50), Decimal("-0.10")]
    held = {row["bot"]: row["quantity"] for row in rows["report_position"]}
    assert held == {
        bot: next(r["held"] for r in reversed(rows["report_fill"]) if r["bot"] == bot)
        for bot in ("one", "two")
    }
    reports.close()


def test_rows_are_asked_for_by_time(journal: Database) -> None:
    write(journal, stream(50))
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    every = reports.read("report_fill", ACCOUNT, limit=1000)
    middle = every[50]["at"]
    before = reports.read("report_fill", ACCOUNT, until_ns=middle)
    after = reports.read("report_fill", ACCOUNT, since_ns=middle)
    assert [*before, *after] == every
    assert [row["at"] for row in every] == sorted(row["at"] for row in every)
    assert reports.read("report_fill", ACCOUNT, since_ns=middle, limit=3) == after[:3]
    assert reports.read("report_fill", "another") == []
    reports.close()


def test_pages_of_the_newest_join_to_the_whole_and_filters_let_through_what_they_say(
    journal: Database,
) -> None:
    write(journal, stream(50))
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    every = list(reversed(reports.read("report_order", ACCOUNT, limit=1000)))
    pages: list[Row] = []
    before: tuple[int, int] | None = None
    while page := reports.newest("report_order", ACCOUNT, Wanted(before=before, limit=7)):
        pages += page
        before = page[-1]["armed_at"], page[-1]["seq"]
    assert pages == every

    def found(wanted: Wanted) -> list[Row]:
        return reports.newest("report_order", ACCOUNT, wanted)

    filled_of_one = Wanted(where={"bot": ["one"], "condition": ["filled", "open"]}, limit=1000)
    assert found(filled_of_one) == [r for r in every if (r["bot"], r["state"]) == ("one", "FILLED")]
    middle = every[40]["armed_at"]
    since, until = Wanted(since_ns=middle, limit=1000), Wanted(until_ns=middle, limit=1000)
    assert [*found(since), *found(until)] == every
    assert found(Wanted(before=(middle, END_OF_STREAM), limit=1))[0]["armed_at"] == middle
    assert reports.newest("report_order", "another", Wanted()) == []
    reports.close()


def test_a_series_is_thinned_and_its_drawdown_is_of_every_mark(journal: Database) -> None:
    """One mark far below all others, which no thinned series would show by itself."""
    marks = [
        (ns(BEGIN) + n, (Marked(at_ns=ns(BEGIN + n * timedelta(hours=1)), equity=Decimal(worth),
                                pnl={"one": Decimal(worth - 10_000)}, prices={}),))
        for n, worth in enumerate([10_000, 10_500, 8_400, *range(10_000, 10_097)], 1)
    ]  # fmt: skip
    write(journal, [opening(), *marks])
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    whole = reports.series(ACCOUNT)
    assert [value for _, value, _ in whole.points][:3] == [10_000, 10_500, 8_400]
    assert [round(fall, 6) for _, _, fall in whole.points[:3]] == [0, 0, 20]
    few = reports.series(ACCOUNT, points=10)
    assert len(few.points) <= 11
    assert few.points[-1] == whole.points[-1], "where it stands now"
    assert round(few.worst, 6) == round(whole.worst, 6) == 20
    bot = reports.series(ACCOUNT, "one")
    assert bot.points[2][1] == -1600
    assert round(bot.worst, 6) == 20, "of 10,500, which the account would have without its loss"
    some = reports.series(ACCOUNT, since_ns=ns(BEGIN + timedelta(hours=3)))
    assert (len(some.points), round(some.worst, 6)) == (98, 0)
    assert reports.series("another").points == ()
    reports.close()


def test_what_happened_is_found_by_order_by_bot_and_by_how_grave_it_is(journal: Database) -> None:
    write(journal, stream(10))
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    one = order(2, "", Side.BUY, "1").cid
    story = reports.newest("report_event", ACCOUNT, Wanted(where={"cid": [one]}))
    assert [row["kind"] for row in reversed(story)] == [
        "armed", "attempt", "order", "filled", "filled", "order",
    ]  # fmt: skip
    assert {row["bot"] for row in story} == {"one"}
    refused = reports.newest("report_event", ACCOUNT, Wanted(where={"level": ["warning"]}))
    assert {row["kind"] for row in refused} == {"attempt"}
    assert len(refused) == 10
    log = reports.newest("report_event", ACCOUNT, Wanted(where={"bot": ["two"]}, limit=1000))
    assert log[-1]["kind"] == "bot_started"
    reports.close()


def test_takeovers_are_kept_with_their_gaps_however_often_it_stops(journal: Database) -> None:
    def took(node: str) -> TookOver:
        return TookOver(node=node, boot_id=node, version="1")

    write(journal, [opening(), (ns(BEGIN) + 10, (took("a:1"), Reconciled(agreed=True)))])
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    write(journal, [(ns(BEGIN) + 2_000_000_000, (took("b:2"),))])
    fill(journal, reports, ACCOUNT)
    write(journal, [
        (ns(BEGIN) + 2_300_000_000, (Reconciled(agreed=True), order(1, "one", Side.BUY, "1"))),
        (ns(BEGIN) + 3_000_000_000, (Rested(boot_id="b:2", why="handover"),)),
        (ns(BEGIN) + 3_100_000_000, (took("a:3"),)),
    ])  # fmt: skip
    fill(journal, reports, ACCOUNT)
    back, over, first = reports.newest("report_takeover", ACCOUNT, Wanted())
    assert (first["node"], first["before"]) == ("a:1", None)
    assert (over["node"], over["before"], over["rested"]) == ("b:2", "a:1", "")
    assert (over["ready_at"] - over["fault_at"], over["epoch"]) == (2_300_000_000, 2)
    assert over["ordered_at"] == over["ready_at"]
    assert (back["node"], back["before"], back["rested"]) == ("a:3", "b:2", "handover")
    assert (back["ready_at"], back["ordered_at"]) == (None, None)
    reports.close()


@pytest.mark.parametrize("seed", range(3))
def test_however_often_it_is_stopped_the_tables_come_out_the_same(
    journal: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of any size, projectors that are thrown away between them, and a stream that grows."""
    chance = random.Random(seed)
    batches = stream(50)
    monkeypatch.setattr(projector, "SAVE_EVERY", 20)
    reports = made(journal)
    written, at = 0, Followed(0, 1)
    while written < len(batches) or at.seq != at.end:
        upto = min(len(batches), written + chance.randint(0, 60))
        write(journal, batches[written:upto])
        written = upto
        one = Projector(journal, reports, ACCOUNT)
        for _ in range(chance.randint(1, 3)):
            monkeypatch.setattr(projector, "STEP", chance.randint(1, 90))
            at = one.step()
    piecemeal = everything(reports)

    monkeypatch.undo()
    reports.reset(ACCOUNT)
    assert everything(reports) == {table: [] for table in TABLES}
    fill(journal, reports, ACCOUNT)
    assert piecemeal == everything(reports)
    fill(journal, reports, ACCOUNT)
    assert piecemeal == everything(reports), "nothing to do, and nothing done"
    reports.close()


def test_a_step_that_fails_changes_nothing_and_can_be_made_again(journal: Database) -> None:
    write(journal, stream(5))
    reports = made(journal)
    before = reports.begin(ACCOUNT)
    rows: list[Row] = [{}]  # no row at all, once another was written
    good = {"account": ACCOUNT, "at": NOW_NS, "seq": 1, "equity": Decimal(1), "unit": Decimal(1)}
    with pytest.raises(KeyError):
        reports.write(
            ACCOUNT, before, Progress(1, b"x" * 32),
            {"report_equity": [good], "report_position": rows},
        )  # fmt: skip
    assert reports.begin(ACCOUNT) == before
    assert everything(reports)["report_equity"] == []
    fill(journal, reports, ACCOUNT)
    assert len(everything(reports)["report_equity"]) == 5
    reports.close()


def test_of_two_that_fill_the_same_tables_one_is_refused(journal: Database) -> None:
    write(journal, stream(5))
    reports, others = made(journal), made(journal)
    one, other = Projector(journal, reports, ACCOUNT), Projector(journal, others, ACCOUNT)
    one.step()
    with pytest.raises(FencedError, match="one process that fills them"):
        other.step()
    reports.close()
    others.close()


def test_tables_of_another_history_are_begun_anew(journal: Database, tmp_path: Path) -> None:
    """As when an older copy of the journal was put back, and went on from there."""
    write(journal, stream(5))
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    reports.write(
        ACCOUNT, reports.begin(ACCOUNT), Progress(49, b"of a journal that is gone"),
        {"report_equity": [
            {"account": ACCOUNT, "at": 1, "seq": 99, "equity": Decimal(1), "unit": Decimal(1)}
        ]},
    )  # fmt: skip
    at = fill(journal, reports, ACCOUNT)
    assert (at.begun_anew, at.seq) == (True, 4 + 5 * 9)
    assert [row["seq"] for row in everything(reports)["report_equity"]] == [13, 22, 31, 40, 49]
    reports.close()


def test_a_journal_that_does_not_hold_is_not_reported(journal: Database) -> None:
    write(journal, stream(5))
    reports = made(journal)
    spoil(journal, 20)
    with pytest.raises(CorruptionError):
        fill(journal, reports, ACCOUNT)
    assert reports.begin(ACCOUNT).hash == GENESIS
    reports.close()


def test_tables_of_an_older_layout_are_made_anew_and_of_a_newer_refused(journal: Database) -> None:
    write(journal, stream(3))
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    with reports._transaction() as session:
        session.execute("UPDATE report_layout SET version = 0")
    reports.make(NOW_NS)
    assert everything(reports) == {table: [] for table in TABLES}
    fill(journal, reports, ACCOUNT)
    assert len(everything(reports)["report_equity"]) == 3
    with reports._transaction() as session:
        session.execute("UPDATE report_layout SET version = 99")
    with pytest.raises(ConfigError, match="newer version"):
        reports.make(NOW_NS)
    reports.close()


def test_what_is_too_old_goes_and_does_not_come_back(journal: Database) -> None:
    """Only where it is asked for, and the journal keeps all of it."""
    write(journal, stream(50))
    reports = made(journal)
    fill(journal, reports, ACCOUNT)
    assert everything(reports)["report_fill"][0]["at"] == ns(BEGIN + 2 * DAY)
    few = made(journal, ReportPolicy(keep_months=3, drop=True))
    since = ns(BEGIN.replace(month=4, day=1, hour=0, minute=0, second=0, microsecond=0))
    kept = everything(few)
    for table, at in TIMES.items():
        assert min(row[at] for row in kept[table]) >= since
    few.reset(ACCOUNT)
    fill(journal, few, ACCOUNT)
    assert everything(few) == kept
    reports.close()
    few.close()


TIMES = {
    "report_order": "armed_at", "report_fill": "at", "report_equity": "at", "report_pnl": "at",
    "report_event": "at",
}  # fmt: skip


def test_an_order_that_lives_on_when_its_month_goes_is_let_go(journal: Database) -> None:
    late = order(1, "one", Side.BUY, "1")
    write(journal, [opening(), (ns(BEGIN), (late,))])
    reports = made(journal, ReportPolicy(keep_months=2, drop=True))
    fill(journal, reports, ACCOUNT)
    write(journal, [(NOW_NS, (filled(1, 1, late, "0.5", BEGIN + 150 * DAY),))])
    fill(journal, reports, ACCOUNT)
    rows = everything(reports)
    assert (len(rows["report_order"]), len(rows["report_fill"])) == (0, 1)
    assert rows["report_position"][0]["quantity"] == Decimal("0.5")
    reports.close()
