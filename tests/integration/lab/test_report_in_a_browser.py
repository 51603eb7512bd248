"""The report as a reader has it: opened from a file in Chromium, without any server.

Not here: what is written into the file (tests/unit/lab/test_report).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from holdfast.lab.report import TEMPLATE, write_report
from holdfast.lab.result import Result
from tests.support.browsing import PHONE, chromium, lacking
from tests.support.lab_results import market, portfolio, result

LACKING = lacking(TEMPLATE)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(LACKING), reason=LACKING)]

DESK = {"width": 1280, "height": 900}
Open = Callable[..., Page]

PAINTED = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const colours = new Set(new Uint32Array(data.buffer));
  return width * height > 0 ? colours.size : 0;
}"""
CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const light = name => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const part = at => {
      const value = parseInt(hex.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4);
  };
  const ratio = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const found = {};
  for (const text of ["--text", "--muted", "--accent", "--up", "--down"]) {
    for (const ground of ["--card", "--page"]) found[`${text} on ${ground}`] = ratio(text, ground);
  }
  return found;
}"""

# Not `wait_for_function`: it evaluates text again and again, which the page's policy forbids.
SCROLLED = """() => new Promise(done => {
  let frames = 600;
  const look = () =>
    scrollY === 200 || frames-- === 0 ? done(scrollY) : requestAnimationFrame(look);
  look();
})"""
NAMELESS = """() => {
  const parts = document.querySelectorAll("a, button, [role=group], [role=img], [role=region]");
  const name = one => one.getAttribute("aria-label") || one.textContent.trim() ||
    document.getElementById(one.getAttribute("aria-labelledby"));
  return [...parts].filter(one => !name(one)).map(one => one.outerHTML);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def run() -> Result:
    return result(market(3_000))


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Page:
    """For one report after the other: another page costs four times what another file does."""
    return browser.new_context(viewport=DESK).new_page()  # type: ignore[arg-type]


@pytest.fixture
def opened(browser: Browser, desk: Page, tmp_path: Path) -> Iterator[Open]:
    """Write a report and open it; afterwards nothing may have been said, raised or asked for.

    What is asked of its context is of a page of its own.
    """
    with ExitStack() as end:
        heard: list[str] = []

        def listen(page: Page, event: str, told: Callable[[Any], str]) -> None:
            def hear(said: Any) -> None:
                heard.append(f"{event}: {told(said)}")

            page.on(event, hear)  # type: ignore[call-overload]
            end.callback(page.remove_listener, event, hear)

        def page_of(*runs: Result, **options: Any) -> Page:
            path = write_report(runs, tmp_path / "report.html")
            page = desk
            if options:
                context = browser.new_context(**{"viewport": DESK, **options})
                end.callback(context.close)
                page = context.new_page()
            page.mouse.move(0, 0)
            listen(page, "console", lambda message: message.text)
            listen(page, "pageerror", str)
            listen(page, "dialog", lambda dialog: dialog.message)
            listen(page, "request", lambda request: request.url)
            page.goto(path.as_uri())
            page.wait_for_selector("canvas")
            heard.remove(f"request: {path.as_uri()}")
            return page

        yield page_of
    assert heard == []


def drawn(page: Page) -> None:
    """Wait until the frame that was asked for is painted."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def changed(chart: Locator, before: bytes) -> bool:
    """Whether the chart came to look different; the wheel and the pointer work a moment later."""
    for _ in range(50):
        drawn(chart.page)
        if chart.screenshot() != before:
            return True
    return False


def shown_figures(page: Page, within: str) -> dict[str, tuple[str, str]]:
    """Each figure's exact value in the page, and the text that a reader sees."""
    return {
        str(one.get_attribute("data-figure")): (str(one.get_attribute("value")), one.inner_text())
        for one in page.locator(f"{within} data").all()
    }


def assert_figures(shown: dict[str, tuple[str, str]], run: Result) -> None:
    expected = json.loads(json.dumps(run.stats, default=str))
    for name, (exact, text) in shown.items():
        value = expected[name]
        if value is None:
            assert (exact, text) == ("", "–"), name
            continue
        assert Decimal(exact) == Decimal(str(value)), name
        read = Decimal(re.sub(r"[^0-9.−]", "", text).replace("−", "-"))
        decimals = -int(read.as_tuple().exponent)
        assert abs(read - Decimal(str(value))) <= Decimal("0.5000001").scaleb(-decimals), name


def test_it_opens_from_a_file_with_every_figure_and_chart(opened: Open, run: Result) -> None:
    page = opened(run)
    drawn(page)
    shown = shown_figures(page, "section[aria-label=Figures]")
    counted_only = {"bars", "run_seconds", "bars_per_second"}
    assert shown.keys() == run.stats.keys() - counted_only
    assert_figures(shown, run)
    assert page.title() == "sma_cross · BTC/USDT"
    charts = page.locator(".chart")
    assert charts.count() == 4
    for chart in charts.all():
        assert max(canvas.evaluate(PAINTED) for canvas in chart.locator("canvas").all()) > 5


def test_the_page_may_ask_nobody(opened: Open, run: Result) -> None:
    page = opened(run)
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src" not in policy
    text = page.content()
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=.(?!data:)[^>]*", text) == []


def test_a_name_made_to_run_as_script_is_only_shown(opened: Open, run: Result) -> None:
    name = "</script><script>alert(1)</script><img src=x onerror=alert(2)> 比特币 \"'&amp;"
    page = opened(result(run.bars, name=name))
    assert page.locator("h1").inner_text().startswith(name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_can_be_read(opened: Open, run: Result, scheme: str) -> None:
    page = opened(run, color_scheme=scheme)
    brightness = (
        "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[1]"
    )
    assert (page.evaluate(brightness) < 64) == (scheme == "dark")
    too_faint = {pair: ratio for pair, ratio in page.evaluate(CONTRAST).items() if ratio < 4.5}
    assert too_faint == {}
    other = "Light" if scheme == "dark" else "Dark"
    chart = page.locator(".canvas").first
    before = chart.screenshot()
    page.get_by_role("button", name=other).click()
    drawn(page)
    assert (page.evaluate(brightness) < 64) == (other == "Dark")
    assert chart.screenshot() != before


@pytest.mark.parametrize("several", [False, True])
def test_a_phone_shows_it_without_scrolling_sideways(
    opened: Open, run: Result, *, several: bool
) -> None:
    shown = portfolio(300, weights="BTC/USDT=0.5,ETH/USDT=0.5") if several else run
    page = opened(shown, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for chart in page.locator(".canvas").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]


def test_charts_move_by_keyboard_and_all_together(opened: Open, run: Result) -> None:
    page = opened(run)
    drawn(page)
    equity, drawdown = page.locator(".canvas").nth(0), page.locator(".canvas").nth(1)
    before = drawdown.screenshot()
    equity.focus()
    page.keyboard.press("+")
    drawn(page)
    zoomed = drawdown.screenshot()
    page.keyboard.press("ArrowLeft")
    drawn(page)
    moved = drawdown.screenshot()
    page.keyboard.press("Home")
    drawn(page)
    assert len({before, zoomed, moved}) == 3
    assert drawdown.screenshot() == before


def test_legends_tell_what_is_pointed_at_and_the_end_otherwise(opened: Open, run: Result) -> None:
    page = opened(run)
    drawn(page)
    times = page.locator(".legend time")
    at_the_end = times.all_inner_texts()
    assert len(set(at_the_end)) == 1
    box = page.locator(".canvas").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    drawn(page)
    pointed = times.all_inner_texts()
    assert len(set(pointed)) == 1
    assert pointed < at_the_end
    page.mouse.move(box["x"] + 300, 5)
    drawn(page)
    assert times.all_inner_texts() == at_the_end


def test_the_wheel_zooms_only_a_chart_that_was_clicked(opened: Open, run: Result) -> None:
    page = opened(run)
    drawn(page)
    box = page.locator(".canvas").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 500, box["y"] + 170)
    page.mouse.wheel(0, 200)
    assert page.evaluate(SCROLLED) == 200
    page.evaluate("scrollTo(0, 0)")
    follower = page.locator(".canvas").nth(1)
    before = follower.screenshot()
    page.mouse.click(box["x"] + 700, box["y"] + 170)
    assert changed(follower, before)  # the crosshair is here now, and stays
    pointed = follower.screenshot()
    page.mouse.wheel(0, -200)
    assert changed(follower, pointed)


def test_trades_are_sorted_and_paged_and_lead_to_the_chart(opened: Open, run: Result) -> None:
    page = opened(run)
    table = page.locator("section[aria-labelledby=trades]")
    returns = table.locator("tbody tr td:nth-child(2)")

    def column() -> list[float]:
        return [
            float(re.sub(r"[^0-9.−]", "", one).replace("−", "-"))
            for one in returns.all_inner_texts()
        ]

    table.get_by_role("button", name="Return").click()
    best = column()
    assert len(best) == 20
    assert best == sorted(best, reverse=True)
    table.get_by_role("button", name="Next").click()
    assert column()[0] <= best[-1]
    table.get_by_role("button", name="Fills").click()
    assert table.locator("tbody tr").count() == 20
    assert f"of {len(run.executions)}" in table.locator("nav").inner_text()
    price = page.locator(".canvas").nth(2)
    before = price.screenshot()
    table.locator("button.link").first.click()
    assert changed(price, before)


def test_everything_to_press_or_see_has_a_name(opened: Open, run: Result) -> None:
    page = opened(run, result(run.bars, fast=5, slow=40))
    nameless = page.evaluate(NAMELESS)
    assert nameless == []
    assert page.locator("h1").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"


def test_runs_are_compared_side_by_side(opened: Open, run: Result) -> None:
    other = result(run.bars, fast=5, slow=40)
    page = opened(run, other)
    for number, one in enumerate((run, other)):
        cells = f"table.compare td:nth-child({number + 2})"
        shown = shown_figures(page, cells)
        assert len(shown) == 18
        assert_figures(shown, one)
    page.get_by_role("button", name="sma_cross fast=5 slow=40").click()
    assert_figures(shown_figures(page, "section[aria-label=Figures]"), other)
    drawn(page)
    assert page.locator(".chart").count() == 5


def test_one_bar_without_a_trade_is_shown_too(opened: Open) -> None:
    page = opened(result(market(1)))
    assert page.locator("data[data-figure=sharpe]").inner_text() == "–"
    assert page.get_by_text("None.").is_visible()


def test_several_symbols_are_shown_each_with_its_own_fills(opened: Open) -> None:
    run = portfolio(3_000)
    page = opened(run)
    drawn(page)
    titles = page.locator(".chart h2")
    prices = ["BTC/USDT and fills", "ETH/USDT and fills"]
    assert titles.all_inner_texts() == ["Equity", "Drawdown", *prices, "Exposure"]
    assert page.locator("dt", has_text=re.compile("^Final equity, USDT$")).count() == 1
    assert page.locator("dd", has_text=re.compile("^10,000.00 USDT$")).count() == 1
    for symbol in ("BTC/USDT", "ETH/USDT"):
        made = sum(fill.symbol == symbol for fill in run.executions)
        about = page.get_by_label(f"{symbol} and fills.")
        assert f"with {made} fills" in str(about.get_attribute("aria-label"))
        assert max(one.evaluate(PAINTED) for one in about.locator("canvas").all()) > 5
    page.get_by_role("button", name="ETH/USDT", exact=True).click()
    assert titles.all_inner_texts()[2:] == ["ETH/USDT and fills", "Exposure"]
    table = page.locator("section[aria-labelledby=trades]")
    table.get_by_role("button", name="Fills").click()
    table.locator("tr", has_text="BTC/USDT").locator("button.link").first.click()
    page.get_by_label("BTC/USDT and fills.").wait_for()
    assert titles.all_inner_texts()[2:] == ["BTC/USDT and fills", "Exposure"]
    page.get_by_role("button", name="All prices").click()
    assert titles.all_inner_texts()[2:] == [*prices, "Exposure"]
    assert page.evaluate(NAMELESS) == []
