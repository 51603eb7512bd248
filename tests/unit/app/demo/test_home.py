"""The demo's folder: what is kept, who may read it, and what is refused."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from holdfast.app.demo.home import Home, open_home
from holdfast.app.demo.plan import DemoPlan, demo_plan
from holdfast.config import load, resolve
from holdfast.errors import ConfigError


def opened(
    path: Path, *, fresh: bool, seed: int | None
) -> AbstractContextManager[Home[DemoPlan]]:
    """A demo's folder."""
    return open_home(path, DemoPlan, partial(demo_plan, seed=seed), fresh=fresh)


def complete(path: Path) -> None:
    """A folder as a first run leaves it."""
    with opened(path, fresh=False, seed=5) as home:
        home.exchange_state.mkdir()
        home.keep_keys("a-key", "a-secret")
        home.journal.touch()
        home.plan.grid_low, home.plan.grid_high = "3100.5", "3200"
        home.plan.port = 4321
        home.save()


def test_a_second_start_finds_everything_again(tmp_path: Path) -> None:
    complete(tmp_path / "demo")
    with opened(tmp_path / "demo", fresh=False, seed=None) as home:
        assert home.plan.is_complete
        assert (home.plan.seed, home.api_key) == (5, "a-key")
        assert home.journal.exists()


def test_the_keys_are_for_this_user_s_eyes_only(tmp_path: Path) -> None:
    complete(tmp_path / "demo")
    for name in ("api.key", "api.secret"):
        assert stat.S_IMODE((tmp_path / "demo" / name).stat().st_mode) == 0o600


def test_the_node_can_read_the_configuration_whatever_the_folder_is_called(tmp_path: Path) -> None:
    path = tmp_path / 'a "strange" näme'
    complete(path)
    with opened(path, fresh=False, seed=None) as home:
        home.write_config("http://127.0.0.1:4321")
        config = load(home.config, {})
    assert config.account.venue.stream_url == "ws://127.0.0.1:4321/stream"
    assert config.database_url == f"sqlite:///{path}/journal.db"
    assert resolve(config.account.api_secret).reveal() == "a-secret"
    assert [bot.strategy for bot in config.bots] == ["sma_cross", "grid"]
    assert config.bots[1].params["low"] == "3100.5"


def test_fresh_throws_away_the_demo_s_own_files_and_nothing_else(tmp_path: Path) -> None:
    complete(tmp_path / "demo")
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    with opened(tmp_path / "demo", fresh=True, seed=None) as home:
        assert not home.plan.is_complete
        assert not home.journal.exists()
        assert (home.path / "notes.txt").read_text() == "mine"


def test_a_first_start_that_was_cut_short_begins_anew(tmp_path: Path) -> None:
    with opened(tmp_path / "demo", fresh=False, seed=None) as home:
        home.exchange_state.mkdir()
        (home.exchange_state / "exchange.log").write_text("an account without keys")
        home.keep_keys("a-key", "a-secret")
    with opened(tmp_path / "demo", fresh=False, seed=None) as home:
        assert not home.plan.is_complete
        assert not home.exchange_state.exists()


def test_the_exchange_gets_its_port_back_unless_somebody_has_it(tmp_path: Path) -> None:
    complete(tmp_path / "demo")
    with opened(tmp_path / "demo", fresh=False, seed=None) as home:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            home.plan.port = taken.getsockname()[1]
            assert home.free_port() == 0
        assert home.free_port() == home.plan.port


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "demo", fresh=False, seed=None),
        pytest.raises(ConfigError, match="in use by another demo"),
        opened(tmp_path / "demo", fresh=True, seed=None),
    ):
        pass


def refused(path: Path, expected: str) -> None:
    with (
        pytest.raises(ConfigError, match=expected) as error,
        opened(path, fresh=False, seed=None),
    ):
        pass
    assert "expected: " in str(error.value)
    assert "do: " in str(error.value)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    refused(tmp_path, "holds something that is no demo's")
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    refused(tmp_path / "demo", "file exists")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: run as another user")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    refused(tmp_path / "demo", "permission denied")


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "cannot be read"), ('{"format": 2}', "has format 2"), ('{"port": "x"}', "be read")],
)
def test_a_damaged_manifest_is_told(tmp_path: Path, content: str, expected: str) -> None:
    complete(tmp_path / "demo")
    (tmp_path / "demo" / "demo.json").write_text(content)
    refused(tmp_path / "demo", expected)


def test_missing_keys_are_told(tmp_path: Path) -> None:
    complete(tmp_path / "demo")
    (tmp_path / "demo" / "api.secret").unlink()
    refused(tmp_path / "demo", "without api.secret")
