"""`make bench`: runs the benchmarks and says which numbers reach their target.

`python -m benchmarks [NAME ...] [--json]`; exit 1 when a target is missed. Not here: any measuring.
"""

from __future__ import annotations

import argparse
import importlib
import sys

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.row import Row

SUBJECTS = (
    "start_up",
    "matching",
    "markets",
    "data",
    "backtest",
    "sweep",
    "orders",
    "order_entry",
    "journal",
    "journal_postgres",
    "identity",
    "api",
    "live",
    "metrics",
    "telling",
    "stream",
    "users",
    "fleet",
    "doubts",
    "restart",
    "history",
    "dashboard",
)


def main() -> int:
    """Run the chosen subjects, print the table, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="NAME", help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.subjects) - set(SUBJECTS))
    if unknown:
        parser.error(f"seen: {unknown[0]}; expected: one of {', '.join(SUBJECTS)}")
    rows: list[Row] = []
    for subject in chosen.subjects or SUBJECTS:
        print(f"{subject} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{subject}").run()
    if chosen.json:
        print(msgspec.json.encode(rows).decode())
    else:
        _show(rows)
    return 0 if all(row.reached for row in rows) else 1


def _show(rows: list[Row]) -> None:
    table = Table("what", "unit", "measured", "target", "")
    for row in rows:
        table.add_row(
            row.what, row.unit, f"{row.measured:.4g}", row.target, "" if row.reached else "missed"
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
