"""`holdfast` verbs in processes forked from a warm one: their imports are paid once, not per start.

What runs is the real verb in a process of its own, forked before anything began. Lives here: the
warm process (`python -m tests.support.warm FOLDER`), and what asks it. Not here: which verbs
(`tests.support.node`); that they begin from cold is for tests of the command line.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import gc
import importlib
import io
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path

import msgspec

from holdfast.cli import main
from tests.support.waiting import PATIENCE_S

# All that a node loads sooner or later.
MODULES = (
    "concurrent.futures.thread", "encodings.idna", "holdfast.app.live.crash",
    "holdfast.app.live.node", "holdfast.app.logs", "holdfast.app.metrics_port",
    "holdfast.cluster.postgres", "holdfast.journal.postgres_database",
)  # fmt: skip
REPOSITORY = Path(__file__).parents[2]
SOCKET = "socket"


class Wanted(msgspec.Struct, frozen=True):
    """A verb to run.

    Attributes:
        words: after `holdfast`.
        said: the file that stdout and stderr are added to.
    """

    words: tuple[str, ...]
    environ: dict[str, str]
    folder: str
    said: str


class WarmProcess:
    """A running verb, as `asyncio.subprocess.Process` shows one. Lives with the loop it began in.

    Attributes:
        returncode: None while it runs; of a signal, its number with a minus.
    """

    def __init__(self, pid: int, ended: asyncio.Task[int]) -> None:
        self.pid = pid
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """Its exit code."""
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; to one that has ended nothing is sent."""
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it ended, and we are about to hear of it
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.shield(self._ended)


async def start(words: Sequence[str], environ: Mapping[str, str], said: Path) -> WarmProcess:
    """Run `holdfast WORDS`; it is killed when the loop that asked is gone."""
    reader, writer = await asyncio.open_unix_connection(str(_address()))
    wanted = Wanted(tuple(words), dict(environ), os.getcwd(), str(said))
    writer.write(msgspec.json.encode(wanted) + b"\n")
    pid = int(await reader.readline())

    async def ended() -> int:
        code = int(await reader.readline())
        writer.close()
        return code

    return WarmProcess(pid, asyncio.create_task(ended()))


@functools.cache
def _address() -> Path:
    """The socket of this test process's warm one."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-warm-"))
    warm = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm", str(folder)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert warm.stdin is not None
    assert warm.stdout is not None

    def end() -> None:
        warm.communicate(timeout=PATIENCE_S)
        shutil.rmtree(folder)

    atexit.register(end)
    assert warm.stdout.readline(), "the warm process ended; its reason stands above"
    return folder / SOCKET


class _Warm:
    """Forks what it is asked for, and tells each asker the pid and then the exit code."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._poll = select.poll()
        self._askers: dict[int, socket.socket] = {}  # by its own descriptor: who may go away
        self._ends: dict[int, tuple[int, socket.socket]] = {}  # by pidfd: pid, and who is told

    def serve(self) -> None:
        """Until stdin ends, which the test process holds."""
        for descriptor in (sys.stdin.fileno(), self._listening.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == sys.stdin.fileno():
                    return
                if descriptor == self._listening.fileno():
                    self._begin()
                elif descriptor in self._ends:
                    self._tell_end(descriptor)
                elif descriptor in self._askers:
                    self._abandoned(descriptor)

    def _begin(self) -> None:
        asker, _ = self._listening.accept()
        wanted = msgspec.json.decode(asker.makefile("rb").readline(), type=Wanted)
        pid = os.fork()
        if pid == 0:
            _become(wanted)
        end = os.pidfd_open(pid)
        self._ends[end] = (pid, asker)
        self._askers[asker.fileno()] = asker
        self._poll.register(end, select.POLLIN)
        self._poll.register(asker.fileno(), select.POLLIN)
        asker.sendall(b"%d\n" % pid)

    def _tell_end(self, end: int) -> None:
        pid, asker = self._ends.pop(end)
        self._poll.unregister(end)
        os.close(end)
        _, status = os.waitpid(pid, 0)
        if self._askers.pop(asker.fileno(), None) is not None:
            self._poll.unregister(asker.fileno())
            with suppress(BrokenPipeError):
                asker.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        asker.close()

    def _abandoned(self, descriptor: int) -> None:
        """Nobody is left who would end it."""
        asker = self._askers.pop(descriptor)
        self._poll.unregister(descriptor)
        for pid, told in self._ends.values():
            if told is asker:
                os.kill(pid, signal.SIGKILL)


def _become(wanted: Wanted) -> None:
    """The child: what a fresh interpreter with these words would be. Never returns."""
    code = 70
    try:
        said = os.open(wanted.said, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.closerange(3, 1024)
        os.chdir(wanted.folder)
        os.environ.clear()
        os.environ.update(wanted.environ)
        sys.argv = ["holdfast", *wanted.words]
        code = main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Be the warm process."""
    for name in MODULES:
        importlib.import_module(name)
    with redirect_stdout(io.StringIO()):
        main(("node", "--help"))
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(Path(sys.argv[1]) / SOCKET))
        listening.listen()
        print("ready", flush=True)
        _Warm(listening).serve()


if __name__ == "__main__":
    serve()
