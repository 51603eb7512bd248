"""What keeps secrets, as this room asks it.

Not here: who does (local, aws, gcp, azure, vault), what is remembered of it (source).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Version


class Stage(StrEnum):
    """Which version of a secret is asked for, where a reference names none."""

    CURRENT = "current"
    PREVIOUS = "previous"  # the one before it, while a rotation is going on


class Provider(Protocol):
    """Keeps secrets by name. For threads; blocks for a few seconds at most."""

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """One version of a secret, whole, as it is there now.

        A reference with a version of its own is answered with that one, whatever the stage.

        Raises:
            ConfigError: there is no such secret or version, it may not be read, it is no text, or
                the provider cannot be used like this. The text has no secret in it.
            RetryableError: the provider does not answer now.
        """
        ...
