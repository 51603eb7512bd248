"""Variables that deployments of other programs set: what of them counts here, and what does not.

Not here: addresses, secrets, ports (the other modules of this room).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from holdfast.config.variables import Effect, with_effect
from holdfast.errors import ConfigError
from holdfast.secrets import followed, resolve

_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})


def environment_name(environ: Mapping[str, str] = os.environ) -> str:
    """What `ENVIRONMENT`, or `ENV`, calls this installation: a label for people, and no switch.

    Raises:
        ConfigError: both are set, to two names.
    """
    given = {environ.get(name, "").strip() for name in ("ENVIRONMENT", "ENV")} - {""}
    if len(given) > 1:
        raise ConfigError(
            f"seen: ENVIRONMENT and ENV, {' and '.join(sorted(given))}; expected: one name; do: "
            "unset one of them"
        )
    return given.pop() if given else ""


def is_debug(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `DEBUG` asks for more in the log; no answer ever shows more because of it.

    Raises:
        ConfigError: it is neither yes nor no.
    """
    return _is_yes("DEBUG", environ)


def _is_yes(name: str, environ: Mapping[str, str]) -> bool:
    text = environ.get(name, "").strip().lower()
    if text not in _YES | _NO:
        raise ConfigError(
            f"seen: {name}={text[:40]!r} in the environment; expected: true or false; do: correct "
            "it"
        )
    return text in _YES


def is_profiling_allowed(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `ENABLE_PROFILING` lets `holdfast profile` look into processes; nothing else does.

    Raises:
        ConfigError: it is neither yes nor no.
    """
    return _is_yes("ENABLE_PROFILING", environ)


def without_effect(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Variables that are set and do nothing, each with what there is instead."""
    for variable in with_effect(Effect.NONE, environ):
        yield variable.name, variable.what


def with_aliases(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment with `GOOGLE_CLIENT_ID` by its other name as well."""
    other = environ.get("REACT_APP_GOOGLE_CLIENT_ID", "")
    return {"GOOGLE_CLIENT_ID": other, **environ} if other else environ


class SecretEnvironment(Mapping[str, str]):
    """The environment with secrets in place of what says where they are.

    `NAME` is looked up in the file that `NAME_FILE` names as well, as containers are given secrets,
    and a value that is a reference is followed. So one is fetched by whoever looks at it.

    Raises:
        ConfigError, RetryableError: as `holdfast.secrets.resolve`, when it is looked at.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        if followed(f"env:{name}", self._environ).scheme == "env":
            return self._environ[name]
        return resolve(f"env:{name}", self._environ, purpose=name).reveal()

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
