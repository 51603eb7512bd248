"""A server of our own, as long as this process lives: to be crashed and started again.

Not here: which server (redis, postgres).
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from holdfast.errors import UnreachableError

_PATIENCE_S: Final = 150.0  # a busy machine; a good start takes a second at most
_POLL_S: Final = 0.01


class OwnServer(ABC):
    """A server with a folder of its own. Starting and stopping block.

    Attributes:
        name: for messages.
        instead: what a person can do where it does not start.
        crash_signal: ends it at once, without any order.
        folder: its log and its socket.
        process: as long as it runs.
    """

    name: ClassVar[str]
    instead: ClassVar[str]
    crash_signal: ClassVar[signal.Signals]
    process: subprocess.Popen[bytes]

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-"))

    @abstractmethod
    def _begun(self) -> subprocess.Popen[bytes]:
        """Start it, and do not wait."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it does."""

    def crash(self) -> None:
        """End it at once."""
        self.process.send_signal(self.crash_signal)
        self.process.wait(_PATIENCE_S)

    def begin(self) -> None:
        """Start it, and do not wait; in the main thread, whose end it follows."""
        self.process = self._begun()

    def start(self) -> None:
        """Start it; UnreachableError when it does not answer."""
        self.begin()
        self.await_ready()

    def stop(self) -> None:
        """End it and remove its files; may be called twice."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def await_ready(self) -> None:
        """Return when it answers; UnreachableError when it does not."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
                raise UnreachableError(
                    f"seen: {self.name} does not start: {said[-600:]}; "
                    f"expected: a server of our own; do: {self.instead}"
                )
            time.sleep(_POLL_S)

    def _process(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the server itself
                command, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=self._follow_us,  # noqa: PLW1509 - it makes one call of the system
                **options,
            )  # fmt: skip

    def _follow_us(self) -> None:
        end_with_parent(self.crash_signal)


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send the signal to this process when its starter is killed."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - the kernel's name
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, number)
