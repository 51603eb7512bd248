"""Signals to the demo: those that ask a process to end make it end in order.

Not here: the keys (terminal), or what an orderly end is (run).
"""

from __future__ import annotations

import asyncio
import signal

from holdfast.app.demo.run import Demo


async def obey_signals(demo: Demo) -> None:
    """SIGINT, SIGTERM and SIGHUP end the demo in order; runs until cancelled."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, demo.stop)
    try:
        await asyncio.Event().wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
