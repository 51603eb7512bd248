"""The report's file: what is in it, what cannot get out of its place, and what is refused.

Not here: how it looks and behaves (tests/integration/lab/test_report_in_a_browser).
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from holdfast.errors import ConfigError
from holdfast.lab import report
from holdfast.lab.result import Result
from tests.support.lab_results import CASH, market, portfolio, result

# As the real page leaves its places open, without what npm would have to build.
PAGE = (
    "<html><title>@@holdfast:title@@</title><body>"
    '<script type="application/json" id="runs">"@@holdfast:runs@@"</script></body></html>'
)
NASTY = "</script><script>alert('\"&amp;')</script><!-- \u2028 ñ 比特币 @@holdfast:runs@@"


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    template = tmp_path / "template" / "report.html"
    template.parent.mkdir()
    template.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(report, "TEMPLATE", template)
    return template


class Scripts(HTMLParser):
    """The texts of the script elements and of the title, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in {"script", "title"}:
            self.found.append((self.inside, data))


def parsed(path: Path) -> tuple[str, Any]:
    """Title and document of a written report."""
    reader = Scripts()
    reader.feed(path.read_text(encoding="utf-8"))
    assert [tag for tag, _ in reader.found] == ["title", "script"]
    return reader.found[0][1], json.loads(reader.found[1][1])


def small(**changes: Any) -> Result:
    return msgspec.structs.replace(result(market(300), fast=3, slow=9), **changes)


def test_the_document_has_every_figure_as_it_is(tmp_path: Path) -> None:
    run = small()
    _, document = parsed(run.report(tmp_path / "x.html"))
    assert document["format"] == 2
    shown = document["runs"][0]["stats"]
    assert shown == {
        name: str(value) if name in {"final_equity", "fees"} else value
        for name, value in run.stats.items()
    }


def test_no_text_gets_out_of_its_place(tmp_path: Path) -> None:
    run = small(name=NASTY)
    title, document = parsed(run.report(tmp_path / "x.html"))
    assert document["runs"][0]["name"] == NASTY
    assert title == f"{NASTY} · BTC/USDT"


def test_every_fill_is_there_exactly(tmp_path: Path) -> None:
    run = small()
    _, document = parsed(run.report(tmp_path / "x.html"))
    fills = document["runs"][0]["fills"]
    assert fills["total"] == len(fills["price"]) == len(run.executions) > 10
    assert fills["fee_asset"] == ["USDT"]
    at_s = [fills["first_s"]]
    for step in fills["steps_s"]:
        at_s.append(at_s[-1] + step)
    assert at_s == [fill.at_ns // 10**9 for fill in run.executions]
    assert [float(one) for one in fills["fee"]] == [float(fill.fee) for fill in run.executions]


def test_trips_point_to_the_fills_that_opened_and_closed_them(tmp_path: Path) -> None:
    run = small()
    _, document = parsed(run.report(tmp_path / "x.html"))
    stored = document["runs"][0]
    for first, last in zip(stored["trips"]["first"], stored["trips"]["last"], strict=True):
        assert (stored["fills"]["buys"][first], stored["fills"]["buys"][last]) == (1, 0)
    assert len(stored["trips"]["first"]) == stored["stats"]["round_trips"]


def test_the_months_compound_to_the_whole_return(tmp_path: Path) -> None:
    run = result(market(5_000))
    _, document = parsed(run.report(tmp_path / "x.html"))
    months = document["runs"][0]["months"]
    grown = float(CASH)
    for month in months:
        grown *= 1 + month["return_pct"] / 100
    assert grown == pytest.approx(run.equity_at_close[-1])
    assert [(month["year"], month["month"]) for month in months][:2] == [(2021, 1), (2021, 2)]


def test_many_bars_become_fewer_points_that_keep_the_extremes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("holdfast.lab.payload.GRID_POINTS", 100)
    monkeypatch.setattr("holdfast.lab.payload.FEWEST_POINTS", 100)
    run = result(market(2_999))
    _, document = parsed(run.report(tmp_path / "x.html"))
    grid, (candles,) = document["runs"][0]["grid"], document["runs"][0]["markets"]
    assert grid["bars_per_point"] == 30
    assert len(candles["close"]) == len(grid["steps_s"]) + 1 == 100
    digits = 1e-6  # what a chart keeps
    assert max(candles["high"]) == pytest.approx(max(run.bars.high), rel=digits)
    assert min(candles["low"]) == pytest.approx(min(run.bars.low), rel=digits)
    worst = run.figures.max_drawdown_pct
    assert -min(grid["drawdown_pct"]) == pytest.approx(worst, rel=digits)
    assert grid["equity"][-1] == pytest.approx(run.equity_at_close[-1], rel=digits)
    last = grid["first_s"] + sum(grid["steps_s"])
    assert last == run.close_ns[-1] // 10**9


@pytest.mark.parametrize("fee_asset", ["quote", "base"])
def test_each_symbol_has_its_own_candles_and_its_own_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fee_asset: Literal["quote", "base"]
) -> None:
    run = portfolio(600, fee_asset=fee_asset)
    _, document = parsed(run.report(tmp_path / "x.html"))
    stored = document["runs"][0]
    assert [one["symbol"] for one in stored["markets"]] == ["BTC/USDT", "ETH/USDT"]
    for bars, one in zip(run.markets, stored["markets"], strict=True):
        assert one["close"] == pytest.approx(bars.close, rel=1e-6)
    parts = [one["exposure_pct"] for one in stored["markets"]]
    assert all(max(part) > 10 for part in parts)
    together = [sum(each) for each in zip(*parts, strict=True)]
    assert together == pytest.approx([share * 100 for share in run.exposure], abs=1e-4)
    assert set(stored["fills"]["symbol"]) == {"BTC/USDT", "ETH/USDT"}
    # Two charts of candles share the points of one, so that the file stays small.
    monkeypatch.setattr("holdfast.lab.payload.GRID_POINTS", 200)
    monkeypatch.setattr("holdfast.lab.payload.FEWEST_POINTS", 1)
    _, document = parsed(run.report(tmp_path / "y.html"))
    grid, markets = document["runs"][0]["grid"], document["runs"][0]["markets"]
    lengths = [len(grid["equity"]), *(len(one["high"]) for one in markets)]
    assert lengths == [100, 100, 100]


def test_more_fills_than_fit_are_counted_and_the_newest_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("holdfast.lab.payload.LISTED_FILLS", 7)
    monkeypatch.setattr("holdfast.lab.payload.FEWEST_POINTS", 1)
    run = small()
    _, document = parsed(run.report(tmp_path / "x.html"))
    fills, trips = document["runs"][0]["fills"], document["runs"][0]["trips"]
    assert fills["total"] == len(run.executions)
    assert fills["first_s"] == run.executions[-7].at_ns // 10**9
    ends = zip(trips["first"], trips["last"], strict=True)
    assert all(0 <= first < last < 7 for first, last in ends)
    assert trips["total"] == run.figures.round_trips > len(trips["first"]) > 0


def test_runs_to_compare_get_labels_that_tell_them_apart(tmp_path: Path) -> None:
    bars = market(300)
    runs = [
        result(bars, fast=3, slow=9),
        result(bars, fast=4, slow=9),
        result(bars, fast=4, slow=9),
        result(bars, name="grid", params={}),
    ]
    title, document = parsed(report.write_report(runs, tmp_path / "x.html"))
    labels = [run["label"] for run in document["runs"]]
    assert labels == ["sma_cross fast=3", "sma_cross fast=4", "sma_cross fast=4 #3", "grid"]
    assert title == " · ".join(labels)


def test_one_bar_without_a_trade_is_a_report_too(tmp_path: Path) -> None:
    _, document = parsed(result(market(1)).report(tmp_path / "x.html"))
    run = document["runs"][0]
    assert (run["fills"]["total"], run["trips"]["total"], run["stats"]["sharpe"]) == (0, 0, None)


@pytest.mark.parametrize("many", [0, 9])
def test_no_run_and_too_many_are_refused(many: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"seen: {many} runs .* expected: 1 to 8"):
        report.write_report([small()] * many, tmp_path / "x.html")


def test_without_the_page_it_says_what_to_run(page: Path, tmp_path: Path) -> None:
    page.unlink()
    with pytest.raises(ConfigError, match="do: run `make dashboard`"):
        small().report(tmp_path / "x.html")


def test_a_page_of_another_version_is_refused(page: Path, tmp_path: Path) -> None:
    page.write_text("<html></html>", encoding="utf-8")
    with pytest.raises(ConfigError, match="without its places"):
        small().report(tmp_path / "x.html")


def test_what_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "missing" / "x.html", tmp_path / "taken"):
        with pytest.raises(ConfigError, match="cannot be written"):
            small().report(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken", "template"]


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "x.html"
    small(name="first").report(target)
    small(name="second").report(str(target))
    assert parsed(target)[1]["runs"][0]["name"] == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["template", "x.html"]


def test_a_notebook_shows_the_figures_as_a_table() -> None:
    shown = small(name="<b>")._repr_html_()
    assert "&lt;b&gt; on BTC/USDT, 1h, 2021-01-01 to 2021-01-13" in shown
    assert len(re.findall("<tr>", shown)) == len(small().stats)


def test_the_views_have_a_row_for_each_bar_and_fill() -> None:
    run = small()
    assert run.equity.columns == ["time", "close", "equity", "exposure"]
    assert run.equity.height == 300
    assert run.equity["time"][0].isoformat() == "2021-01-01T01:00:00+00:00"
    assert run.fills.height == len(run.executions)
    assert run.fills["price"].to_list() == [float(fill.price) for fill in run.executions]


@pytest.mark.parametrize(
    ("bar_s", "name"), [(1, "1s"), (90, "90s"), (60, "1m"), (14_400, "4h"), (86_400, "1d")]
)
def test_timeframes_are_written_as_exchanges_do(bar_s: int, name: str) -> None:
    assert result(market(1, bar_s)).timeframe == name
