"""Ask a process how it is, and how soon it says so: for containers, deployments and people.

`python -m holdfast.healthcheck http://127.0.0.1:8080/health --most-ms 500`; exit code 1 when it is
down, too slow or not there. Needs nothing but Python, so that a probe costs a container little.
Not here: what health is (holdfast.api).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any


def main() -> int:
    """Ask once; one line of JSON on stdout."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.healthcheck", description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080/health")
    parser.add_argument("--most-ms", type=float, default=1000.0, help="How long it may take.")
    given = parser.parse_args()
    if not given.url.startswith(("http://", "https://")):
        parser.error(f"seen: {given.url}; expected: an http:// or https:// address")
    found = asked(given.url, given.most_ms)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["ok"] else 1


def asked(url: str, most_ms: float) -> dict[str, Any]:
    """What became of one question.

    Args:
        most_ms: an answer that takes longer is none.
    """
    begun_s = time.perf_counter()
    try:
        # Only http and https come here: `main` refuses the rest.
        with urllib.request.urlopen(url, timeout=most_ms / 1000 + 1) as response:  # noqa: S310
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    except OSError as error:
        return {"ok": False, "url": url, "why": f"no answer: {error}"}
    took_ms = round((time.perf_counter() - begun_s) * 1000, 1)
    found: dict[str, Any] = {"ok": status == 200, "url": url, "http": status, "took_ms": took_ms}
    try:
        found["status"] = json.loads(body).get("status")
    except (ValueError, AttributeError):
        found["status"] = None
    if status != 200:
        found["why"] = f"HTTP {status}"
    elif took_ms > most_ms:
        found.update(ok=False, why=f"took {took_ms:g} ms, more than {most_ms:g}")
    return found


if __name__ == "__main__":
    sys.exit(main())
