"""Secrets: references in the configuration, values only where they are used.

Not here: which settings are secrets (config).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from holdfast.errors import ConfigError


class Secret:
    """A secret's value, which shows itself only to who asks by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value; never log or format what this returns."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"


def resolve(reference: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """The secret that `env:NAME` or `file:PATH` refers to, without surrounding white space.

    Raises:
        ConfigError: nothing is there, or it is empty. The text names the reference, not the value.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value, remedy = environ.get(name, ""), f"export {name}=..."
    elif kind == "file":
        remedy = f"put the secret alone into {name}"
        try:
            value = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"seen: {reference} cannot be read ({type(error).__name__}); "
                f"expected: a readable text file; do: {remedy}"
            ) from error
    else:
        raise ConfigError(
            "seen: a secret that is no reference; expected: env:NAME or file:PATH; "
            "do: move the value out of the configuration, and replace it at the exchange"
        )
    if not value.strip():
        raise ConfigError(f"seen: {reference} is empty; expected: a secret; do: {remedy}")
    return Secret(value.strip())
