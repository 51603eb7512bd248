"""`Work` for jobs that are called in the test's own process.

Not here: jobs in processes (tests.support.jobs).
"""

from __future__ import annotations

from pathlib import Path

from holdfast.platform.jobs.kinds import EndedPart


class Here:
    """`Work` in this process."""

    def __init__(self, folder: Path, parts: list[EndedPart] | None = None) -> None:
        self.folder = folder / "attempt"
        self.folder.mkdir(exist_ok=True)
        self.config_file = folder / "holdfast.toml"
        self.config_file.write_text(
            f'[jobs]\ndata_dir = "{folder}/data"\nstrategies_dir = "{folder}/strategies"\n'
        )
        self.parts = parts or []
        self.told: list[float] = []

    def tell(self, progress: float, note: str = "") -> None:
        self.told.append(progress)
