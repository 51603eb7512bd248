"""Who notices: alerts, the log, the doctor, the dashboard's sentence and the API's health.

Not here: what there is to notice (faults).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.breaking.cluster import Cluster

LOOK_S: Final = 0.2
_TAKES_OVER: Final = frozenset({"opened"})
"""An ordinary line, by which another node says that it goes on."""

_OWN_PACE: Final = "no rate budget"
"""The doctor was asked too often for its share of the exchange's limits: the run's doing."""

_NOT_NEWS: Final = frozenset({"Watchdog"})


@dataclass
class Noticed:
    """What was noticed since a strike: by whom, after how many seconds, and in which words."""

    alert_pending: dict[str, float] = field(default_factory=dict)
    alert_firing: dict[str, float] = field(default_factory=dict)
    log: tuple[float, str] | None = None
    doctor: tuple[float, str] | None = None
    sentence: tuple[float, str] | None = None
    health: tuple[float, str] | None = None


class Watch:
    """Looks by every way at once, from before a strike on.

    Args:
        live: the doctor asks the exchange as well.
        prices: that they are old is news; on a machine with much to do they are, for a moment.
    """

    def __init__(self, cluster: Cluster, *, live: bool, prices: bool) -> None:
        self._cluster = cluster
        self._prices = prices
        self._live = live
        self._known_alerts: set[tuple[str, str]] = set()
        self._known_findings: set[tuple[str, str]] = set()
        self._known_sentence = ""
        self._lines = {node.log: _size(node.log) for node in cluster.site.nodes}
        self._at_s = 0.0
        self.noticed = Noticed()

    async def begin(self) -> None:
        """See what is known already: only what comes after it is news."""
        self._known_alerts = set(await self._cluster.alerts())
        self._known_findings = {(f["check"], f["grade"]) for f in await self._findings()}
        self._known_sentence = str((await self._cluster.overview()).get("sentence", ""))
        self._lines = {node.log: _size(node.log) for node in self._cluster.site.nodes}
        self._at_s = time.monotonic()

    async def run(self, until: Callable[[Noticed], bool], most_s: float) -> Noticed:
        """Look until enough was noticed, or `most_s` has passed since the strike."""
        looks: tuple[tuple[Callable[[], Awaitable[None]], float], ...] = (
            (self._alerts, LOOK_S), (self._log, LOOK_S), (self._sentence, LOOK_S),
            (self._health, LOOK_S), (self._doctor, LOOK_S),
        )  # fmt: skip
        tasks = [asyncio.create_task(_again(look, every_s)) for look, every_s in looks]
        try:
            while time.monotonic() - self._at_s < most_s and not until(self.noticed):
                await asyncio.sleep(LOOK_S)
                for task in tasks:
                    if task.done():
                        await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.noticed

    def _after_s(self) -> float:
        return time.monotonic() - self._at_s

    async def _alerts(self) -> None:
        for name, state in set(await self._cluster.alerts()) - self._known_alerts:
            if name not in _NOT_NEWS:
                noticed = self.noticed
                found = noticed.alert_firing if state == "firing" else noticed.alert_pending
                found.setdefault(name, self._after_s())

    async def _log(self) -> None:
        if self.noticed.log is None:
            for line in self._new_lines():
                action = str(line.get("action", ""))
                is_bad = line.get("level") in {"warning", "error", "critical"}
                if action in _TAKES_OVER or (is_bad and not action.startswith("order_")):
                    self.noticed.log = self._after_s(), action
                    return

    async def _sentence(self) -> None:
        if self.noticed.sentence is None:
            told = await self._cluster.overview()
            is_old = told.get("sentence", "").startswith("Waiting for prices")
            is_known = told.get("sentence") == self._known_sentence
            if told and told["tone"] != "good" and not is_known and (self._prices or not is_old):
                self.noticed.sentence = self._after_s(), told["sentence"]

    async def _health(self) -> None:
        if self.noticed.health is None:
            _, told = await self._cluster.ask(f"{self._cluster.api_url}/health")
            if told is None or told.get("status") != "ok":
                checks = (told or {}).get("checks", {})
                bad = [name for name, state in checks.items() if state in {"down", "degraded"}]
                self.noticed.health = self._after_s(), ", ".join(bad) or "no answer"

    async def _doctor(self) -> None:
        if self.noticed.doctor is None:
            for one in await self._findings():
                if (one["check"], one["grade"]) not in self._known_findings:
                    self.noticed.doctor = self._after_s(), f"{one['check']}: {one['seen']}"
                    return

    async def _findings(self) -> list[dict[str, Any]]:
        """What the doctor warns of now, failures first."""
        words = ["doctor", "--config", str(self._cluster.config), "--json"]
        ran = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast", *words, *(["--live"] if self._live else []),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=self._cluster.environ,
        )  # fmt: skip
        try:
            out, _ = await ran.communicate()
        except asyncio.CancelledError:
            ran.kill()
            await ran.wait()
            raise
        checks = json.loads(out)["checks"] if out else []
        bad = [
            one
            for one in checks
            if one["grade"] in {"warn", "fail"} and _OWN_PACE not in one["seen"]
        ]
        return sorted(bad, key=lambda one: bool(one["grade"] != "fail"))

    def _new_lines(self) -> Iterator[dict[str, Any]]:
        for log, read in self._lines.items():
            with log.open("rb") as file:
                file.seek(read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._lines[log] += len(line)
                    if line.startswith(b"{"):
                        yield json.loads(line)
                    elif line.startswith(b"holdfast: "):  # it refused to start, in words
                        words = line.decode(errors="replace").strip()
                        yield {"level": "error", "action": words}


async def _again(look: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        await look()
        await asyncio.sleep(every_s)


def _size(log: Any) -> int:
    return log.stat().st_size if log.exists() else 0
