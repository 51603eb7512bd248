"""Who takes part, as a person asks: on a real PostgreSQL, which may be slow to answer."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg

from holdfast.app.live.members import nodes
from holdfast.config import load
from tests.support.postgres import database
from tests.support.waiting import PATIENCE_S

LONGER_THAN_A_LEASE_ALLOWS_S = 0.6  # for one call, in the profile `fast`
MOMENT_S = 0.01


def test_a_store_that_is_slower_than_a_renewal_may_be_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    with database() as url, psycopg.connect(url) as other:
        file.write_text(f'database_url = "{url}"\n[cluster]\nprofile = "fast"\n')
        config = load(file, {})
        assert nodes(config, MOMENT_S) == []  # it makes the tables
        other.execute("LOCK TABLE lease_member IN ACCESS EXCLUSIVE MODE")
        later = threading.Timer(LONGER_THAN_A_LEASE_ALLOWS_S, other.rollback)
        later.start()
        found = nodes(config, MOMENT_S)
        later.join(PATIENCE_S)

    assert found == []
