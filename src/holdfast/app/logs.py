"""What a process tells of itself, begun: its log, and where they are asked for traces and errors.

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
from holdfast.telemetry import error_reports, trace
from holdfast.telemetry.context import identify
from holdfast.telemetry.log import FORMATS, LEVELS, configure, hide

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
    try:
        configure(
            level_of(config, environ), form=config.log_format,
            file=Path(config.log_file) if config.log_file else None,
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(
            f"seen: the log {config.log_file} cannot be written ({error.strerror}); expected: a "
            "file in a folder of this user; do: name another with `log_file`, or leave it out"
        ) from error
    _require_extras(environ)
    for name in ("SENTRY_DSN", "DATADOG_API_KEY"):
        hide(environ.get(name, ""))
    identify(service=service, version=__version__, env=environment_name(environ) or None)


def level_of(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """From which level on lines are told: what was asked for by name goes before `DEBUG`."""
    return "debug" if is_debug(environ) and not environ.get("LOG_LEVEL") else config.log_level


def begin_exports(
    service: str, environ: Mapping[str, str] = os.environ, **resource: str
) -> None:
    """Send traces and errors from this process, where the environment says where to.

    Both are sent by threads: call it in the process itself, after any fork.

    Args:
        resource: attributes of all its spans, beside service and version.

    Raises:
        ConfigError: `SENTRY_DSN` is none.
    """
    if trace.is_wanted(environ):
        site = environment_name(environ)
        more = {"deployment.environment.name": site} if site else {}
        trace.begin(service, __version__, **resource, **more)
    dsn = environ.get(error_reports.VARIABLE, "")
    if dsn:
        try:
            error_reports.begin(dsn, release=__version__, environment=environment_name(environ))
        except ValueError as error:
            raise ConfigError(
                "seen: a SENTRY_DSN that is no address of a project; expected: "
                "https://KEY@HOST/NUMBER; do: copy it from the project's settings, or unset it"
            ) from error


def end_exports(environ: Mapping[str, str] = os.environ) -> None:
    """Send what waits; a collector that does not answer keeps no process alive for long."""
    trace.stop()
    if environ.get(error_reports.VARIABLE):
        error_reports.stop()


def _require_extras(environ: Mapping[str, str]) -> None:
    """What was asked for and is not installed would be silence where somebody looks for news."""
    for wanted, installed, what, extra in (
        (trace.is_wanted(environ), trace.is_installed(), "a collector of traces", "otel"),
        (bool(environ.get(error_reports.VARIABLE)), error_reports.is_installed(),
         error_reports.VARIABLE, "sentry"),
    ):  # fmt: skip
        if wanted and not installed:
            raise ConfigError(
                f"seen: {what} in the environment, and nothing to speak to it; expected: the "
                f"extra `{extra}`; do: pip install 'holdfast[{extra}]', or unset it"
            )
