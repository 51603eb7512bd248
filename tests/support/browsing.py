"""A real Chromium for tests, what it lacks where it is lacking, what axe says of a page, and what a
page asked for without success.

Not here: pages.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request, Response, sync_playwright

REPOSITORY = Path(__file__).parents[2]
AXE = REPOSITORY / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
MOST_TOLD = 60

_VIOLATIONS = """async (rules) => {
  const only = rules.length > 0 ? { runOnly: { type: "rule", values: rules } } : {};
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...only });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(" ")}`);
}"""


def lacking(*pages: Path) -> str:
    """What a browser test needs and is not here, as the reason for skipping it; empty when all is.

    Args:
        pages: built by `make dashboard`.
    """
    if CHROMIUM is None:
        return "no Chromium here; to run this: sudo apt-get install chromium"
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libatomic.so.1")  # the driver of playwright is linked to it
        except OSError:
            return "no libatomic here; to run this: sudo apt-get install libatomic1"
    if not all(page.is_file() for page in pages):
        return "the pages are not built; to run this: make dashboard"
    return ""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def explained(page: Page) -> Iterator[None]:
    """A failure within the block says which requests of the page failed, and which still wait."""
    refused: list[str] = []
    unanswered: dict[Request, float] = {}

    def asked(request: Request) -> None:
        unanswered[request] = time.monotonic()

    def answered(response: Response) -> None:
        began_s = unanswered.pop(response.request, time.monotonic())
        if response.status >= 400:
            refused.append(f"{response.status} after {_since(began_s)}: {_named(response.request)}")

    def failed(request: Request) -> None:
        began_s = unanswered.pop(request, time.monotonic())
        refused.append(f"{request.failure} after {_since(began_s)}: {_named(request)}")

    page.on("request", asked)
    page.on("response", answered)
    page.on("requestfailed", failed)
    try:
        yield
    except Exception as error:
        waiting = [f"unanswered for {_since(at_s)}: {_named(r)}" for r, at_s in unanswered.items()]
        error.add_note("\n".join(["Requests of the page:", *refused[-MOST_TOLD:], *waiting]))
        raise
    finally:
        page.remove_listener("request", asked)
        page.remove_listener("response", answered)
        page.remove_listener("requestfailed", failed)


def _named(request: Request) -> str:
    return f"{request.method} {request.url.partition('#')[0]}"


def _since(moment_s: float) -> str:
    return f"{time.monotonic() - moment_s:.1f} s"


def add_axe(page: Page) -> None:
    """Bring axe into a page; it stays until another is opened."""
    page.evaluate(AXE.read_text(encoding="utf-8"))


def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds wrong with a page as it is now; `add_axe` comes first.

    Args:
        rules: of axe, by their names; all of them without.
    """
    found: list[str] = page.evaluate(_VIOLATIONS, list(rules))
    return found


def overflow_px(page: Page) -> int:
    """By how much the page is wider than the window."""
    found: Any = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return int(found)
