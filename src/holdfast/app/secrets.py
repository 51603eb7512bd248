"""The secrets that an installation refers to: where, whether they are there, and how old they are.

Not here: getting them (holdfast.secrets), showing what was found (cli).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from holdfast.config import Config
from holdfast.config.database import PASSWORD_FROM
from holdfast.errors import ConfigError, PlatformError, RetryableError
from holdfast.secrets import current, followed, is_reference
from holdfast.secrets.local import is_exposed

OLD_DAYS: Final = 90
"""After which the key of an exchange is to be replaced."""

_OF_ENVIRONMENT: Final = ("JWT_SECRET", "IDENTITY_KEY", "GOOGLE_CLIENT_SECRET", "REDIS_URL")
_IN_ADDRESSES: Final = (PASSWORD_FROM, f"sentinel_{PASSWORD_FROM}")
_DAY_S: Final = 86_400
_KEYS: Final = (".api_key", ".api_secret")


class SecretState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a secret without saying what it is.

    Attributes:
        setting: where in the configuration, or which variable.
        reference: as written.
        leads_to: where it is in the end; of a variable perhaps a file.
        version: as who keeps it calls it; empty where there are none.
        age_days: since this version was made; None where nobody knows.
        is_exposed: a file that every user of this machine can read.
        is_old: the key of an exchange, to be replaced.
        problem: why it cannot be had; empty when it can.
        is_silent: the problem is that who keeps it does not answer now.
    """

    setting: str
    reference: str
    leads_to: str = ""
    version: str = ""
    age_days: float | None = None
    is_exposed: bool = False
    is_old: bool = False
    problem: str = ""
    is_silent: bool = False


def references_of(
    config: Config, environ: Mapping[str, str] = os.environ
) -> Iterator[tuple[str, str]]:
    """Each setting that refers to a secret, with its reference, in the order of the configuration.

    A default reference to a variable that is not set, of something that may go without, is left
    out.
    """
    one = not config.accounts
    for setting, text in _texts("", msgspec.to_builtins(config)):
        if is_reference(text) and not text.startswith("file://"):
            optional = setting == "api.redis_url" or (setting.startswith("account.") and not one)
            if not (optional and not _is_set(text.removeprefix("env:"), environ)):
                yield setting, text
        if setting.endswith("_url"):
            address = environ.get(text.removeprefix("env:"), "") if is_reference(text) else text
            for name in _IN_ADDRESSES:
                for reference in parse_qs(urlsplit(address).query).get(name, []):
                    yield f"{setting} ({name})", reference
    for name in _OF_ENVIRONMENT:
        if _is_set(name, environ) and name != "REDIS_URL":
            yield name, f"env:{name}"


def examined(
    setting: str,
    reference: str,
    environ: Mapping[str, str] = os.environ,
    now_s: Callable[[], float] = time.time,
) -> SecretState:
    """What is known of one; blocks for who keeps it, and asks anew when it is not remembered."""
    try:
        where = followed(reference, environ)
        found = current(reference, environ, purpose=f"a check of {setting}")
    except (ConfigError, RetryableError) as error:
        return SecretState(
            setting=setting, reference=_shown(reference), problem=str(error),
            is_silent=isinstance(error, RetryableError),
        )  # fmt: skip
    age = None if found.created_s is None else max(0.0, (now_s() - found.created_s) / _DAY_S)
    return SecretState(
        setting=setting,
        reference=reference,
        leads_to=str(where),
        version=found.version,
        age_days=None if age is None else round(age, 1),
        is_exposed=where.scheme == "file" and is_exposed(Path(where.name)),
        is_old=setting.endswith(_KEYS) and age is not None and age > OLD_DAYS,
    )


def worst(states: list[SecretState]) -> PlatformError | None:
    """The error that an examination ends with, if any cannot be had."""
    missing = [state.setting for state in states if state.problem]
    if not missing:
        return None
    text = (
        f"seen: no secret for {', '.join(missing)}; expected: one for each reference; do: see the "
        "list"
    )
    silent = all(state.is_silent for state in states if state.problem)
    return RetryableError(text) if silent else ConfigError(text)


def _shown(reference: str) -> str:
    return reference if is_reference(reference) else "***"


def _is_set(name: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(f"{key}.{name}" if key else name, inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(f"{key}[{index}]", inner)
    elif isinstance(value, str):
        yield key, value
