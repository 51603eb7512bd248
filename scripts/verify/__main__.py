"""`python -m scripts.verify [CHECK…] [--json] [--online] [--strict]`: make the checks.

Exit code 1 on any FAIL, and with --strict on any SKIP. Not here: the checks (table).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from scripts.verify.runner import REPOSITORY, Tree, Verdict, rows
from scripts.verify.table import CHECKS


def main(words: list[str] | None = None) -> int:
    """Make all checks, or those that are named; the exit code."""
    parser = argparse.ArgumentParser(prog="make verify", description=__doc__)
    parser.add_argument("check", nargs="*", help="Only these, by name.")
    parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")
    parser.add_argument("--online", action="store_true", help="Ask the network where one must.")
    parser.add_argument("--strict", action="store_true", help="What is skipped fails as well.")
    given = parser.parse_args(words)
    unknown = set(given.check) - {check.name for check in CHECKS}
    if unknown:
        parser.error(
            f"seen: {', '.join(sorted(unknown))}; expected: "
            f"{', '.join(check.name for check in CHECKS)}"
        )
    subprocess.run([REPOSITORY / "scripts" / "operations-tools"], check=False)
    bad = {Verdict.FAIL, Verdict.SKIP} if given.strict else {Verdict.FAIL}
    chosen = [check for check in CHECKS if not given.check or check.name in given.check]
    found = []
    for row in rows(chosen, Tree(asks_network=given.online)):
        found.append(row)
        if not given.json:
            print(row.line, flush=True)
            if row.verdict is Verdict.FAIL:
                print("\n".join(f"      {line}" for line in row.reason.splitlines()))
    is_well = not any(row.verdict in bad for row in found)
    if given.json:
        print(json.dumps({"ok": is_well, "checks": [row._asdict() for row in found]}))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
