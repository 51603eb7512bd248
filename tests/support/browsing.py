"""A real Chromium for tests, what it lacks where it is lacking, and what axe says of a page.

Not here: pages.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

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
