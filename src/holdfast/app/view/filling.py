"""The process that fills the tables of reports, kept running beside the API.

A process of its own, and the last to get the processor: catching up with a long journal must cost
neither a request nor an order its time. Any number of APIs may keep one; one of them fills, and the
others wait. Run as `python -m holdfast.app.view.filling`, with the configuration on its input,
which nobody else can read, and whose end is its own. Not here: filling (app.reports.projector).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from asyncio.subprocess import PIPE, Process
from typing import Final

import msgspec

from holdfast.app.live.opening import database_of
from holdfast.app.logs import begin_logs
from holdfast.app.reports.projector import accounts_in, follow
from holdfast.config import Config
from holdfast.errors import ConfigError, PlatformError
from holdfast.telemetry.log import get_logger

log = get_logger("app.view")

AGAIN_S: Final = 5.0
LOOK_S: Final = 1.0
EVERY_S: Final = 0.5
STOP_S: Final = 5.0
NICE: Final = 10


async def keep_filling(config: Config) -> None:
    """Run it until cancelled; one that ends is begun again."""
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast.app.view.filling", stdin=PIPE, stdout=sys.stderr
        )
        try:
            assert process.stdin is not None  # noqa: S101 - asked for
            process.stdin.write(msgspec.json.encode(config) + b"\n")
            code = await process.wait()
            log.warning("filling of reports ended", action="reports_restart", code=code)
        finally:
            await asyncio.shield(_end(process))
        await asyncio.sleep(AGAIN_S)


async def _end(process: Process) -> None:
    """Let it finish its step."""
    if process.returncode is not None:
        return
    assert process.stdin is not None  # noqa: S101 - asked for
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def main() -> None:
    """Fill until the input ends."""
    os.nice(NICE)
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=Config)
    begin_logs(config, "reports")
    stop = threading.Event()
    threading.Thread(target=_until_input_ends, args=(stop,), daemon=True).start()
    database = database_of(config)
    while not stop.is_set():
        try:
            database.require()
            reports = database.reports(config.reports)
            follow(database, reports, lambda: accounts_in(database), stop, every_s=EVERY_S)
        except ConfigError as error:  # no journal yet, or one that is being brought up to date
            log.info("reports wait", action="reports_wait", why=str(error))
            stop.wait(LOOK_S)
        except PlatformError as error:
            log.warning("reports wait", action="reports_wait", why=str(error))
            stop.wait(AGAIN_S)


def _until_input_ends(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


if __name__ == "__main__":
    main()
