"""Secrets by reference: who keeps them, for how long they are remembered, who asked for them.

`resolve` is what most need. Not here: which settings are secrets (config).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from holdfast.errors import ConfigError
from holdfast.secrets.aws import SecretsManager
from holdfast.secrets.azure import KeyVault
from holdfast.secrets.gcp import GoogleSecretManager
from holdfast.secrets.local import Environment, Files
from holdfast.secrets.port import Provider, Stage
from holdfast.secrets.reference import PATTERN, Reference, is_reference, parse
from holdfast.secrets.source import SecretSource
from holdfast.secrets.value import Secret, Version
from holdfast.secrets.vault import Vault

__all__ = [
    "PATTERN", "Reference", "Secret", "SecretSource", "Stage", "Version", "current", "followed",
    "forget", "get_secret", "invalidate", "is_reference", "parse", "resolve",
]  # fmt: skip


def _providers(environ: Mapping[str, str], region: str = "") -> dict[str, Provider]:
    return {
        "env": Environment(environ),
        "file": Files(),
        "aws-sm": SecretsManager(region),
        "gcp-sm": GoogleSecretManager(environ),
        "azure-kv": KeyVault(),
        "vault": Vault(environ),
    }


class _Sources:
    """This process's sources; a forked child begins with ones of its own.

    Clients keep connections, and locks may be held by a thread that the child does not have.
    """

    def __init__(self) -> None:
        self.begin()
        os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        """Nothing is remembered, and nothing is open."""
        self.main = SecretSource(_providers(os.environ))
        self.by_region: dict[str, SecretSource] = {}


_sources: Final = _Sources()


def current(
    reference: str,
    environ: Mapping[str, str] = os.environ,
    *,
    stage: Stage = Stage.CURRENT,
    purpose: str = "",
) -> Version:
    """As `resolve`, with the version that it is of, or the version before."""
    source = _sources.main if environ is os.environ else SecretSource(_providers(environ))
    return source.get(followed(reference, environ), stage=stage, purpose=purpose)


def followed(reference: str, environ: Mapping[str, str] = os.environ) -> Reference:
    """Where a reference leads: `env:NAME` goes on to the file that NAME_FILE names, or to the
    reference that NAME holds.

    Raises:
        ConfigError: it is none, or both variables are set.
    """
    environment = environ.get("ENVIRONMENT") or environ.get("ENV") or ""
    found = parse(reference, environment)
    if found.scheme != "env":
        return found
    value, file = (environ.get(name, "").strip() for name in (found.name, f"{found.name}_FILE"))
    if value and file:
        raise ConfigError(
            f"seen: {found.name} and {found.name}_FILE in the environment; expected: one of them; "
            "do: unset the other"
        )
    if file:
        return Reference("file", file)
    further = parse(value, environment) if is_reference(value) else found
    return found if further.scheme == "env" else further


def resolve(
    reference: str, environ: Mapping[str, str] = os.environ, *, purpose: str = ""
) -> Secret:
    """The secret that a reference names, without surrounding white space; blocks for who keeps it.

    It is remembered for about five minutes, and masked in this process's logs from here on.

    Args:
        purpose: what it is for, in the record of accesses.

    Raises:
        ConfigError: nothing is there, it is empty, or it may not be read. The text names the
            reference, not the value.
        RetryableError: its provider does not answer.
    """
    return current(reference, environ, purpose=purpose).secret


def invalidate(reference: str | None = None) -> None:
    """Ask for it anew the next time: it was rotated, or refused. None means all."""
    which = None if reference is None else followed(reference)
    for source in (_sources.main, *_sources.by_region.values()):
        source.invalidate(which)


def forget() -> None:
    """Begin anew: nothing is remembered, and nobody is known who keeps secrets."""
    _sources.begin()


def get_secret(name: str, region: str = "") -> str:
    """A secret of AWS Secrets Manager by its name, remembered like all; for scripts and notebooks.

    Args:
        region: instead of the SDK's setting.

    Raises: as `resolve`.
    """
    source = _sources.main
    if region:
        source = _sources.by_region.setdefault(region, SecretSource(_providers(os.environ, region)))
    return source.get(Reference("aws-sm", name), purpose="get_secret").secret.reveal()
