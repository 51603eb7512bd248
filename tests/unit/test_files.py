"""A small file is replaced as a whole, and what was there stays when it cannot be."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast import files


def test_a_file_and_its_folder_are_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state" / "note.json"
    files.replace(path, b"one")
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        files.replace(tmp_path / "note", content, durable=False)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert (tmp_path / "note").read_bytes() == b"two"


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note"
    files.replace(path, b"old")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.replace(path, b"new")
    assert [found.name for found in tmp_path.iterdir()] == ["note"]
    assert path.read_bytes() == b"old"


def test_of_several_at_once_one_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "note"
    contents = [bytes([65 + turn]) * 10_000 for turn in range(20)]
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda content: files.replace(path, content, durable=False), contents))
    assert path.read_bytes() in contents
    assert [found.name for found in tmp_path.iterdir()] == ["note"]


def test_it_is_durable_with_its_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noted(file: int) -> None:
        synced.append(os.fstat(file).st_ino)
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)
    files.replace(tmp_path / "note", b"one")
    assert synced == [(tmp_path / "note").stat().st_ino, tmp_path.stat().st_ino]
