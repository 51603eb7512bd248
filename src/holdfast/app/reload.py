"""SIGHUP: a running process reads its configuration again, takes what is safe, and names the rest.

Not here: which settings those are (settings), what an API answers about them (web.told_settings).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec

from holdfast.app.logs import level_of
from holdfast.app.settings import RELOADED, differences
from holdfast.config import Config, load
from holdfast.errors import ConfigError
from holdfast.telemetry.log import get_logger, set_level

log = get_logger("app.reload")


def reloaded(
    running: Config, file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Config:
    """What holds from now on; all of `running` where what is written now would be refused.

    Args:
        file: None is the working directory's.
    """
    try:
        written = load(file, environ)
    except ConfigError as error:
        log.error(  # noqa: TRY400 - it says what to do, its trace would say nothing more
            "configuration refused, nothing changes", action="reload_refused", why=str(error)
        )
        return running
    found = differences(running, written)
    now = msgspec.structs.replace(running, log_level=written.log_level)
    set_level(level_of(now, environ))
    for one in found:
        if one.key not in RELOADED:
            log.warning(
                "a setting has not taken effect", action="reload_pending", setting=one.key,
                running=one.running, written=one.written, takes_effect=one.takes_effect,
            )  # fmt: skip
    taken = {one.key: one.written for one in found if one.key in RELOADED}
    # A warning: whoever asked for it is to see it at any level but the highest.
    log.warning(
        "configuration read again", action="reloaded", taken=taken, pending=len(found) - len(taken)
    )
    return now


def is_asked_by_hangup() -> bool:
    """Whether SIGHUP is a wish here: a terminal that closes sends one, and `nohup` ignores it."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return True  # it has no terminal
    return False
