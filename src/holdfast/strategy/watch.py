"""Seeing what a strategy touches that it was not shown: files, clocks, chance.

Lives here: a profile hook, set while code of the author runs. What never calls into Python's own
functions, such as a library's reader written in another language, is not seen. Not here: the laws
that this breaks (strategy.check).
"""

from __future__ import annotations

import gc
import random
import sys
from datetime import date
from types import FrameType, TracebackType
from typing import Any, Final

_CLOCKS: Final = frozenset({"time", "monotonic", "perf_counter", "process_time", "clock_gettime"})
_READERS: Final = ("/polars/io/", "/pandas/io/", "/pyarrow/", "/holdfast/market/")
# Who may open files or ask the time on the way: imports, the source of a warning, a log line.
_EXCUSED: Final = ("<frozen importlib", "/linecache.py", "/logging/__init__.py")

OUTSIDE: Final = "outside"
CHANCE: Final = "chance"


class Watch:
    """A context that may be entered again and again.

    Args:
        own: name of the strategy's file: what it does itself while it is imported is not excused.

    Attributes:
        at: the number of the bar that the strategy is at; set by the caller.
        seen: of each kind, `OUTSIDE` and `CHANCE`, the bar of the first and what it was.
    """

    def __init__(self, own: str = "") -> None:
        self._own = own
        self.at: int | None = None
        self.seen: dict[str, tuple[int | None, str]] = {}
        self._before: Any = None
        self._collects = False

    def __enter__(self) -> Watch:
        # Whoever is told of collections may ask the time for it, in the midst of the author's code.
        self._collects = gc.isenabled()
        gc.disable()
        self._before = sys.getprofile()
        sys.setprofile(self._profile)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.setprofile(self._before)
        if self._collects:
            gc.enable()

    def _profile(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            found = _meaning(called)
        elif event == "call":
            path = frame.f_code.co_filename.replace("\\", "/")
            reads = any(part in path for part in _READERS)
            found = (OUTSIDE, f"{frame.f_code.co_name} of {path}") if reads else None
        else:
            return
        if found is not None and found[0] not in self.seen and not self._is_excused(frame):
            self.seen[found[0]] = (self.at, found[1])

    def _is_excused(self, frame: FrameType | None) -> bool:
        while frame is not None:
            path = frame.f_code.co_filename.replace("\\", "/")
            if self._own and path.rpartition("/")[2] == self._own:
                return False
            if path.startswith(_EXCUSED[0]) or path.endswith(_EXCUSED[1:]):
                return True
            frame = frame.f_back
        return False


def _meaning(called: Any) -> tuple[str, str] | None:
    """What a function that is not written in Python tells its caller of the world."""
    name = getattr(called, "__name__", "")
    module, owner = getattr(called, "__module__", None), getattr(called, "__self__", None)
    if module == "time" and name.removesuffix("_ns") in _CLOCKS:
        return CHANCE, f"asks the clock (time.{name})"
    if name in {"now", "utcnow", "today"} and isinstance(owner, type) and issubclass(owner, date):
        return CHANCE, f"asks the clock ({owner.__name__}.{name})"
    shared = isinstance(owner, random.Random) and owner is getattr(random, "_inst", None)
    if (shared and name != "seed") or (module in {"posix", "nt"} and name == "urandom"):
        return CHANCE, f"throws dice ({name})"
    if module in {"io", "_io", "posix", "nt"} and name == "open":
        return OUTSIDE, "opens a file"
    if name in {"connect", "connect_ex"} and type(owner).__name__ in {"socket", "SSLSocket"}:
        return OUTSIDE, "opens a connection"
    if name in {"fork_exec", "system", "posix_spawn"}:
        return OUTSIDE, "starts a program"
    return None
