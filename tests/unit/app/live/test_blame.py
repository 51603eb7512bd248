"""Bots that cost processes their lives: remembered by a supervisor, and by the one after it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.app.live.blame import SLOW_S, Blame, blame_file

LONG = ("greedy", 2 * SLOW_S)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return blame_file(str(tmp_path / "state"), "main", "left")


def supervised(file: Path, *work: Callable[[Blame], None]) -> None:
    """A supervisor that does so and is no more."""
    pid = os.fork()
    if pid == 0:
        blame = Blame(file)
        for step in work:
            step(blame)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def decides_long(blame: Blame) -> None:
    blame.look(LONG)


def test_a_bot_whose_process_died_twice_while_it_decided_is_not_asked_again() -> None:
    blame = Blame()
    blame.died("greedy")
    blame.died("other")
    assert blame.quarantine == {}
    blame.died("greedy")
    assert blame.quarantine == {"greedy": "its process died 2 times while it decided"}


def test_a_bot_that_took_the_whole_node_down_twice_is_not_asked_again(file: Path) -> None:
    supervised(file, decides_long)
    supervised(file, decides_long)
    assert Blame(file).quarantine == {"greedy": "its node died 2 times while it decided"}


def test_once_is_a_coincidence_and_is_remembered(file: Path) -> None:
    supervised(file, decides_long)
    supervised(file, lambda blame: blame.look(("other", 2 * SLOW_S)))
    supervised(file, decides_long)
    assert list(Blame(file).quarantine) == ["greedy"]


def test_whoever_dies_after_a_long_decision_has_ended_blames_nobody(file: Path) -> None:
    def has_ended(blame: Blame) -> None:
        blame.look(("greedy", 0.0))  # its next one

    for _ in range(2):
        supervised(file, decides_long, lambda blame: blame.look(None))
        supervised(file, decides_long, has_ended)
    assert Blame(file).quarantine == {}


def test_a_decision_of_the_usual_length_writes_nothing(file: Path) -> None:
    blame = Blame(file)
    for seconds in (0.0, 0.001, SLOW_S):
        blame.look(("greedy", seconds))
        blame.look(None)
    assert not file.exists()


def test_a_node_that_ends_in_order_forgets(file: Path) -> None:
    supervised(file, decides_long)
    supervised(file, decides_long, Blame.forget)
    supervised(file, decides_long)
    assert Blame(file).quarantine == {}


def test_what_a_living_supervisor_writes_is_left_to_it(file: Path) -> None:
    alive = Blame(file)
    alive.look(LONG)
    noted = file.read_bytes()
    other = Blame(file)
    other.look(("other", 2 * SLOW_S))
    assert other.quarantine == {}
    assert file.read_bytes() == noted


@pytest.mark.parametrize("content", [b"", b"{", b'{"host": 1}'])
def test_a_file_that_says_nothing_is_told_and_costs_no_start(
    file: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    assert Blame(file).quarantine == {}


def test_a_directory_that_takes_no_file_costs_the_supervisor_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no directory")
    blame = Blame(tmp_path / "state" / "main.left.deciding")
    blame.look(LONG)
    blame.died("greedy")
    blame.died("greedy")
    assert "greedy" in blame.quarantine


def test_a_directory_that_has_become_read_only_ends_no_supervisor_as_it_stops(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_file: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    blame = Blame(file)
    blame.look(LONG)
    monkeypatch.setattr(Path, "unlink", refuse)
    blame.forget()
    assert "blame_lost" in caplog.text
