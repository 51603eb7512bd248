"""What a node's supervisor has ready before it forks anybody off."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.app.live import node
from holdfast.config import Config
from holdfast.errors import ConfigError

BEFORE_A_FORK = """
import gc, sys

from holdfast.app.live.node import Supervisor
from holdfast.config import Config

before = "psycopg" in sys.modules
Supervisor(Config(database_url=sys.argv[1], state_dir=sys.argv[2]))._share()
print(before, "psycopg" in sys.modules, gc.get_freeze_count() > 0)
"""


def test_a_store_s_driver_is_loaded_once_for_all_that_are_forked_off(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://nobody@127.0.0.1:1/none"  # nothing is opened yet
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_A_FORK, url, str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False", "True", "True"]


def test_without_a_driver_the_supervisor_goes_on_and_who_needs_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_config: Config) -> None:
        raise ConfigError("seen: no driver; expected: one; do: install it")

    monkeypatch.setattr(node, "database_of", refuse)
    try:
        node.Supervisor(Config(state_dir=str(tmp_path)))._share()
    finally:
        gc.unfreeze()
