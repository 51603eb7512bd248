"""Which address means which lease store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from holdfast.cluster.open import lease_store_at, lease_url_beside
from holdfast.errors import ConfigError
from tests.support.leases import PATIENT, member


def test_leases_of_a_journal_in_a_file_have_a_file_beside_it() -> None:
    assert lease_url_beside("sqlite:///a/journal.db") == "sqlite:///a/journal.db.leases"
    assert lease_url_beside("postgresql://u@h/n") == "postgresql://u@h/n"


def test_two_who_open_the_same_file_share_what_is_in_it(tmp_path: Path) -> None:
    async def run() -> None:
        one, other = (lease_store_at(f"sqlite:///{tmp_path}/x/l", PATIENT) for _ in range(2))
        await one.join(member("a"))
        assert [seen.member.boot_id for seen in (await other.view()).members] == ["a"]
        await one.close()
        await other.close()

    asyncio.run(run())


def test_leases_in_memory_are_of_who_opened_them() -> None:
    async def run() -> None:
        one, other = (lease_store_at("memory", PATIENT) for _ in range(2))
        await one.join(member("a"))
        assert (await other.view()).members == ()

    asyncio.run(run())


@pytest.mark.parametrize(
    "url", ["", "sqlite:///", "sqlite:x", "mysql://me:secret@host/name", "me:secret@host"]
)
def test_another_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.lease_url") as refused:
        lease_store_at(url, PATIENT)
    assert "secret" not in str(refused.value)
