"""Dashboards over a whole demo: exchange, two nodes, API, worker. Ours in a real browser, those of
Grafana by a real Prometheus that scrapes the demo.

What a person does on the first day: the link signs in, a fill arrives, the leader is killed, a bot
is made and started, everything is halted. With HOLDFAST_PICTURES=docs the pictures of the
documentation are taken as well. Not here: the API's own answers (tests/integration/api), signing in
otherwise than by the link (tests/integration/test_doors_in_a_browser), that panels' queries are
valid (tests/artefacts/test_dashboards).
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from holdfast.api.site import BUILD
from holdfast.config import load
from tests.support.browsing import (
    AXE,
    DESK,
    PHONE,
    add_axe,
    chromium,
    explained,
    lacking,
    overflow_px,
    violations,
)
from tests.support.dashboards import panels_still_empty
from tests.support.demo_run import Demo, running_demo
from tests.support.operations_tools import operations_tool

LACKING = lacking(BUILD / "index.html", AXE)
pytestmark = pytest.mark.slow

PATIENCE_MS = 180_000
PATHS = (
    "/", "/bots", "/bots/main/grid", "/orders", "/orders?show=fills", "/risk", "/cluster",
    "/research", "/accounts", "/people", "/audit",
)  # fmt: skip
PICTURES = os.environ.get("HOLDFAST_PICTURES")
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules of axe that look at colours."""
MOST_BYTES = 500_000
"""Of all scripts and styles, as they are sent."""


@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_all_of_it_is_small() -> None:
    parts = [path for path in BUILD.rglob("*") if path.suffix in {".js", ".css", ".html"}]
    assert parts
    assert sum(len(gzip.compress(path.read_bytes())) for path in parts) < MOST_BYTES


def test_a_day_of_a_demo(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """All that needs a demo that trades: to start another is dearer than what is looked at."""
    with running_demo(tmp_path / "demo") as demo:
        with subtests.test("in a browser"):
            if LACKING:
                pytest.skip(LACKING)
            with chromium() as browser:
                a_day_in_a_browser(browser, demo, subtests)
        with subtests.test("no panel is empty"):
            operations_tool("prometheus")
            assert asyncio.run(panels_still_empty(tmp_path, demo)) == []


def a_day_in_a_browser(browser: Browser, demo: Demo, subtests: pytest.Subtests) -> None:
    """One page for all of it, signed in by the link, as a trader has it open all day."""
    heard: list[str] = []
    context = browser.new_context(viewport=DESK, color_scheme="dark", locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.goto(demo.link)
    with subtests.test("the first day"), explained(page):
        the_link_has_signed_in(page)
        assert heard == []
        a_fill_arrives_by_itself(page)
        an_order_opens_its_story(page)
        the_leader_is_killed_and_the_other_node_takes_over(page)
        a_bot_is_made_and_started(page)
        a_backtest_runs_in_the_background(page)
        halt_takes_two_keys_and_resume_asks(page)
    with subtests.test("every page is accessible and fits a phone"), explained(page):
        every_page_is_accessible_and_fits_a_phone(page, demo)
    with subtests.test("the page goes on by itself after the API was killed"), explained(page):
        the_page_goes_on_by_itself_after_the_api_was_killed(page, demo)
    with subtests.test("an account is added and dropped"), explained(page):
        an_account_is_added_and_dropped(page, demo)
    context.close()


def home(page: Page) -> None:
    """The first screen, without asking the server for the page."""
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("heading", name="Overview")).to_be_attached()


def picture(page: Page, name: str) -> None:
    """Keep what is shown for the documentation, when that is asked for."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def the_link_has_signed_in(page: Page) -> None:
    expect(page.get_by_test_id("sentence")).to_contain_text("Trading normally")
    expect(page.get_by_test_id("figures")).to_contain_text("USDT")
    assert "link=" not in page.url


def a_fill_arrives_by_itself(page: Page) -> None:
    newest = page.get_by_role("region", name="Table: Orders").locator("tbody tr").filter(
        has_text="filled"
    )  # fmt: skip
    before = newest.first.inner_text()
    expect(newest.first).not_to_have_text(before)
    expect(page.locator("canvas").first).to_be_visible()
    picture(page, "dashboard-dark")


def an_order_opens_its_story(page: Page) -> None:
    page.get_by_role("region", name="Table: Orders").locator("tbody button").first.click()
    story = page.get_by_role("dialog")
    expect(story.get_by_role("listitem").first).to_be_visible()
    expect(story).to_contain_text("epoch")
    picture(page, "dashboard-order")
    page.keyboard.press("Escape")
    expect(story).to_have_count(0)


def the_leader_is_killed_and_the_other_node_takes_over(page: Page) -> None:
    page.get_by_role("link", name="Cluster", exact=True).click()
    rows = page.get_by_role("region", name="Table: Failovers").locator("tbody tr")
    expect(rows.first).to_be_visible()
    before = rows.count()
    page.get_by_role("button", name="Kill the leader").click()
    expect(rows.nth(before)).to_be_visible()  # it may have been handed back by now
    takeover = rows.filter(has_text="without a word").first
    expect(takeover).to_contain_text(re.compile(r"\d\s(ms|s)"))
    home(page)
    sentence = page.get_by_test_id("sentence")
    expect(sentence).to_contain_text("Trading normally")
    leader = re.search(r"(\S+) leads\.", sentence.inner_text())
    assert leader is not None
    expect(page.get_by_text(f"{leader[1]} leads main")).to_be_visible()
    picture(page, "dashboard-failover")


def a_bot_is_made_and_started(page: Page) -> None:
    page.get_by_role("link", name="Bots", exact=True).click()
    page.get_by_role("button", name="New bot").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("second")
    form.get_by_label("Strategy").select_option("sma_cross")
    form.get_by_label("Bars").fill("1s")
    form.get_by_label("fast").fill("2")
    form.get_by_label("slow").fill("3")
    form.get_by_label("quantity").fill("0.001")
    form.get_by_role("button", name="Create").click()
    confirm_if_asked(page)
    expect(page.get_by_role("heading", name="second")).to_be_visible()
    start = page.get_by_role("button", name="Start …")
    with suppress(AssertionError):  # it may trade already
        expect(start).to_be_visible(timeout=2000)
        start.click()
        page.get_by_role("dialog").get_by_role("button", name="Start").click()
        confirm_if_asked(page)
    expect(page.locator(".page-head")).to_contain_text("trading")
    picture(page, "dashboard-bot")


def confirm_if_asked(page: Page) -> None:
    """What adds risk asks who it is; the demo's user has nothing to prove it with."""
    question = page.get_by_role("dialog").filter(has_text="Is it you?")
    with suppress(AssertionError):
        expect(question).to_be_visible(timeout=3000)
        question.get_by_role("button", name="Confirm").click()
    expect(question).to_have_count(0)


def a_backtest_runs_in_the_background(page: Page) -> None:
    page.get_by_role("link", name="Research", exact=True).click()
    page.get_by_role("button", name="New backtest").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Strategy").select_option("sma_cross")
    form.get_by_label("Data").select_option("invented")
    form.get_by_role("button", name="Run the backtest").click()
    runs = page.get_by_role("region", name="Table: Runs").locator("tbody tr")
    expect(runs.first).to_contain_text("done")
    runs.first.locator("button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Max drawdown")
    page.keyboard.press("Escape")


def halt_takes_two_keys_and_resume_asks(page: Page) -> None:
    home(page)
    page.get_by_role("button", name="HALT").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("sentence")).to_contain_text("halted")
    picture(page, "dashboard-halted")
    page.get_by_role("button", name="Resume …").click()
    page.get_by_role("button", name="Resume all").click()
    confirm_if_asked(page)
    expect(page.get_by_test_id("sentence")).to_contain_text("Trading normally")


def every_page_is_accessible_and_fits_a_phone(page: Page, demo: Demo) -> None:
    """Each is opened once, and looked at as three people would have it."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(demo.url + PATHS[-1])
    expect(page.get_by_test_id("sentence")).to_contain_text(".")
    add_axe(page)
    found = {}
    for path in PATHS:
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        # As a link would: to open the whole anew each time asks for everything eleven times.
        page.evaluate("path => history.pushState(null, '', path)", path)
        expect(page.locator("main h1").first).to_be_attached()
        expect(page.locator("main .loading")).to_have_count(0)
        found[f"{path}, dark"] = looked_at(page, DESK, "dark")
        # Nothing but its colours is another in the light.
        found[f"{path}, light"] = looked_at(page, DESK, "light", *OF_COLOURS)
        if path == "/":
            expect(page.locator("canvas").first).to_be_visible()
            picture(page, "dashboard-light")
        found[f"{path}, phone"] = looked_at(page, PHONE, "dark")
        if path == "/":
            picture(page, "dashboard-phone")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert {where: said for where, said in found.items() if said} == {}


def looked_at(page: Page, size: dict[str, int], scheme: str, *rules: str) -> list[str]:
    """What is wrong with a page: what axe finds, and that it is wider than the window."""
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    too_wide_px = overflow_px(page)
    wide = [f"wider than the window by {too_wide_px} px"] if too_wide_px > 0 else []
    return wide + violations(page, *rules)


def the_page_goes_on_by_itself_after_the_api_was_killed(page: Page, demo: Demo) -> None:
    page.goto(demo.url)
    expect(page.get_by_test_id("sentence")).to_contain_text("Trading normally")
    killed = _kill_api(demo.directory)
    assert killed > 0
    expect(page.get_by_test_id("sentence")).to_contain_text("Not live for")
    expect(page.get_by_test_id("sentence")).to_contain_text("Trading normally")


def an_account_is_added_and_dropped(page: Page, demo: Demo) -> None:
    """The demo's nodes begin anew with it, one after the other, and trade on."""
    key, secret = demo.directory / "second.key", demo.directory / "second.secret"
    exchange = load(demo.directory / "holdfast.toml").account.venue.rest_url
    made = page.request.post(f"{exchange}/admin/accounts", data={"balances": {"USDT": "1000"}})
    key.write_text(made.json()["apiKey"])
    secret.write_text(made.json()["secret"])
    page.get_by_role("link", name="Accounts", exact=True).click()
    page.get_by_role("button", name="Add an account …").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("second")
    form.get_by_label("Key").fill(f"file:{key}")
    form.get_by_label("Secret").fill(f"file:{secret}")
    form.get_by_role("button", name="Add", exact=True).click()
    confirm_if_asked(page)
    table = page.get_by_role("region", name="Table: Exchange accounts")
    row = table.locator("tbody tr").filter(has_text="second")
    expect(row).to_contain_text("led by")
    expect(page.get_by_test_id("sentence")).to_contain_text("Trading normally")
    add_axe(page)
    assert violations(page) == []
    row.locator("button").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Drop it").click()
    confirm_if_asked(page)
    expect(row).to_have_count(0)


def _kill_api(directory: Path) -> int:
    """SIGKILL to the API of this demo alone; how many processes that were."""
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if "api" in words and any(word.startswith(str(directory)) for word in words):
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    return killed
