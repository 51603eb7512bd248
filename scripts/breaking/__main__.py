"""Break the ten, one after the other, and tell how soon each was noticed.

`python -m scripts.breaking [NAME…] [--write] [--seed N]`. Takes half an hour; needs Prometheus and
exporters (scripts/operations-tools), and root for the disk. Not here: what is done (faults).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from scripts.breaking.cluster import Cluster, running
from scripts.breaking.faults import TEN, Fault
from scripts.breaking.watch import Noticed, Watch
from scripts.verify.runner import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "how-to" / "when-it-breaks.md"
_BEGIN: Final = "<!-- measured: python -m scripts.breaking --write -->\n"
_END: Final = "<!-- end -->"
STREAM: Final = "the stream"
CALM_S: Final = 150.0
"""A circuit breaker that opened holds back for a minute, and is tried with an order after it."""

LASTS_S: Final = 400.0
"""Rates over five minutes see a fault for as long after its end."""

_ADDRESS: Final = re.compile(r"(postgresql://)\S+")
"""Of a server that is gone with the run; its folder tells nobody anything."""

_HEAD: Final = (
    "| broken | the log says | the doctor says | the dashboard says | `/health` says | the alert "
    "fires | runbook |\n| --- | --- | --- | --- | --- | --- | --- |\n"
)


def main() -> int:
    """Break what is asked for; 1 when something was not noticed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.breaking", description=__doc__)
    parser.add_argument("name", nargs="*", help="Only these, such as `the store`.")
    parser.add_argument("--write", action="store_true", help="Put the table into the page.")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    by_name = {fault.name: fault for fault in TEN}
    unknown = set(given.name) - by_name.keys()
    if unknown:
        parser.error(f"seen: {', '.join(unknown)}; expected: {', '.join(by_name)}")
    chosen = [by_name[name] for name in given.name or by_name]
    with tempfile.TemporaryDirectory(prefix="holdfast-breaking-") as folder:
        rows, missed = asyncio.run(_all(chosen, Path(folder), given.seed))
    table = _HEAD + "".join(rows)
    print(table)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        found = re.search(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", page, re.DOTALL)
        assert found is not None, f"{PAGE} has no place for the table"
        PAGE.write_text(page.replace(found[0], f"{_BEGIN}\n{table}\n{_END}"), encoding="utf-8")
    for name in missed:
        print(f"not noticed as it must be: {name}", file=sys.stderr)
    return 1 if missed else 0


async def _all(chosen: list[Fault], folder: Path, seed: int) -> tuple[list[str], list[str]]:
    rows, missed = [], []
    async with running(folder, seed) as cluster:
        for fault in chosen:
            if fault.name == "the disk" and cluster.disk is None:
                print("the disk: skipped, a file system to fill needs root", file=sys.stderr)
                continue
            await _calm(cluster, fault)
            noticed = await _broken(cluster, fault)
            rows.append(_row(fault, noticed, cluster.lacks))
            print(rows[-1], f"  {noticed}", sep="\n", file=sys.stderr, flush=True)
            if not _is_noticed(fault, noticed, cluster.lacks):
                missed.append(fault.name)
        missed += [f"{name} still fires" for name in await _lasting(cluster, chosen)]
    return rows, missed


async def _lasting(cluster: Cluster, healed: list[Fault]) -> set[str]:
    """Alerts that do not end although their faults have."""
    expected = {fault.alert for fault in healed}
    deadline_s = time.monotonic() + LASTS_S
    while left := expected & {name for name, _ in await cluster.alerts()}:
        if time.monotonic() > deadline_s:
            break
        await asyncio.sleep(1)
    return left


async def _broken(cluster: Cluster, fault: Fault) -> Noticed:
    watch = Watch(cluster, live=fault.live, prices=fault.live or fault.name == STREAM)
    await watch.begin()
    await fault.strike(cluster)
    try:
        enough = partial(_is_complete, fault, lacks=cluster.lacks)
        return await watch.run(enough, fault.most_s)
    finally:
        await fault.heal(cluster)


async def _calm(cluster: Cluster, fault: Fault) -> None:
    """Wait until all is well, and the alert that is to fire does not."""
    deadline_s = time.monotonic() + CALM_S
    while time.monotonic() < deadline_s:
        told = await cluster.overview()
        alerts = {name for name, _ in await cluster.alerts()}
        if told.get("tone") == "good" and fault.alert not in alerts and all(
            node.is_warm() for node in cluster.site.nodes
        ):
            return
        await asyncio.sleep(0.5)
    warm = {node.name: node.is_warm() for node in cluster.site.nodes}
    seen = f"{told.get('sentence')}, alerts {sorted(alerts)}, warm {warm}"
    print(f"{fault.name}: not calm before, going on ({seen})", file=sys.stderr)


def _is_complete(fault: Fault, noticed: Noticed, lacks: frozenset[str]) -> bool:
    """Nothing more is to be expected."""
    if fault.exporter in lacks:
        return noticed.doctor is not None and noticed.health is not None
    return fault.alert in noticed.alert_firing and noticed.doctor is not None


def _is_noticed(fault: Fault, noticed: Noticed, lacks: frozenset[str]) -> bool:
    by_a_person = noticed.doctor or noticed.sentence or noticed.health
    return bool(by_a_person) and (
        fault.exporter in lacks or fault.alert in noticed.alert_firing
    )


def _row(fault: Fault, noticed: Noticed, lacks: frozenset[str]) -> str:
    runbook = f"[{fault.alert}](../runbooks/{fault.alert}.md)"
    if fault.alert in noticed.alert_firing:
        fires = f"{noticed.alert_firing[fault.alert]:.0f} s"
    else:
        fires = f"needs {fault.exporter}" if fault.exporter in lacks else "–"
    cells = [
        fault.name, _told(noticed.log, code=True), _told(noticed.doctor), _told(noticed.sentence),
        _told(noticed.health), fires, runbook,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _told(found: tuple[float, str] | None, *, code: bool = False) -> str:
    if found is None:
        return "–"
    seconds, words = found
    words = " ".join(_ADDRESS.sub(r"\1…", words).replace("|", "\\|").split())
    words = words if len(words) <= 90 else f"{words[:87]}…"
    return f"{f'`{words}`' if code else words} {seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
