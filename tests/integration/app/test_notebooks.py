"""The notebooks of the documentation: every cell runs, and says what the page says it does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_S

FOLDER = Path(__file__).parents[3] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def said(path: Path) -> list[list[str]]:
    """What each cell says as text; people see tables as HTML, with the times of a machine."""
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        ["".join(one["data"]["text/plain"] if "data" in one else one["text"])
         for one in cell["outputs"]]
        for cell in cells
        if cell["cell_type"] == "code"
    ]  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_and_says_what_it_shows(
    path: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copy(path, tmp_path))
    own = {name: str(tmp_path) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", "--inplace", str(copied)],
        env={**os.environ, **own, "JUPYTER_CONFIG_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said(copied) == said(path)


def test_notebooks_are_there_and_name_no_machine() -> None:
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        for place in ("/home/", "/root/", "/tmp/", "/Users/", str(Path.home())):
            assert place not in text, path
