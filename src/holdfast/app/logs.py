"""The logs of a process, begun: where they go, how they look, and who it is that speaks.

Lives here: what a verb does first, where anything in it may log. Not here: lines and masking
(telemetry.log).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from holdfast import __version__
from holdfast.config import Config
from holdfast.config.environment import environment_name, is_debug
from holdfast.errors import ConfigError
from holdfast.telemetry.context import identify
from holdfast.telemetry.log import FORMATS, LEVELS, configure

_LEVELS: Final = {"warn": "warning"} | {level: level for level in LEVELS}


def begin_brief_logs(environ: Mapping[str, str] = os.environ) -> None:
    """The same for a verb that reads no configuration: `LOG_LEVEL` and `LOG_FORMAT` alone.

    Raises:
        ConfigError: one of them is no such word.
    """
    level = environ.get("LOG_LEVEL", "").lower() or "info"
    form = environ.get("LOG_FORMAT", "").lower() or "auto"
    if level not in _LEVELS or form not in FORMATS:
        raise ConfigError(
            f"seen: LOG_LEVEL={level!r} and LOG_FORMAT={form!r} in the environment; expected: one "
            f"of {', '.join(_LEVELS)}, and one of {', '.join(FORMATS)}; do: correct them"
        )
    configure(_LEVELS[level], form=form)


def begin_logs(config: Config, service: str, environ: Mapping[str, str] = os.environ) -> None:
    """Log as the configuration says; every line names the service, its version and the site.

    Args:
        service: `node`, `api`, `worker`: what is run.

    Raises:
        ConfigError: the file of the log cannot be written.
    """
    # What was asked for by name goes before the general wish.
    level = "debug" if is_debug(environ) and not environ.get("LOG_LEVEL") else config.log_level
    try:
        configure(
            level, form=config.log_format, file=Path(config.log_file) if config.log_file else None
        )
    except OSError as error:
        raise ConfigError(
            f"seen: the log {config.log_file} cannot be written ({error.strerror}); expected: a "
            "file in a folder of this user; do: name another with `log_file`, or leave it out"
        ) from error
    identify(service=service, version=__version__, env=environment_name(environ) or None)
