"""The demo's processes: the exchange and the node, as a user would start them, and on a leash.

Not here: what they do, or what they are told (home).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from holdfast.errors import EXIT_USAGE, ConfigError, UnreachableError

LEASH = "holdfast.app.demo.leash"
LISTEN_TIMEOUT_S = 120.0
"""On a busy machine a start takes its time, and what is ended before begins once more."""
STOP_TIMEOUT_S = 10.0
_TOLD_LINES = 4
_TOLD_LENGTH = 600
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT",
              "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip
_PASSED_ON_PREFIXES = ("LC_", "PYTHON", "HOLDFAST_CRASH_", "COVERAGE_")


class _Listening(msgspec.Struct):
    listening: str


class Child:
    """One `holdfast` process, whose group ends with this process, however this process ends.

    Attributes:
        name: for people.
        log: where its standard error goes.
    """

    def __init__(self, name: str, process: Process, leash: int, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._leash = leash

    @classmethod
    async def start(
        cls,
        name: str,
        words: Sequence[str],
        log: Path,
        *,
        module: str = LEASH,
        environ: Mapping[str, str] | None = None,
    ) -> Child:
        """Run `holdfast WORDS`, with its standard error in the file `log`.

        Args:
            module: what holds the leash.
            environ: beside what every child is given.
        """
        held, leash = os.pipe()
        try:
            with log.open("ab") as errors:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", module, str(held), *words,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    pass_fds=(held,),
                    start_new_session=True,
                    env={**passed_on(os.environ), **(environ or {})},
                )  # fmt: skip
        except BaseException:
            os.close(leash)
            raise
        finally:
            os.close(held)
        return cls(name, process, leash, log)

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def was_killed(self) -> bool:
        """Whether somebody ended it with SIGKILL."""
        return self._process.returncode == -signal.SIGKILL

    async def listening(self) -> str:
        """The address that it prints when it accepts connections.

        Raises:
            ConfigError, UnreachableError: it ended, or said nothing, with what it told.
        """
        assert self._process.stdout is not None  # noqa: S101 - asked for in `start`
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), LISTEN_TIMEOUT_S)
        except TimeoutError as error:
            raise UnreachableError(
                f"seen: no word from the {self.name} in {LISTEN_TIMEOUT_S:.0f} s; expected: its "
                f"address; do: see {self.log}"
            ) from error
        if not line:
            await self._process.wait()
            raise self.failure("ended")
        return msgspec.json.decode(line, type=_Listening).listening

    async def ended(self) -> None:
        """Return when it has ended."""
        await self._process.wait()

    def failure(self, what: str) -> ConfigError | UnreachableError:
        """What to raise when it has `ended` or the like, with what it told last."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = " ".join(" ".join(lines[-_TOLD_LINES:]).split())[-_TOLD_LENGTH:]
        code = self._process.returncode
        kind = ConfigError if code == EXIT_USAGE else UnreachableError
        with_code = "" if code is None else f" with code {code}"
        return kind(
            f"seen: the {self.name} {what}{with_code}: {last}; "
            f"expected: it to run; do: see {self.log}, or begin anew with --fresh"
        )

    async def kill(self) -> None:
        """SIGKILL to it and to all that it started, stopped ones too. Repeatable."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._let_go()

    async def stop(self) -> int:
        """End it with SIGTERM, or by force where that takes too long; its exit code. Repeatable."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
        code = await self._process.wait()
        self._let_go()
        return code

    def _let_go(self) -> None:
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """What children need of an environment.

    The rest may be meant for a real node on this machine: its keys, its journal.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
