"""What runs in a job's own process: one function, once; it tells its worker how it goes.

It ends with its worker, however that ends. Not here: the other end (attempt).
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from holdfast.errors import ConfigError, PlatformError, RetryableError, UnreachableError
from holdfast.platform.jobs.kinds import EndedPart, Part, function_at
from holdfast.platform.jobs.port import MOST_INPUT_BYTES, MOST_RESULT_BYTES
from holdfast.telemetry.log import masked_text

MOST_PARTS: Final = 10_000
_NICE: Final = 10
_OOM_SCORE: Final = "500"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done.

    Attributes:
        target: `module:function`.
        is_split: it returns parts instead of a result.
    """

    target: str
    is_split: bool
    given: msgspec.Raw
    folder: str
    config_file: str | None
    parts: list[EndedPart] = []


class Told(msgspec.Struct, frozen=True, tag="told"):
    """How far it is."""

    progress: float
    note: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """What came of it, and the files that it wrote, by name."""

    result: msgspec.Raw
    files: dict[str, str]


class Split(msgspec.Struct, frozen=True, tag="split"):
    """The parts that are to be done first."""

    parts: list[Part]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Nothing came of it; another try may help, or not."""

    why: str
    may_help: bool


Message = Told | Done | Split | Failed

encoder: Final = msgspec.json.Encoder(decimal_format="string", enc_hook=str)


class ChildWork:
    """`Work` within the process."""

    def __init__(self, request: Request, out: BinaryIO) -> None:
        self.folder = Path(request.folder)
        self.config_file = Path(request.config_file) if request.config_file else None
        self.parts: Sequence[EndedPart] = request.parts
        self._out = out

    def tell(self, progress: float, note: str = "") -> None:
        """Say how far it is."""
        self.say(Told(min(max(float(progress), 0.0), 1.0), note))

    def say(self, message: Message) -> None:
        """One line to the worker."""
        self._out.write(encoder.encode(message) + b"\n")
        self._out.flush()


def main() -> None:
    """Read what is to be done from stdin, do it, and say what came of it."""
    out = os.fdopen(int(sys.argv[1]), "wb")
    os.dup2(2, 1)  # what a strategy prints is no message
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    threading.Thread(target=_end_with_worker, daemon=True).start()
    _stand_back()
    work = ChildWork(request, out)
    work.say(_outcome(request, work))


def _outcome(request: Request, work: ChildWork) -> Message:
    try:
        return _found(request, work)
    except PlatformError as error:
        may_help = isinstance(error, RetryableError | UnreachableError)
        return Failed(masked_text(str(error)), may_help)
    except Exception as error:  # noqa: BLE001 - the outermost frame: it is told, and in the log
        sys.stderr.write(masked_text(traceback.format_exc()))
        told = masked_text(f"seen: {type(error).__name__}: {error}; expected: a result")
        return Failed(told, may_help=False)


def _found(request: Request, work: ChildWork) -> Message:
    function, takes = function_at(request.target)
    try:
        given = msgspec.json.decode(request.given, type=takes)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"seen: an input that this version does not understand ({error}); expected: one of its "
            "own; do: ask for the job again"
        ) from error
    found = function(given, work)
    return _split(found) if request.is_split else _done(found, work.folder)


def _split(parts: Sequence[Part]) -> Split:
    largest = max((len(bytes(part.given)) for part in parts), default=0)
    if not 1 <= len(parts) <= MOST_PARTS or largest > MOST_INPUT_BYTES:
        raise ConfigError(
            f"seen: {len(parts):,} parts, the largest of {largest:,} bytes; expected: 1 to "
            f"{MOST_PARTS:,} of at most {MOST_INPUT_BYTES:,}; do: ask for less"
        )
    return Split(list(parts))


def _done(found: Any, folder: Path) -> Done:
    result = encoder.encode(found)
    if len(result) > MOST_RESULT_BYTES:
        raise ConfigError(
            f"seen: a result of {len(result):,} bytes; expected: at most {MOST_RESULT_BYTES:,}; "
            "do: ask for less, or for a file"
        )
    files = {path.name: str(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return Done(msgspec.Raw(result), files)


def _stand_back() -> None:
    """Trading on the same machine comes first: for its processor, and when memory runs out."""
    with suppress(OSError):
        os.nice(_NICE)
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def _end_with_worker() -> None:
    """The worker holds the other end of stdin for as long as it lives, and says nothing more."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
