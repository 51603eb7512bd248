"""How smoothly the dashboard draws sixty updates a second, against a blank page of that browser.

A browser without a GPU on a busy machine drops frames of a page with nothing on it, so each number
stands beside that page's, taken in turns. What is told again is what a demo told: prices, and at a
sixth of that rate what an account is worth, what it holds, and what became of orders; each second
a new one. Not here: the demo, and the page (benchmarks.dashboard).
"""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from playwright.sync_api import CDPSession, Page

from benchmarks.row import Row

TURNS = 2
TURN_S = 10
FRAME_MS = 1000 / 60

# Runs before the page's own script: keeps the socket, and the newest message of each topic.
KEEP = """() => {
  window.kept = { socket: null, told: {} };
  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      kept.socket = this;
      this.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.topic !== "orders" || message.events.some(one => one.order)) {
          kept.told[message.topic] = message;
        }
      });
    }
  };
}"""

WHOLE = "['prices', 'equity', 'positions', 'orders'].every(topic => topic in kept.told)"
"""Holds once there is something of everything to tell again."""

# Each interval between two frames, and each task longer than 50 ms, with sixty messages a second or
# without any.
_WATCH = """([seconds, tells]) => new Promise(done => {
  const long = [];
  const observer = new PerformanceObserver(list => long.push(...list.getEntries()));
  observer.observe({ type: "longtask" });
  let sent = 0;
  const say = message => {
    message.at = new Date().toISOString();
    kept.socket.onmessage(new MessageEvent("message", { data: JSON.stringify(message) }));
  };
  const near = (figure, by) => String(Number(figure) * (1 + Math.sin(sent) / by));
  const from = tells && kept.told.prices.prices.map(one => one.price);
  const tell = () => {
    sent += 1;
    const { prices, equity, positions, orders } = structuredClone(kept.told);
    prices.prices.forEach((one, at) => { one.price = near(from[at], 1000); });
    say(prices);
    if (sent % 6 === 0) {
      equity.state.equity = near(equity.state.equity, 1e4);
      say(equity);
    }
    if (sent % 6 === 2) {
      for (const one of positions.positions) one.value = near(one.value, 1e3);
      say(positions);
    }
    if (sent % 6 === 4) {
      for (const { order } of orders.events) {
        if (!order) continue;
        order.executed = near(order.quantity, 2);
        if (sent % 60 === 4) order.cid += sent;
      }
      say(orders);
    }
  };
  const telling = tells && setInterval(tell, 1000 / 60);
  const took = [];
  const began = performance.now();
  let last = began;
  const frame = () => {
    const now = performance.now();
    took.push(now - last);
    last = now;
    if (now - began < seconds * 1000) return requestAnimationFrame(frame);
    clearInterval(telling);
    observer.disconnect();
    done({ took, long: long.length, sent });
  };
  requestAnimationFrame(frame);
})"""


class _Seen(NamedTuple):
    late_pct: float
    long_per_s: float
    cpu_ms_per_frame: float
    sent_per_s: float


def smoothness(page: Page) -> list[Row]:
    """Count the frames of a page in which `KEEP` ran; its API is gone, which it has not noticed."""
    blank = page.context.new_page()
    found: dict[str, list[_Seen]] = {"blank": [], "quiet": [], "told": []}
    for _ in range(TURNS):
        found["blank"].append(_seen(blank, tells=False))
        found["quiet"].append(_seen(page, tells=False))
        found["told"].append(_seen(page, tells=True))
    blank_pct, quiet_pct, told_pct = (
        statistics.mean(one.late_pct for one in found[name]) for name in found
    )
    told = found["told"]
    return [
        Row(what="dashboard, late frames of a blank page beside it", unit="%", measured=blank_pct),
        Row(what="dashboard, late frames without news", unit="%", measured=quiet_pct),
        Row(what="dashboard, late frames at 60 updates a second", unit="%", measured=told_pct),
        Row(what="dashboard, late frames at 60 updates a second beyond the blank page's",
            unit="points", measured=told_pct - blank_pct, at_most=1),
        Row(what="dashboard, updates that came", unit="per s",
            measured=statistics.mean(one.sent_per_s for one in told)),
        Row(what="dashboard, tasks over 50 ms at 60 updates a second", unit="per s",
            measured=statistics.mean(one.long_per_s for one in told)),
        Row(what="dashboard, processor time of its main thread per frame", unit="ms",
            measured=statistics.mean(one.cpu_ms_per_frame for one in told), at_most=FRAME_MS),
    ]  # fmt: skip


def _seen(page: Page, *, tells: bool) -> _Seen:
    page.bring_to_front()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before_s = _busy_s(session)
    found: dict[str, Any] = page.evaluate(_WATCH, [TURN_S, tells])
    busy_s = _busy_s(session) - before_s
    session.detach()
    took_ms: list[float] = found["took"]
    late = sum(one > 1.5 * FRAME_MS for one in took_ms)
    return _Seen(
        late_pct=100 * late / len(took_ms), long_per_s=found["long"] / TURN_S,
        cpu_ms_per_frame=1000 * busy_s / len(took_ms), sent_per_s=found["sent"] / TURN_S,
    )  # fmt: skip


def _busy_s(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")
