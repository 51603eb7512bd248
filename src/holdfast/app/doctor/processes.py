"""The platform's processes, asked over HTTP: whether they live, are ready, and are well, in time.

Not here: what each of them calls well (api.health).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from holdfast.healthcheck import asked
from holdfast.operations.doctor.finding import Finding, Grade, ok, warn

AGAIN_S: Final = 0.25
_PATHS: Final = ("/livez", "/ready", "/health")


class Asking(msgspec.Struct, frozen=True):
    """Who is asked, and for how long.

    Attributes:
        urls: roots, such as `http://127.0.0.1:8080` of an API, or of a metrics port.
        wait_s: for all of them together, as some may be starting; then what is not well is told.
        most_ms: an answer that takes longer is none.
    """

    urls: tuple[str, ...] = ()
    wait_s: float = 0.0
    most_ms: float = 1000.0


NOBODY: Final = Asking()


def processes(asking: Asking) -> Iterator[Finding]:
    """Ask each process; one that is starting is asked again."""
    deadline_s = time.monotonic() + asking.wait_s
    for url in asking.urls:
        found = _one(url.rstrip("/"), asking.most_ms)
        while found.grade is Grade.FAIL and time.monotonic() < deadline_s:
            time.sleep(AGAIN_S)
            found = _one(url.rstrip("/"), asking.most_ms)
        yield found


def _one(url: str, most_ms: float) -> Finding:
    check, answers = f"process {url}", {}
    for path in _PATHS:
        answers[path] = answer = asked(url + path, most_ms)
        if not answer["ok"]:
            return Finding(
                check, Grade.FAIL, f"{path}: {answer['why']}{_said(answer)}",
                "start it, or look at its log", is_unreachable="http" not in answer,
            )  # fmt: skip
    slowest_ms = max(answer["took_ms"] for answer in answers.values())
    seen = f"lives and is ready, {slowest_ms:.0f} ms{_said(answers['/health'])}"
    if answers["/health"]["status"] == "degraded":
        return warn(check, seen, f"look at {url}/health for what it lacks")
    return ok(check, seen)


def _said(answer: dict[str, Any]) -> str:
    return f" ({answer['status']})" if answer.get("status") else ""
