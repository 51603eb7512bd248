"""What a node's supervisor has ready before it forks anybody off, and how it keeps its keeper."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path

import pytest

from holdfast.app.live import node
from holdfast.app.live.board import lease_clock_ns
from holdfast.app.live.process import CRASHED
from holdfast.cluster.port import TwinError
from holdfast.config import Config
from holdfast.errors import EXIT_FAILED, EXIT_USAGE, ConfigError
from tests.support.waiting import PATIENCE_S

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


class Refused(node.Supervisor):
    """Its keepers say what they met in `met`, one letter each, and go on or end as `lives` says.

    `k` has a lease until it is killed, `r` is refused as it joins, `l` after it had a lease; `t`
    had one and finds a twin.
    """

    def __init__(self, folder: Path, lives: str) -> None:
        super().__init__(Config(state_dir=str(folder)))
        self.met, self._lives = folder / "met", lives
        self.met.touch()

    async def _keep(self) -> None:
        life = self._lives[self.met.stat().st_size]
        if life in "klt":
            self._board.lease(lease_clock_ns() + 60_000_000_000)
            await asyncio.sleep(5 * node.POLL_S)
        with self.met.open("a") as met:
            met.write(life)
        if life in "rl":
            raise ConfigError("seen: refused; expected: not that")
        if life == "t":
            raise TwinError("seen: a twin; expected: none")
        await asyncio.sleep(PATIENCE_S)

    def looks(self) -> Iterator[str]:
        """What its keepers have met, after each look, until its node is to end."""
        until_s = time.monotonic() + PATIENCE_S
        while self._keeper_code is None:
            assert time.monotonic() < until_s
            self._look_after_keeper()
            yield self.met.read_text()
            time.sleep(node.POLL_S)

    def kill(self) -> None:
        os.kill(self._keeper, signal.SIGKILL)


def test_a_keeper_that_is_refused_after_it_was_let_in_is_begun_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One side of a rotation is late, or rights come back one after the other."""
    monkeypatch.setattr(node, "AGAIN_S", 0.3)
    supervisor, began_s = Refused(tmp_path, "krlrk"), 0.0
    for met in supervisor.looks():
        if met == "k" and not began_s:
            supervisor.kill()
            began_s = time.monotonic()
        if met == "krlrk":
            break
    assert supervisor._keeper_code is None
    assert time.monotonic() - began_s > 0.9
    supervisor.kill()
    os.waitpid(supervisor._keeper, 0)


@pytest.mark.parametrize("lives", ["r", "t", "kt"])
def test_a_keeper_that_is_refused_at_first_or_finds_a_twin_ends_its_node(
    lives: str, tmp_path: Path
) -> None:
    """A wrong configuration, or another node of its name."""
    supervisor = Refused(tmp_path, lives)
    killed = False
    for met in supervisor.looks():
        if met == "k" and not killed:
            supervisor.kill()
            killed = True
    assert supervisor.met.read_text() == lives
    assert supervisor._code() == EXIT_USAGE
    assert not supervisor.begins_anew


class Broken(node.Supervisor):
    """Its keeper breaks before it has an event loop."""

    def _keep(self) -> Coroutine[None, None, None]:
        raise MemoryError


def test_what_breaks_before_a_keeper_has_begun_ends_there_as_a_crash(tmp_path: Path) -> None:
    supervisor, pid = Broken(Config(state_dir=str(tmp_path))), os.getpid()
    try:
        supervisor._begin_keeper()
    finally:
        if os.getpid() != pid:  # as Python ends who does not take an exception
            os._exit(EXIT_FAILED)
    _, status = os.waitpid(supervisor._keeper, 0)
    assert os.waitstatus_to_exitcode(status) == CRASHED
