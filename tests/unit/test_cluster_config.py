"""The table `[cluster]`: times that would not be safe, and where leases may be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cluster.timing import DRIFT, PROFILES, SHORTEST_TTL_S, Timing
from holdfast.config import Config, load
from holdfast.errors import ConfigError
from holdfast.journal.postgres_connect import IDLE_IN_TRANSACTION_MS


def configured(tmp_path: Path, table: str, environ: dict[str, str] | None = None) -> Config:
    file = tmp_path / "holdfast.toml"
    file.write_text(f"[cluster]\n{table}\n", encoding="utf-8")
    return load(file, environ or {})


def refused(tmp_path: Path, table: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, table, environ)
    return str(caught.value)


def test_a_profile_brings_its_times_and_times_of_ones_own_win(tmp_path: Path) -> None:
    assert configured(tmp_path, "").cluster.timing == PROFILES["standard"]
    assert configured(tmp_path, 'profile = "fast"').cluster.timing == PROFILES["fast"]
    own = "times = { renew_s = 0.5, ttl_s = 2.5, call_s = 0.6 }"
    assert configured(tmp_path, own).cluster.timing == Timing(
        renew_s=0.5, ttl_s=2.5, poll_s=0.05, call_s=0.6
    )
    assert "`cluster.profile` is 'slow'; expected: fast or standard" in refused(
        tmp_path, 'profile = "slow"'
    )


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ("renew_s = 1, ttl_s = 2, call_s = 0.6", "do not fit into a lease of 1.98 s"),
        ("renew_s = 0.1, ttl_s = 4, call_s = 0", "a time is not positive"),
        ("renew_s = -1, ttl_s = 4, call_s = 1", "a time is not positive"),
        ("renew_s = nan, ttl_s = 4, call_s = 1", "`renew_s` is nan; expected: a number of seconds"),
        ("renew_s = 1, ttl_s = nan, call_s = 1", "`ttl_s` is nan; expected: a number of seconds"),
        ("renew_s = 1, ttl_s = 4, call_s = nan", "`call_s` is nan; expected: a number of seconds"),
        ("renew_s = 1, ttl_s = 4, call_s = 1, poll_s = nan", "`poll_s` is nan; expected: a number"),
        ("renew_s = 1, ttl_s = inf, call_s = 1", "`ttl_s` is inf; expected: a number of seconds"),
        ("renew_s = -inf, ttl_s = 4, call_s = 1", "`renew_s` is -inf; expected: a number"),
        ("renew_s = 1, ttl_s = 1e12, call_s = 1", "`ttl_s` is 1e+12; expected: at most 3600"),
        ("renew_s = 1, ttl_s = 1e5000, call_s = 1", "`ttl_s` is inf; expected: a number"),
        ("renew_s = 1e12, ttl_s = 4, call_s = 1", "do not fit into a lease"),
        ("renew_s = 1, ttl_s = 4, call_s = 1e12", "do not fit into a lease"),
        ("renew_s = 0.1, ttl_s = 0.7, call_s = 0.1", "`ttl_s` is 0.7; expected: at least 0.8"),
        ("renew_s = 0.2, ttl_s = 4, call_s = 1, poll_s = 0.3", "`poll_s` 0.3 is more than"),
        ("renew_s = 1, ttl_s = 4", "call_s"),
        ("renew_s = 1, ttl_s = 4, call_s = 1, tll_s = 3", "tll_s"),
    ],
)
def test_times_that_would_not_be_safe_are_refused_when_they_are_read(
    tmp_path: Path, times: str, told: str
) -> None:
    said = refused(tmp_path, f"times = {{ {times} }}")
    assert told in said
    assert "cluster.times" in said


@pytest.mark.parametrize("timing", PROFILES.values(), ids=PROFILES)
def test_profiles_leave_room_for_a_renewal_that_fails(timing: Timing) -> None:
    assert timing.renew_s + 2 * timing.call_s <= timing.ttl_s * (1 - DRIFT)
    assert timing.hint_s < timing.ttl_s


def test_a_frozen_session_of_the_journal_ends_within_half_of_any_lease() -> None:
    assert int(IDLE_IN_TRANSACTION_MS) / 1000 <= SHORTEST_TTL_S / 2
    assert min(timing.ttl_s for timing in PROFILES.values()) >= SHORTEST_TTL_S


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///leases", "sqlite:////var/lib/holdfast/leases", "postgresql://u@h/n",
        "postgresql:///n?host=/run/postgresql", "redis://h:6379/0", "rediss://:secret@h/0",
        "unix:///run/redis.sock",
    ],
)  # fmt: skip
def test_leases_may_be_kept_in_a_file_in_postgres_and_in_redis(tmp_path: Path, url: str) -> None:
    assert configured(tmp_path, f'lease_url = "{url}"').cluster.lease_url == url


@pytest.mark.parametrize(
    "url",
    ["leases.db", "sqlite://", "sqlite:///", "sqlite://x", "mysql://me:secret@h/n", "redis://",
     "me:secret@h"],
)  # fmt: skip
def test_another_address_is_refused_without_being_shown(tmp_path: Path, url: str) -> None:
    told = refused(tmp_path, f'lease_url = "{url}"')
    assert "`cluster.lease_url`" in told
    assert "redis://host:6379/0" in told
    assert "secret" not in told


def test_an_address_may_stand_in_a_variable(tmp_path: Path) -> None:
    environ = {"REDIS_URL": "redis://h:6379/0", "LEASES": "postgresql://u@h/n"}
    for name, url in environ.items():
        found = configured(tmp_path, f'lease_url = "env:{name}"', environ)
        assert found.cluster.lease_url == url
    told = refused(tmp_path, 'lease_url = "env:REDIS_URL"')
    assert "refers to REDIS_URL, which is not set" in told
    assert "do: export REDIS_URL=..." in told


def test_redis_in_the_environment_moves_no_lease_by_itself(tmp_path: Path) -> None:
    environ = {"REDIS_URL": "redis://h:6379/0"}
    assert configured(tmp_path, "", environ).cluster.lease_url == ""
    told = refused(tmp_path, "", {"REDIS_URL": "http://me:secret@h"})
    assert "REDIS_URL in the environment, which is no address of Redis" in told
    assert "secret" not in told


@pytest.mark.parametrize("name", ["two words", "-a", "x" * 65, "a/b"])
def test_a_name_of_a_node_is_one_word(tmp_path: Path, name: str) -> None:
    assert "cluster.node" in refused(tmp_path, f'node = "{name}"')
