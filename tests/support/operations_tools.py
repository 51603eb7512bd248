"""The real programs that deployment artefacts are tried with, where they are here.

`scripts/operations-tools` gets them for `make test`. Not here: what they are asked.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
UNPACKED = REPOSITORY / ".tools" / "operations" / "bin"

# Debian puts servers where only root's PATH leads, and calls one of them by another name.
_FOLDERS = (os.environ.get("PATH", ""), "/usr/sbin", "/sbin", str(UNPACKED))
_OTHER_NAMES = {"alertmanager": ("prometheus-alertmanager",)}


def found(program: str) -> Path | None:
    """Where a program is: on PATH, where Debian keeps servers, or unpacked for the tests."""
    for name in (program, *_OTHER_NAMES.get(program, ())):
        path = shutil.which(name, path=os.pathsep.join(_FOLDERS))
        if path is not None:
            return Path(path)
    return None


def operations_tool(program: str) -> Path:
    """The same, in a test that cannot do without; where there is none, it skips and says why.

    Args:
        program: `promtool`, `prometheus`, `amtool`, `alertmanager`, `nginx`, `haproxy`, …
    """
    path = found(program)
    if path is None:
        pytest.skip(f"no {program} here; to run this: scripts/operations-tools")
    return path
