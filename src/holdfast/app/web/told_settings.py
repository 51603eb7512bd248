"""The configuration of this process, as the API tells it.

Not here: where settings come from (app.settings).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.api.shapes.configuration import Configuration, PendingSetting, Setting
from holdfast.app.reload import reloaded
from holdfast.app.settings import RELOADED, effective_settings, pending_changes
from holdfast.config import Config
from holdfast.errors import ConfigError


class ToldSettings:
    """A `Settings` of one process.

    Args:
        file: that the configuration was read from; None is the working directory's.
    """

    def __init__(self, config: Config, file: Path | None) -> None:
        self._config = config
        self._file = file
        self._settings = _told(config, file)

    def reload(self) -> None:
        """Read the file again, and tell what holds then."""
        before, self._config = self._config, reloaded(self._config, self._file)
        if self._config is not before:
            anew = {one.key: one for one in _told(self._config, self._file)}
            self._settings = tuple(
                anew[one.key] if one.key in RELOADED else one for one in self._settings
            )

    async def configuration(self) -> Configuration:
        """What holds now, and what would hold if it were read again."""
        try:
            pending = await asyncio.to_thread(pending_changes, self._config, self._file)
        except ConfigError as error:
            return Configuration(settings=self._settings, pending=(), refused=str(error))
        return Configuration(
            settings=self._settings,
            pending=tuple(
                PendingSetting(
                    key=one.key, running=one.running, written=one.written,
                    takes_effect=one.takes_effect,
                )
                for one in pending
            ),
        )  # fmt: skip


def _told(config: Config, file: Path | None) -> tuple[Setting, ...]:
    """As they are when it is read: the lines of the file may move under it."""
    return tuple(
        Setting(key=one.key, value=one.value, origin=one.origin)
        for one in effective_settings(config, file)
    )
