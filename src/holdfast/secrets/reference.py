"""References to secrets: what a configuration has in place of them.

    env:NAME    file:PATH
    aws-sm:NAME    gcp-sm:PROJECT/NAME    azure-kv:VAULT/NAME    vault:MOUNT/PATH

The last four may end in `#KEY`, a member of the JSON object that the secret is, and then in
`@VERSION`. `{environment}` in a name stands for what ENVIRONMENT calls this installation.
Not here: getting what they refer to (source, and the providers).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

import msgspec

from holdfast.errors import ConfigError

PATTERN: Final = (
    r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|(aws-sm|gcp-sm|azure-kv|vault):[^#@\s][^#\s]*"
    r"(#[^#@\s]+(@[^#@\s]+)?)?)$"
)
"""What a reference looks like, for the shape of a configuration."""

LOCAL: Final = frozenset({"env", "file"})
REMOTE: Final = frozenset({"aws-sm", "gcp-sm", "azure-kv", "vault"})
_PLACE: Final = "{environment}"


class Reference(msgspec.Struct, frozen=True):
    """Where a secret is.

    Attributes:
        scheme: who keeps it, such as `vault`.
        name: as its provider calls it.
        key: member of the JSON object that it is; empty for all of it.
        version: as its provider calls it; empty for the current one.
    """

    scheme: str
    name: str
    key: str = ""
    version: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether somebody else keeps it, who has to be asked."""
        return self.scheme in REMOTE

    @property
    def whole(self) -> Reference:
        """The secret that it is a part of."""
        return Reference(self.scheme, self.name, "", self.version)

    def __str__(self) -> str:
        key = f"#{self.key}" if self.key else ""
        return f"{self.scheme}:{self.name}{key}{f'@{self.version}' if self.version else ''}"


def parse(text: str, environment: str = "") -> Reference:
    """The reference that `text` is.

    Args:
        environment: what `{environment}` stands for.

    Raises:
        ConfigError: it is none. It may be a secret in place of one, so it is not repeated.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or scheme not in LOCAL | REMOTE:
        raise ConfigError(
            "seen: a secret that is no reference; expected: env:NAME, file:PATH, aws-sm:NAME, "
            "gcp-sm:PROJECT/NAME, azure-kv:VAULT/NAME or vault:MOUNT/PATH; do: move the value out "
            "of the configuration, and replace it at the exchange"
        )
    if scheme in LOCAL:
        return Reference(scheme, rest if scheme == "env" else _expanded(rest, environment))
    name, has_key, key = rest.partition("#")
    key, _, version = key.partition("@") if has_key else ("", "", "")
    if not has_key:
        name, _, version = name.partition("@")
    if not name:
        raise ConfigError(f"seen: {text}; expected: a name after {scheme}:; do: add it")
    return Reference(scheme, unquote(_expanded(name, environment)), unquote(key), unquote(version))


def is_reference(text: str) -> bool:
    """Whether `text` begins like one; an address such as `postgresql://host` does not."""
    scheme, colon, rest = text.partition(":")
    return bool(colon and rest) and scheme in LOCAL | REMOTE


def _expanded(name: str, environment: str) -> str:
    if _PLACE not in name:
        return name
    if not environment:
        raise ConfigError(
            f"seen: {_PLACE} in the reference {name}, and no ENVIRONMENT; expected: its name, such "
            "as staging; do: export ENVIRONMENT=..."
        )
    return name.replace(_PLACE, environment)
