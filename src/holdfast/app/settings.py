"""The effective configuration as a person reads it: each setting, its value, and who said so.

Not here: the rules (holdfast.config), the bots' configuration in the journal (live.configuring).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.config import DEFAULT_FILE, Config, load
from holdfast.config.origin import setting_lines
from holdfast.config.variables import sets
from holdfast.telemetry.log import masked_text

DEFAULT: Final = "default"
AT_START: Final = "when its process starts again"
BY_RELOAD: Final = "with SIGHUP (`systemctl reload`), while it runs"
BY_COMMAND: Final = "with `holdfast bot configure NAME --from-file`, while it trades"

RELOADED: Final = frozenset({"log_level"})
"""What a running process takes from its file: nothing that money, or another process, goes by."""


class Setting(msgspec.Struct, frozen=True):
    """One setting in effect.

    Attributes:
        key: dotted, as in the file: `bots[0].limits.max_position_notional`.
        value: JSON, without secrets.
        origin: `default`, `FILE:LINE`, or `env NAME`.
    """

    key: str
    value: str
    origin: str


class Pending(msgspec.Struct, frozen=True):
    """A setting that is written otherwise by now, and has not taken effect.

    Attributes:
        running, written: both as JSON; `null` where there is none.
        takes_effect: how.
    """

    key: str
    running: str
    written: str
    takes_effect: str


def effective_settings(
    config: Config, file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Setting, ...]:
    """Every setting, in the order of the file.

    Args:
        config: as `load` made it of `file` and `environ`.
        file: None is the working directory's, where there is one.
    """
    source = file or DEFAULT_FILE
    lines = setting_lines(source.read_text(encoding="utf-8")) if source.exists() else {}
    return tuple(
        Setting(key, value, _origin(key, source, lines, environ)) for key, value in _flat(config)
    )


def pending_changes(
    running: Config, file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Pending, ...]:
    """What a process that runs with `running` has not taken from its file yet.

    Raises:
        ConfigError: what is written now would be refused.
    """
    return differences(running, load(file, environ))


def differences(running: Config, wanted: Config) -> tuple[Pending, ...]:
    """What of `wanted` a process that runs with `running` has not taken."""
    now, written = dict(_flat(running)), dict(_flat(wanted))
    return tuple(
        Pending(key, now.get(key, "null"), written.get(key, "null"), _takes_effect(key))
        for key in (*now, *(key for key in written if key not in now))
        if now.get(key) != written.get(key)
    )


def _takes_effect(key: str) -> str:
    if key in RELOADED:
        return BY_RELOAD
    return BY_COMMAND if key.startswith("bots[") else AT_START


def masked(config: Config) -> dict[str, Any]:
    """The whole of it as plain values; no address in it carries a password."""
    found = _masked(msgspec.to_builtins(config))
    assert isinstance(found, dict)  # noqa: S101 - a struct becomes one
    return found


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value


def _flat(config: Config) -> Iterator[tuple[str, str]]:
    def walk(key: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict) and value:
            for name, item in value.items():
                yield from walk(f"{key}.{name}" if key else name, item)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                yield from walk(f"{key}[{index}]", item)
        else:
            yield key, msgspec.json.encode(value).decode()

    return walk("", masked(config))


def _origin(
    key: str, source: Path, lines: Mapping[str, int], environ: Mapping[str, str]
) -> str:
    named = sets(key, environ)
    if named:
        return f"env {', '.join(named)}"
    return f"{source}:{lines[key]}" if key in lines else DEFAULT


