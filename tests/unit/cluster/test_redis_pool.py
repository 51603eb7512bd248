"""Connections to Redis as their address says. Not here: that they are made (integration)."""

from __future__ import annotations

import pytest

from holdfast.cluster.redis_connect import redis_pool


@pytest.mark.parametrize("most", [None, 4])
@pytest.mark.parametrize(("address", "db"), [("redis://here:1/3", 3), ("redis://here", 0)])
def test_the_database_that_the_address_names_wins(address: str, db: int, most: int | None) -> None:
    pool = redis_pool(address, client_name="x", answer_s=1, most=most, db=0)
    assert pool.connection_kwargs["db"] == db
