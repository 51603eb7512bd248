"""A file's configuration with accounts that commands added."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.config import Config, load
from holdfast.config.added import AddedAccount, joined, require_addable
from holdfast.errors import ConfigError

FILE = """
[account]
name = "spot"
api_key = "env:SPOT_KEY"
api_secret = "env:SPOT_SECRET"

[account.venue]
rest_url = "https://testnet.example"
nodes = 2

[[bots]]
name = "cross"
strategy = "sma-cross"
symbols = ["BTC/USDT"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "holdfast.toml"
    file.write_text(FILE)
    return load(file, {})


def added(name: str, key: str = "env:SECOND_KEY", like: str = "spot") -> AddedAccount:
    return AddedAccount(name=name, like=like, api_key=key, api_secret="env:SECRET")


def test_an_added_account_is_on_the_exchange_of_the_one_it_is_like(config: Config) -> None:
    now, refused = joined(config, [added("second")])
    assert refused == {}
    assert [account.name for account in now.all_accounts] == ["spot", "second"]
    assert now.all_accounts[1].venue == config.account.venue
    assert now.for_account("second").bots == ()


def test_a_bot_that_did_not_have_to_say_its_account_stays_where_it_is(config: Config) -> None:
    now, _ = joined(config, [added("second")])
    assert now.account_of("cross") == "spot"
    assert [bot.name for bot in now.for_account("spot").bots] == ["cross"]


def test_without_any_the_configuration_is_the_file_s(config: Config) -> None:
    assert joined(config, []).config is config


def test_what_does_not_go_with_the_others_is_left_out_with_the_reason(config: Config) -> None:
    now, refused = joined(
        config,
        [added("second"), added("spot", "env:X"), added("third"), added("fourth", like="second")],
    )
    assert [account.name for account in now.all_accounts] == ["spot", "second"]
    assert "'spot' more than once" in refused["spot"]
    assert "'env:SECOND_KEY' more than once" in refused["third"]
    assert "that of one of spot" in refused["fourth"], "not on that of an added one"


def test_what_would_be_left_out_is_refused_at_once(config: Config) -> None:
    require_addable(config, [added("second")], added("third", "env:THIRD_KEY"))
    with pytest.raises(ConfigError, match="account third: accounts' keys"):
        require_addable(config, [added("second")], added("third"))


def test_a_webhook_leaves_room_in_a_node_only(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text(FILE + '[[signals]]\nname = "news"\nsecret = "env:HOOK"\n')
    with pytest.raises(ConfigError, match="webhooks and several accounts"):
        require_addable(load(file, {}), [], added("second"))
