"""What the dashboard costs a reader: until it says something, while much happens, how late it is.

A whole demo runs beside it on the same machine, so these are upper bounds. Not here: the API's own
numbers.
"""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.row import Row
from holdfast.api.site import BUILD
from tests.support.browsing import DESK, chromium, lacking
from tests.support.demo_run import running_demo

OPENINGS = 7
FRAMES = 600
FILLS = 40
LATE_S = 120

# Runs before the page's own script: when the figures are there, each message, each fill's delay.
_WATCH = """() => {
  window.seen = { said: 0, sockets: [], late: [] };
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
      seen.sockets.push(this);
      this.addEventListener("message", ({ data }) => {
        for (const { fill } of JSON.parse(data).events ?? []) {
          if (!fill) continue;
          // Gathered for the next frame, and on the screen when that one is over.
          requestAnimationFrame(() => requestAnimationFrame(
            () => seen.late.push(Date.now() - fill.at_ns / 1e6)));
        }
      });
    }
  };
}"""

# Sixty messages a second, each with a new price, or none, for as many frames as asked.
_STRESS = """([frames, has_news]) => new Promise(done => {
  const socket = seen.sockets.at(-1);
  const name = document.querySelector("main h2").textContent;
  const from = Number(document.querySelector("main .legend b").textContent.replaceAll(",", ""));
  let sent = 0;
  const sending = has_news && setInterval(() => {
    const at = new Date().toISOString();
    const price = (from * (1 + Math.sin(sent += 1) / 1000)).toFixed(2);
    const prices = [{ symbol: name, price, at }];
    const data = JSON.stringify({ topic: "prices", account: "", at, prices });
    socket.onmessage(new MessageEvent("message", { data }));
  }, 1000 / 60);
  const took = [];
  let last = performance.now();
  const frame = now => {
    took.push(now - last);
    last = now;
    if (took.length < frames) return requestAnimationFrame(frame);
    clearInterval(sending);
    done(took);
  };
  requestAnimationFrame(frame);
})"""


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
    with (
        tempfile.TemporaryDirectory() as folder,
        running_demo(Path(folder) / "demo") as demo,
        chromium() as browser,
    ):
        page = _opened(browser, demo.link, None)
        said_ms = []
        for _ in range(OPENINGS):  # each with nothing kept but who it is
            kept = page.context.storage_state()
            page.context.close()
            page = _opened(browser, demo.url, kept)
            said_ms.append(float(page.evaluate("() => seen.said")))
        quiet_pct = _dropped_pct(page.evaluate(_STRESS, [FRAMES, False]))
        dropped_pct = _dropped_pct(page.evaluate(_STRESS, [FRAMES, True]))
        late_ms = _late_ms(page)
    return [
        Row(what="dashboard, all scripts and styles", unit="kB gzip", measured=size_kb,
            at_most=500),
        Row(what="dashboard, first figures from a cold cache", unit="s",
            measured=statistics.median(said_ms) / 1000, at_most=1.5),
        Row(what="dashboard, frames dropped with the demo's own news", unit="%",
            measured=quiet_pct),
        Row(what="dashboard, frames dropped at 60 prices a second more", unit="%",
            measured=dropped_pct, at_most=1),
        Row(what="dashboard, fill at the exchange to pixel, p95", unit="ms",
            measured=statistics.quantiles(late_ms, n=20)[-1], at_most=250),
    ]  # fmt: skip


def _opened(browser: Browser, address: str, kept: Any) -> Page:
    """A page of its own, once it says something."""
    context = browser.new_context(viewport=DESK, storage_state=kept)  # type: ignore[arg-type]
    page = context.new_page()
    page.add_init_script(f"({_WATCH})()")
    page.goto(address)
    _until(page, "() => seen.said > 0 && seen.sockets.length > 0")
    page.wait_for_selector("canvas")
    return page


def _dropped_pct(took_ms: list[float]) -> float:
    """Frames of a sixtieth of a second that nothing was drawn in."""
    dropped = sum(max(0, round(took / (1000 / 60)) - 1) for took in took_ms)
    return 100 * dropped / (dropped + len(took_ms))


def _late_ms(page: Page) -> list[float]:
    _until(page, f"() => seen.late.length >= {FILLS}")
    found: list[float] = page.evaluate("() => seen.late")
    return found


def _until(page: Page, holds: str) -> None:
    """The page's policy forbids what `wait_for_function` does."""
    deadline_s = time.monotonic() + LATE_S
    while not page.evaluate(holds):
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"seen: not within {LATE_S} s: {holds}")
        page.wait_for_timeout(50)
