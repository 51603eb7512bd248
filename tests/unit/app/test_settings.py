"""Where each setting comes from, and what has changed since a process read them.

Not here: what the settings mean (test_config).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.app.settings import AT_START, BY_COMMAND, effective_settings, pending_changes
from holdfast.config import load
from holdfast.config.origin import setting_lines
from holdfast.errors import ConfigError

FILE = '''\
# of this house
deployment = "home"  # and no other
database_url = "postgresql://me:hunter2secret@db/x"

[cluster]
profile = "fast"

[[accounts]]
name = "a"
api_key = "env:A"
[accounts.limits]
max_daily_loss = "200"

[[accounts]]
name = "b"
api_key = """\\
  env:B"""
limits.max_drawdown_pct = 15

[[bots]]
name = "trend"
account = "b"
strategy = "sma_cross"
symbols = [
  "BTC/USDT",  # the first is its own
  "ETH/USDT",
]
params = { fast = 10, slow = 30 }

[bots.limits]
max_order_notional = "500"
'''


def test_each_setting_is_found_where_it_stands() -> None:
    lines = setting_lines(FILE)
    assert lines == {
        "deployment": 2, "database_url": 3, "cluster.profile": 6, "accounts[0].name": 9,
        "accounts[0].api_key": 10, "accounts[0].limits.max_daily_loss": 12,
        "accounts[1].name": 15, "accounts[1].api_key": 16,
        "accounts[1].limits.max_drawdown_pct": 18, "bots[0].name": 21, "bots[0].account": 22,
        "bots[0].strategy": 23, "bots[0].symbols": 24, "bots[0].params.fast": 28,
        "bots[0].params.slow": 28, "bots[0].limits.max_order_notional": 31,
    }  # fmt: skip


def test_a_setting_is_told_with_who_said_so_and_without_its_password(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(FILE)
    environ = {"LOG_LEVEL": "debug"}
    told = {one.key: one for one in effective_settings(load(file, environ), file, environ)}
    assert (told["log_level"].value, told["log_level"].origin) == ('"debug"', "env LOG_LEVEL")
    assert told["accounts[1].api_key"].origin == f"{file}:16"
    assert told["api.port"].origin == "default"
    assert told["database_url"].value == '"postgresql://me:***@db/x"'
    assert "hunter2secret" not in repr(told)


def test_what_is_written_otherwise_by_now_is_told_with_how_it_takes_effect(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(FILE)
    running = load(file, {})
    assert pending_changes(running, file, {}) == ()
    file.write_text(FILE.replace('"fast"', '"standard"').replace('"500"', '"600"'))
    found = [(one.key, one.running, one.written, one.takes_effect)
             for one in pending_changes(running, file, {})]  # fmt: skip
    assert found == [
        ("cluster.profile", '"fast"', '"standard"', AT_START),
        ("bots[0].limits.max_order_notional", '"500"', '"600"', BY_COMMAND),
    ]
    file.write_text("deployment = 1")
    with pytest.raises(ConfigError):
        pending_changes(running, file, {})


def test_a_key_that_is_nearly_known_is_told_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[account.limits]\nmax_daily_los = 5\n")
    with pytest.raises(ConfigError, match=r"unknown field `max_daily_los`; expected: `max_daily_l"):
        load(file, {})
