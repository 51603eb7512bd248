"""What the dashboard costs a reader: until it says something, how late it is, while much happens.

A whole demo runs beside it on the same machine, so these are upper bounds; frames are counted when
it has ended (benchmarks.frames). Not here: the API's own numbers.
"""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.frames import KEEP, WHOLE, smoothness
from benchmarks.row import Row
from holdfast.api.site import BUILD
from tests.support.browsing import DESK, chromium, lacking
from tests.support.demo_run import running_demo

OPENINGS = 7
FILLS = 40
LATE_S = 120
PARTS = ("exchange to journal", "journal to socket", "socket to pixel")

# Runs before the page's own script: when the figures are there, each fill's delay.
_WATCH = """() => {
  window.seen = { said: 0, late: [] };
  const look = () => {
    const said = document.querySelector("[data-testid=figures]")?.textContent ?? "";
    if (/[0-9] [A-Z]{3}/.test(said)) seen.said = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const heard = Date.now();
        for (const { at, fill } of JSON.parse(data).events ?? []) {
          if (!fill) continue;
          const [filled, kept] = [fill.at_ns / 1e6, Date.parse(at)];
          // Gathered for the next frame, and on the screen when that one is over.
          requestAnimationFrame(() => requestAnimationFrame(() => {
            const drawn = Date.now();
            seen.late.push([drawn - filled, kept - filled, heard - kept, drawn - heard]);
          }));
        }
      });
    }
  };
}"""

def run() -> list[Row]:
    """All of it in one demo.

    Raises:
        RuntimeError: there is no browser, or no page.
    """
    missing = lacking(BUILD / "index.html")
    if missing:
        raise RuntimeError(missing)
    parts = [path for path in BUILD.rglob("*") if path.suffix in {".js", ".css", ".html"}]
    size_kb = sum(len(gzip.compress(path.read_bytes())) for path in parts) / 1000
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        with running_demo(Path(folder) / "demo") as demo:
            page = _opened(browser, demo.link, None)
            said_ms = []
            for _ in range(OPENINGS):  # each with nothing kept but who it is
                kept = page.context.storage_state()
                page.context.close()
                page = _opened(browser, demo.url, kept)
                said_ms.append(float(page.evaluate("() => seen.said")))
            whole_ms, *parts_ms = zip(*_late_ms(page), strict=True)
            page.evaluate("() => { kept.socket.onclose = null; }")  # it is not to begin again
        frames = smoothness(page)
    return [
        Row(what="dashboard, all scripts and styles", unit="kB gzip", measured=size_kb,
            at_most=500),
        Row(what="dashboard, first figures from a cold cache", unit="s",
            measured=statistics.median(said_ms) / 1000, at_most=1.5),
        Row(what="dashboard, fill at the exchange to pixel, p95", unit="ms",
            measured=statistics.quantiles(whole_ms, n=20)[-1], at_most=250),
        *(
            Row(what=f"of it {name}, p{percent}", unit="ms",
                measured=statistics.quantiles(part_ms, n=20)[percent // 5 - 1])
            for name, part_ms in zip(PARTS, parts_ms, strict=True)
            for percent in (50, 95)
        ),
        *frames,
    ]  # fmt: skip


def _opened(browser: Browser, address: str, kept: Any) -> Page:
    """A page of its own, once it says something."""
    context = browser.new_context(viewport=DESK, storage_state=kept)  # type: ignore[arg-type]
    page = context.new_page()
    page.add_init_script(f"({KEEP})()")
    page.add_init_script(f"({_WATCH})()")
    page.goto(address)
    _until(page, "() => seen.said > 0")
    page.wait_for_selector("canvas")
    return page


def _late_ms(page: Page) -> list[tuple[float, ...]]:
    """Of each fill: the whole, and its `PARTS`."""
    _until(page, f"() => seen.late.length >= {FILLS} && {WHOLE}")
    found: list[tuple[float, ...]] = page.evaluate("() => seen.late")
    return found


def _until(page: Page, holds: str) -> None:
    """The page's policy forbids what `wait_for_function` does."""
    deadline_s = time.monotonic() + LATE_S
    while not page.evaluate(holds):
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"seen: not within {LATE_S} s: {holds}")
        page.wait_for_timeout(50)
