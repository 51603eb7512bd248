"""Ways into the dashboard, in a real browser over the real API: a password with a second factor, an
invitation, another's word for it; two tabs of one browser that share a session; and what a page
inside says of an API that refuses, and of what another changed meanwhile.

Not here: the demo's link (tests/acceptance/test_dashboard), how anything is proved
(tests/unit/platform), the provider's lies (tests/integration/platform).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from holdfast.api.shapes.bots import BotDetail
from holdfast.api.site import BUILD
from holdfast.app.web.serve import serving
from holdfast.platform.identity.totp import STEP_S
from tests.support.api_reads import LIMITS, bot
from tests.support.api_world import PASSWORD, World
from tests.support.browsing import DESK, chromium, lacking
from tests.support.openid_provider import ANA, OpenIdProvider, world_with_provider
from tests.support.threaded import threaded

LACKING = lacking(BUILD / "index.html")
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)

PATIENCE_MS = 180_000
OWN = "a sentence is a fine password"
FAR = "http://trading.example"
STRANGER = "stranger@example.com"
SESSIONS = "**/api/v1/me/sessions"
COMES_BACK = "setInterval(() => window.dispatchEvent(new Event('visibilitychange')), 500)"
"""Somebody who looks at another window and comes back: what was read seconds ago is read again."""

SLOW = {
    "offline": False, "latency": 100, "downloadThroughput": -1, "uploadThroughput": -1,
}  # fmt: skip


class Site(NamedTuple):
    """An installation, and the provider that it believes."""

    url: str
    world: World
    there: OpenIdProvider
    loop: asyncio.AbstractEventLoop

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        return self.world.store.look(lambda look: look.rows(statement))


Visit = Callable[[], BrowserContext]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    @asynccontextmanager
    async def served() -> AsyncIterator[tuple[str, World, OpenIdProvider]]:
        async with (
            world_with_provider(tmp_path_factory.mktemp("site")) as (world, there),
            serving(world.api, "127.0.0.1", 0) as port,
        ):
            yield f"http://127.0.0.1:{port}", world, there

    with threaded(served(), "installation") as ((url, world, there), loop):
        yield Site(url, world, there, loop)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        expect.set_options(timeout=PATIENCE_MS)
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Browsers of people who have never been here."""
    opened: list[BrowserContext] = []

    def new() -> BrowserContext:
        context = browser.new_context(viewport=DESK, locale="en-GB")  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        return context

    yield new
    for context in opened:
        for page in context.pages:  # an answer under way would otherwise fail the next test
            page.unroute_all(behavior="wait")
        context.close()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def here(page: Page) -> Locator:
    """Who the page says is signed in."""
    return page.locator(".who b")


def test_google_says_who_somebody_is_and_the_session_goes_on(site: Site, visit: Visit) -> None:
    page = visit().new_page()
    page.goto(site.url)
    page.get_by_role("link", name="Sign in with Google").click()
    expect(here(page)).to_have_text(ANA)
    assert page.url == f"{site.url}/"
    page.reload()
    expect(here(page)).to_have_text(ANA)


def test_whom_google_knows_and_nobody_here_is_told_so(
    site: Site, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.there, "email", STRANGER)
    monkeypatch.setattr(site.there, "subject", "2002")
    page = visit().new_page()
    page.goto(site.url)
    page.get_by_role("link", name="Sign in with Google").click()
    expect(page.get_by_role("alert")).to_contain_text("no user here")
    assert page.url == f"{site.url}/", "another reload would tell it again"
    sign_in(page, "tom")
    expect(here(page)).to_have_text("tom")


def test_no_password_is_asked_for_where_others_could_read_it(site: Site, visit: Visit) -> None:
    def answer(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace(FAR, site.url)))

    page = visit().new_page()
    page.route(f"{FAR}/**", answer)
    page.goto(FAR)
    expect(page.get_by_role("alert")).to_contain_text(f"Seen: {FAR}. Expected: https")
    expect(page.get_by_label("Password")).to_have_count(0)


def test_an_invitation_is_accepted_once_even_where_somebody_else_is_signed_in(
    site: Site, visit: Visit
) -> None:
    page = visit().new_page()
    page.goto(f"{site.url}/people")
    sign_in(page, "ada")
    link = invited(page, "nora")

    page.goto(link)  # in the browser of who sent it
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Save and sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(OWN)
    page.get_by_role("button", name="Save and sign in").click()
    expect(here(page)).to_have_text("nora")
    assert "invitation" not in page.url

    other = visit().new_page()
    other.goto(link)
    other.get_by_label("Password").fill(OWN)
    other.get_by_role("button", name="Save and sign in").click()
    expect(other.get_by_role("alert")).to_be_visible()
    other.goto(site.url)
    sign_in(other, "nora", OWN)
    expect(here(other)).to_have_text("nora")


def invited(page: Page, name: str) -> str:
    """Invite somebody on the page of people; the address to send."""
    page.get_by_role("button", name="Invite somebody …").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Invite", exact=True).click()
    sent = page.get_by_role("dialog").filter(has_text=f"An invitation for {name}")
    prove_again_for(sent)
    return sent.locator(".code").inner_text()


def prove_again_for(sought: Locator) -> None:
    """What adds risk may ask for the password once more, before it shows what was asked for."""
    question = sought.page.get_by_role("dialog").filter(has_text="Is it you?")
    expect(question.or_(sought).last).to_be_visible()
    if question.is_visible():
        question.get_by_label("Password").fill(PASSWORD)
        question.get_by_role("button", name="Confirm").click()
    expect(sought).to_be_visible()


def test_a_second_factor_counts_from_the_code_that_proves_it(site: Site, visit: Visit) -> None:
    page = visit().new_page()
    page.goto(f"{site.url}/people")
    sign_in(page, "bea")
    begin = page.get_by_role("button", name="Set up a second factor …")
    drop = page.get_by_role("button", name="Drop the second factor")
    begin.click()
    expect(drop).to_have_count(0)
    offer = page.get_by_role("dialog").filter(has_text="A second factor")
    prove_again_for(offer)
    authenticator = pyotp.TOTP(offer.locator(".code").inner_text())
    now_s = time.time()
    offer.get_by_label("Code").fill("000000")
    offer.get_by_role("button", name="Let it count").click()
    expect(offer.get_by_role("alert")).to_contain_text("no code of the new authenticator")
    offer.get_by_label("Code").fill(authenticator.at(now_s))
    offer.get_by_role("button", name="Let it count").click()
    expect(offer).to_have_count(0)
    expect(drop).to_be_visible()
    expect(begin).to_have_count(0)

    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "bea")
    # Each code is good once, and the next one is taken already: clocks differ.
    page.get_by_label("Code").fill(authenticator.at(now_s + STEP_S))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(here(page)).to_have_text("bea")


def test_what_the_api_refuses_is_said_and_can_be_asked_for_again(site: Site, visit: Visit) -> None:
    page = visit().new_page()
    page.route(SESSIONS, lambda route: refuse(route, 503))
    page.goto(f"{site.url}/people")
    sign_in(page, "tom")
    card = page.get_by_role("region", name="Your sessions", exact=True)
    expect(card.get_by_role("alert")).to_contain_text("Not now.")
    page.unroute(SESSIONS)
    card.get_by_role("button", name="Try again").click()
    expect(card.get_by_role("table")).to_contain_text("this one")
    expect(card.get_by_role("alert")).to_have_count(0)


def test_a_page_that_asked_too_often_waits_until_it_may(site: Site, visit: Visit) -> None:
    """Longer than a refusal of another kind would be asked again for."""
    left = {"/api/v1/me/sessions": 6, "/api/v1/me/tokens": 6}

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if left.get(path, 0) == 0:
            route.continue_()
            return
        left[path] -= 1
        refuse(route, 429)

    page = visit().new_page()
    page.route("**/api/v1/**", answer)
    page.goto(f"{site.url}/people")
    sign_in(page, "tom")
    expect(page.get_by_role("region", name="Your sessions", exact=True)).to_contain_text("this one")
    expect(page.get_by_role("region", name="Your API tokens", exact=True)).to_contain_text("None.")
    assert set(left.values()) == {0}


def test_of_a_page_that_cannot_be_loaded_the_frame_stays(site: Site, visit: Visit) -> None:
    """As after an update: the parts of the page that is open are no longer there."""
    page = visit().new_page()
    page.goto(site.url)
    sign_in(page, "tom")
    parts = "**/assets/People-*.js"
    page.route(parts, lambda route: route.fulfill(status=404))
    page.get_by_role("link", name="People", exact=True).click()
    expect(page.locator("main").get_by_role("alert")).to_contain_text("cannot be shown")
    expect(page.get_by_role("button", name="HALT")).to_be_enabled()
    page.unroute(parts)
    page.get_by_role("button", name="Load it anew").click()
    expect(page.get_by_role("heading", name="People")).to_be_visible()


def test_of_old_orders_the_page_knows_what_may_still_become_of_them(
    site: Site, visit: Visit
) -> None:
    """As after a reload: only the newest orders come by themselves. Until then nothing is sure."""
    held: list[tuple[Route, dict[str, Any]]] = []

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        condition = asked.get("condition", [""])[0]
        if not condition and asked["limit"] != ["200"]:  # the list below, page by page
            route.continue_()
            return
        told = route.fetch(url=f"{route.request.url.partition('?')[0]}?limit=1").json()
        if not condition:
            route.fulfill(json={**told, "next_cursor": "more"})
            return
        old = {**told["items"][0], "cid": "old", "condition": condition}
        rest = {"items": [old] if condition == "in_doubt" else [], "next_cursor": None}
        if not held:
            held.append((route, rest))
        else:
            route.fulfill(json=rest)

    page = visit().new_page()
    page.route("**/api/v1/orders?*", answer)
    page.goto(f"{site.url}/orders")
    sign_in(page, "tom")
    expect(page.get_by_text("Fetching orders in doubt …")).to_be_visible()
    expect(page.get_by_text("Nothing is in doubt")).to_have_count(0)
    while not held:
        page.wait_for_timeout(20)
    route, rest = held[0]
    route.fulfill(json=rest)
    expect(page.get_by_role("region", name="One order is in doubt")).to_be_visible()


def test_what_another_changed_meanwhile_is_told_and_not_set_back(
    site: Site, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {name: {"type": "integer", "default": 5} for name in ("fast", "slow")}
    found = BotDetail(
        bot=bot("main"), params={"fast": 10, "slow": 20}, schema=fields, limits=LIMITS,
        join_timeout_s=5.0, decide_budget_ms=100.0,
    )  # fmt: skip

    async def told(*_asked: Any) -> BotDetail:
        return found

    def change(version: int, slow: int) -> None:
        nonlocal found
        now = msgspec.structs.replace(found.bot, config_version=version)
        found = msgspec.structs.replace(found, bot=now, params={"fast": 10, "slow": slow})

    monkeypatch.setattr(site.world.reads, "bot", told)
    page = visit().new_page()
    page.goto(f"{site.url}/bots/main/cross")
    sign_in(page, "tom")
    card = page.get_by_role("region", name="Parameters", exact=True)
    card.get_by_label("fast").fill("11")
    change(4, 30)
    save = card.get_by_role("button", name="Save and apply")
    save.click()
    prove_again_for(page.get_by_text("Nothing was saved."))
    news = card.get_by_role("status")
    expect(news).to_contain_text("version 4: slow is 30")
    change(5, 40)
    page.evaluate(COMES_BACK)
    expect(news).to_contain_text("version 5: slow is 40")
    expect(card.get_by_label("slow")).to_have_value("20")
    save.click()  # what is shown was read anew, and what was typed was not
    expect(page.get_by_text("Nothing was saved.")).to_have_count(2)
    assert site.world.commands() == []
    card.get_by_role("button", name="Take that over").click()
    expect(card.get_by_label("fast")).to_have_value("11")
    expect(card.get_by_label("slow")).to_have_value("40")
    save.click()
    expect(page.get_by_text("is asked for on main")).to_be_visible()
    ((_, name, arguments, _),) = site.world.commands()
    given = msgspec.json.decode(arguments)
    assert (name, given["version"]) == ("configure", "5")
    assert msgspec.json.decode(given["config"])["params"] == {"fast": 11, "slow": 40}


def refuse(route: Route, status: int) -> None:
    """As the API does, with leave to ask again at once."""
    route.fulfill(
        status=status, content_type="application/problem+json", headers={"Retry-After": "0"},
        json={"title": "Not now.", "status": status, "code": "refused", "detail": "seen: a test"},
    )  # fmt: skip


def test_two_tabs_that_renew_at_once_both_stay_signed_in(site: Site, visit: Visit) -> None:
    context = visit()
    first, second = context.new_page(), context.new_page()
    first.goto(site.url)
    sign_in(first, "vera")
    expect(here(first)).to_have_text("vera")
    second.goto(site.url)
    expect(here(second)).to_have_text("vera")

    for tab in (first, second):  # the longer it takes, the surer do they ask together
        session = context.new_cdp_session(tab)
        session.send("Network.emulateNetworkConditions", SLOW)
    for _ in range(3):
        for tab in (first, second):
            tab.evaluate("location.reload()")
        for tab in (first, second):
            tab.wait_for_load_state()
            expect(here(tab)).to_have_text("vera")
    ended = "SELECT count(*) FROM session WHERE ended_ns > 0 AND user_id = '{}'"
    assert site.rows(ended.format(site.world.users["vera"].user_id)) == [(0,)]
    void = "SELECT count(*) FROM refresh_token WHERE used_ns = 1"
    assert site.rows(void) == [(0,)], "a token was used by both: only the grace held"
