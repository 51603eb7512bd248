"""The terminal: single keys without Enter, and a screen of its own, both given back at the end.

A watcher process gives them back even when this one is killed with -9. Not here: what the keys do,
or what is shown.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LEAVE_SCREEN = b"\x1b[?1049l\x1b[?25h\x1b[0m"


def is_interactive() -> bool:
    """Whether somebody watches, and can press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def keys(on_key: Callable[[str], None]) -> Iterator[None]:
    """Call `on_key` in the running loop with each key pressed, for as long as the context lasts."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    loop = asyncio.get_running_loop()

    def read() -> None:
        pressed = os.read(terminal, 64)
        if not pressed:  # the terminal is gone
            loop.remove_reader(terminal)
            on_key("q")
        for key in pressed.decode(errors="ignore"):
            on_key(key)

    with _guarded(terminal, before):
        tty.setcbreak(terminal)
        loop.add_reader(terminal, read)
        try:
            yield
        finally:
            loop.remove_reader(terminal)
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextmanager
def _guarded(terminal: int, before: list[int | list[bytes | int]]) -> Iterator[None]:
    """While this lasts, a forked watcher restores the terminal should this process be killed."""
    held, leash = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(leash)
        _restore_when_orphaned(held, terminal, before)
    os.close(held)
    try:
        yield
    finally:
        os.write(leash, b"q")
        os.close(leash)
        os.waitpid(pid, 0)


def _restore_when_orphaned(
    held: int, terminal: int, before: list[int | list[bytes | int]]
) -> None:
    """The watcher. It never returns, and touches nothing when it hears that all went well."""
    try:
        # The shell has the terminal by then; it must not stop a process that only tidies up.
        for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if not os.read(held, 1):
            with suppress(OSError, termios.error):
                os.write(sys.stdout.fileno(), _LEAVE_SCREEN)
                termios.tcsetattr(terminal, termios.TCSANOW, before)
    finally:
        os._exit(0)
