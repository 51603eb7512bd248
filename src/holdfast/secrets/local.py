"""Secrets on this machine: variables of the environment and files.

The version before is `NAME_PREVIOUS`, or the file `PATH.previous`, where there is one. Not here:
what asks for them (source).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from holdfast.errors import ConfigError
from holdfast.secrets.port import Stage
from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Secret, Version
from holdfast.telemetry.log import get_logger

log = get_logger("secrets.local")

_MOUNTED: Final = ("/run/secrets/", "/mnt/secrets/", "/var/run/secrets/")
"""Where containers see theirs: readable by everybody in there, and by nobody else."""

_told: set[str] = set()


class Environment:
    """Variables of a process, and of whoever may look at it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """See `Provider`."""
        name = reference.name + ("_PREVIOUS" if stage is Stage.PREVIOUS else "")
        value = self._environ.get(name, "").strip()
        if not value:
            raise ConfigError(
                f"seen: env:{name} is empty; expected: a secret; do: export {name}=..."
            )
        return Version(Secret(value))


class Files:
    """Text files with nothing but a secret in them, such as a container is given."""

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """See `Provider`. A file that others may write is refused: they could change the key."""
        name = reference.name + (".previous" if stage is Stage.PREVIOUS else "")
        do = f"put the secret alone into {name}"
        path = Path(name)
        try:
            found = path.stat()
            secret = Secret(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            # Without the cause, whose text would quote what is no UTF-8.
            raise ConfigError(
                f"seen: file:{name} cannot be read ({type(error).__name__}); expected: a readable "
                f"text file; do: {do}"
            ) from None
        if found.st_mode & stat.S_IWOTH:
            raise ConfigError(
                f"seen: file:{name} may be written by everybody on this machine; expected: by its "
                f"owner alone; do: chmod 600 {name}, and replace the secret"
            )
        if not secret.reveal():
            raise ConfigError(f"seen: file:{name} is empty; expected: a secret; do: {do}")
        if is_exposed(path) and name not in _told:
            _told.add(name)
            log.warning(
                "a secret's file can be read by everybody on this machine", action="secret_file",
                file=name, do=f"chmod 600 {name}",
            )  # fmt: skip
        return Version(secret, created_s=found.st_mtime)


def is_exposed(path: Path) -> bool:
    """Whether every user of this machine can read `path`; what a container mounts does not count.

    Raises:
        OSError: it is not there.
    """
    mounted = str(path.absolute()).startswith(_MOUNTED)
    read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return bool(path.stat().st_mode & stat.S_IROTH) and not (mounted or read_only)
