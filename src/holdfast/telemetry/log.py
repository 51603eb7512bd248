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
# What every text has, in small letters, that one of those three finds something in; most texts have
# nothing of it, and looking for a few words costs a tenth of one such pattern.
_SUSPECTS = ("signature", "secret", "token", "passw", "key", "hf", "eyj", "://")

_hidden: tuple[str, ...] = ()  # the longest first: one may be a part of another


def hide(secret: str) -> None:
    """Mask `secret` from now on wherever it stands in a line; values under 8 characters cannot be.

    Process-wide; safe to repeat.
    """
    global _hidden  # noqa: PLW0603 - replaced whole, so that a thread that logs sees all or nothing
    if len(secret) >= _SHORTEST_SECRET:
        _hidden = tuple(sorted({*_hidden, secret}, key=len, reverse=True))


def mask(event: MutableMapping[str, Any]) -> None:
    """Take the secrets out of a line: by key, by pattern, by known value.

    The same as `masked` of each value, but its texts are looked through together: where nothing is
    found in all of them, nothing is in one.
    """
    texts = {}
    for key, value in event.items():
        kind = type(value)
        if kind is str and not _is_secret(key):
            texts[key] = value
        elif value is not None:
            event[key] = masked(key, value)
    if not _is_harmless("\n".join(texts.values())):
        for key, text in texts.items():
            event[key] = masked_text(text)


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
    if isinstance(value, bytes):
        return masked_text(value.decode("utf-8", "replace"))
    return masked_text(str(value))


def masked_text(text: str) -> str:
    """`text` without what looks like a secret, and without those that were told to `hide`."""
    if len(text) < _SHORTEST_SECRET or _is_harmless(text):
        return text
    for secret in _hidden:
        text = text.replace(secret, MASK)
    text = _BEARER.sub(rf"\g<1>\g<2>{MASK}", text)
    text = _SECRET_IN_TEXT.sub(rf"\g<1>{MASK}", text)
    return _PASSWORD_IN_URL.sub(rf"\g<1>{MASK}@", text)


def _is_harmless(text: str) -> bool:
    """Whether no net finds anything in it. It may be wrong about a harmless one, never else."""
    for secret in _hidden:
        if secret in text:
            return False
    if not text.isascii():  # there are letters that a pattern takes for s, k or i, as in "paſſword"
        return False
    small = text.lower()
    for suspect in _SUSPECTS:  # noqa: SIM110 - a generator costs more than the search
        if suspect in small:
            return False
    return True


_listeners: list[Callable[[Mapping[str, Any]], None]] = []


def on_error(listener: Callable[[Mapping[str, Any]], None]) -> None:
    """Hand every line of level `error` to `listener` as well, with the exception as it is.

    It is not masked yet. The listener returns at once and does not raise.
    """
    _listeners.append(listener)


def _tell_listeners(event: Mapping[str, Any]) -> None:
    line = {**event, "exc_info": _exception(event.get("exc_info"))}
    for listener in _listeners:
        listener(line)


def _exception(found: Any) -> BaseException | None:
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return cast("BaseException | None", found[1])
    return sys.exc_info()[1] if found else None


def _stamp(event: MutableMapping[str, Any]) -> None:
    market_ns = market_ns_now()
    if market_ns is None:
        now = datetime.now(UTC)
    else:
        now = datetime.fromtimestamp(market_ns / 1e9, UTC)
        event["simulated"] = True
    event["timestamp"] = now.isoformat(timespec="microseconds").replace("+00:00", "Z")


_with_arguments = structlog.stdlib.PositionalArgumentsFormatter()
_with_stack = structlog.processors.StackInfoRenderer([__name__])


def _complete(logger: Any, name: str, method: str, event: MutableMapping[str, Any]) -> None:
    """What every line goes through, ours and other libraries' alike, until it may be shown.

    One function, in which a line passes only what it needs: most are words and ids.
    """
    add_ids(event)
    event["logger"] = name
    event["level"] = level = _LEVEL_OF.get(method, method)
    if "positional_args" in event:
        _with_arguments(logger, method, event)
    _stamp(event)
    if "stack_info" in event:
        _with_stack(logger, method, event)
    if _listeners and level in {"error", "critical"}:
        _tell_listeners(event)
    if "exc_info" in event:
        structlog.processors.format_exc_info(logger, method, event)
    mask(event)


# What structlog's methods are in the log, and to `logging`.
_LEVEL_OF = {"warn": "warning", "exception": "error"}
_NUMBERS = {
    "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING,
    "warning": logging.WARNING, "error": logging.ERROR, "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}  # fmt: skip


class _Logger(structlog.stdlib.BoundLogger):
    """Structlog's, by a shorter way to the handlers.

    No frame is looked for, which would be structlog's own. The record has the line as structlog's
    `wrap_for_formatter` leaves it, so that handlers of others can show it, masked already.
    """

    def _proxy_to_logger(
        self, method_name: str, event: str | None = None, *event_args: Any, **event_kw: Any
    ) -> None:
        level = _NUMBERS[method_name]
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        told = {**self._context, **event_kw}
        if event_args:
            told["positional_args"] = event_args
        if event is not None:
            told["event"] = event
        _complete(logger, logger.name, method_name, told)
        failed = sys.exc_info() if method_name == "exception" else None
        record = logger.makeRecord(
            logger.name, level, "", 0, told, (), failed,
            extra={"_logger": logger, "_name": method_name},
        )  # fmt: skip
        logger.handle(record)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger `name` (a module's `__name__`); cheap, and silent below the configured level."""
    # Wrapped one by one: an application that embeds the platform keeps its own structlog settings.
    return _Logger(logging.getLogger(name), processors=(), context={})


class _Formatter(logging.Formatter):
    """A record as a line: ours, which is complete, or another library's, which becomes so here."""

    def __init__(self, render: Callable[[MutableMapping[str, Any]], str]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict) and hasattr(record, "_logger"):
            return self._render(record.msg.copy())
        event: dict[str, Any] = {"event": record.getMessage()}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        if record.stack_info:
            event["stack_info"] = record.stack_info
        _complete(None, record.name, record.levelname.lower(), event)
        return self._render(event)


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
    is_console = form == "console" or (form == "auto" and is_terminal)
    handler = _Handler(target) if file is None else _FileHandler(file, encoding="utf-8")
    handler.setFormatter(_Formatter(_for_people(is_terminal) if is_console else _as_json))
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


def _for_people(colors: bool) -> Callable[[MutableMapping[str, Any]], str]:
    render = structlog.dev.ConsoleRenderer(colors=colors)
    return lambda event: render(None, "", event)


_encoder = msgspec.json.Encoder(enc_hook=str)


def _as_json(event: Any) -> str:
    return _encoder.encode(event).decode()
