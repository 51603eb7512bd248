"""The demo's display: the screen refreshed in place, and the keys.

Not here: what is on the screen (picture, screen).
"""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.live import Live

from holdfast.app.demo.run import Demo
from holdfast.app.demo.screen import Screen
from holdfast.app.demo.signals import obey_signals
from holdfast.app.demo.terminal import keys

FRAME_S = 0.15


async def show_screen(demo: Demo) -> None:
    """Refresh one screen and pass keys on, until cancelled; the terminal is as before then."""
    console = Console()
    with (
        keys(demo.press),
        Live(
            Screen(demo.picture()), console=console, screen=True, auto_refresh=False,
            redirect_stdout=False, redirect_stderr=False,
        ) as live,
    ):  # fmt: skip
        obeying = asyncio.create_task(obey_signals(demo))
        try:
            while True:
                live.update(Screen(demo.picture()), refresh=True)
                await asyncio.sleep(FRAME_S)
        finally:
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)
