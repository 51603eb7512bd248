"""The bugs that can be planted, by name; what each does is in `bugs`, which costs an import."""

from __future__ import annotations

from typing import Final

BUGS: Final[dict[str, str]] = {}
