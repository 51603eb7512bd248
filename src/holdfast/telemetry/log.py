"""Logs: one event, one line of JSON, or a readable line where a person watches a terminal.

Lives here: the pipeline and the masking of secrets. Not here: what is worth saying (the callers).
A line has a sentence (`event`), a machine-readable `action`, and ids as further keys.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import Processor

from holdfast.telemetry.context import add_ids, market_ns_now

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "json", "console")

MASK = "***"
# Short values would mask ordinary words along with themselves.
_SHORTEST_SECRET = 8
_SECRET_KEY = re.compile(
    r"secret|passw|token(?!_id)|api_?key|signature|authorization|credential|private_?key|listen_?key",
    re.IGNORECASE,
)
# As it stands in a signed request's address, which HTTP libraries put into their error texts.
_SECRET_IN_TEXT = re.compile(
    r"((?:signature|api_?key|secret|token|password|listen_?key)[\"']?\s*[=:]\s*[\"']?)[^&\s\"',}]+",
    re.IGNORECASE,
)
# Bearers and codes of ours, wherever they stand; what is left tells which kind it was.
_BEARER = re.compile(r"\b(hf[rc]?_(?:[0-9a-f]{16}_)?)[\w-]{20,}|\b(eyJ)[\w-]*\.[\w-]+\.[\w-]*")
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# What every text has that one of those three finds something in; most texts have nothing of it.
_SUSPECT = re.compile(
    r"signature|api_?key|secret|token|passw|listen_?key|hf[rc]?_|eyJ|://", re.IGNORECASE
)

_hidden: set[str] = set()


def hide(secret: str) -> None:
    """Mask `secret` from now on wherever it stands in a line; values under 8 characters cannot be.

    Process-wide; safe to repeat.
    """
    if len(secret) >= _SHORTEST_SECRET:
        _hidden.add(secret)


def mask(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The processor that takes secrets out of a line: by key, by pattern, by known value."""
    for key, value in event.items():
        event[key] = masked(key, value)
    return event


@lru_cache(1024)  # keys are words of ours, and few
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def masked(key: str, value: Any) -> Any:
    """A value, whole mappings and lists included, as a line may show it under `key`."""
    if value is not None and _is_secret(key):
        return MASK
    if isinstance(value, dict):
        return {inner: masked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked("", item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    return masked_text(str(value))


def masked_text(text: str) -> str:
    """`text` without what looks like a secret, and without those that were told to `hide`."""
    if len(text) < _SHORTEST_SECRET:
        return text
    for secret in _hidden:
        if secret in text:
            text = text.replace(secret, MASK)
    if _SUSPECT.search(text) is None:
        return text
    text = _BEARER.sub(rf"\g<1>\g<2>{MASK}", text)
    text = _SECRET_IN_TEXT.sub(rf"\g<1>{MASK}", text)
    return _PASSWORD_IN_URL.sub(rf"\g<1>{MASK}@", text)


_listeners: list[Callable[[Mapping[str, Any]], None]] = []


def on_error(listener: Callable[[Mapping[str, Any]], None]) -> None:
    """Hand every line of level `error` to `listener` as well, with the exception as it is.

    It is not masked yet. The listener returns at once and does not raise.
    """
    _listeners.append(listener)


def _tell_listeners(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if _listeners and event.get("level") in {"error", "critical"}:
        line = {**event, "exc_info": _exception(event.get("exc_info"))}
        for listener in _listeners:
            listener(line)
    return event


def _exception(found: Any) -> BaseException | None:
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return cast("BaseException | None", found[1])
    return sys.exc_info()[1] if found else None


def _stamp(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    market_ns = market_ns_now()
    if market_ns is None:
        now = datetime.now(UTC)
    else:
        now = datetime.fromtimestamp(market_ns / 1e9, UTC)
        event["simulated"] = True
    event["timestamp"] = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


# What every line goes through, ours and other libraries' alike.
_COMMON: tuple[Processor, ...] = (
    add_ids,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _stamp,
    structlog.processors.StackInfoRenderer(),
    _tell_listeners,
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
    mask,
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger `name` (a module's `__name__`); cheap, and silent below the configured level."""
    # Wrapped one by one: an application that embeds the platform keeps its own structlog settings.
    wrapped = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_COMMON,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", wrapped)


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that configuring again replaces it and leaves other people's handlers alone."""


class _FileHandler(WatchedFileHandler):
    """The same into a file, which is opened anew when somebody has moved it away (logrotate).

    Several processes append to one file: each line is one write, which the system does not split.
    """


def configure(
    level: str,
    *,
    stream: TextIO | None = None,
    form: str = "auto",
    file: Path | None = None,
) -> None:
    """Send the process's logs to `stream`. Call it once at start; calling it again replaces it.

    Args:
        level: one of `LEVELS`.
        stream: stderr by default, because stdout belongs to a verb's result.
        form: one of `FORMATS`; `auto` means JSON unless `stream` is a terminal.
        file: where they go instead; always as JSON, unless `form` says otherwise.

    Raises:
        ValueError: no such level or form.
        OSError: the file cannot be written.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r}, expected one of {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise ValueError(f"log format {form!r}, expected one of {', '.join(FORMATS)}")
    target = sys.stderr if stream is None else stream
    is_terminal = file is None and target.isatty()
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=is_terminal)
        if form == "console" or (form == "auto" and is_terminal)
        else structlog.processors.JSONRenderer(serializer=_as_json)
    )
    handler = _Handler(target) if file is None else _FileHandler(file, encoding="utf-8")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_COMMON,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Handler | _FileHandler)]:
        root.removeHandler(old)
        if isinstance(old, _FileHandler):
            old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())


def set_level(level: str) -> None:
    """From which of `LEVELS` on lines are told, from now on in this process."""
    logging.getLogger().setLevel(level.upper())


def _as_json(event: Any, **_options: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
