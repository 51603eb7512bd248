"""Where recorded market data and payloads lie: `HOLDFAST_DATA_DIR`, else beside the repository.

Not here: reading them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def recording(relative: str) -> Path:
    """The path of a recording; skips the test when the recordings are not on this machine."""
    folder = Path(os.environ.get("HOLDFAST_DATA_DIR", _BESIDE))
    path = folder / relative
    if not path.exists():
        pytest.skip(f"no recording {relative}: set HOLDFAST_DATA_DIR to the recordings' folder")
    return path
