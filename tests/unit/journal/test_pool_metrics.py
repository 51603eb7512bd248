"""The connections of a real pool, in numbers for Prometheus.

Not here: the pool (test_postgres_pool).
"""

from __future__ import annotations

from holdfast.config.database import DatabasePool
from holdfast.journal.pool_metrics import tell_pool
from holdfast.journal.postgres_pool import Pool
from holdfast.telemetry.meter import Meter
from tests.support.numbers import number
from tests.support.postgres import database


def test_lent_and_idle_connections_and_what_callers_asked_for_are_told() -> None:
    with database() as url:
        pool = Pool(url, DatabasePool(min=1, max=3))
        meter = Meter()
        tell_pool(meter, pool.state)
        with pool.connection():
            assert number(meter, "db_pool_connections", state="in_use") == 1
        assert number(meter, "db_pool_connections", state="in_use") == 0
        assert number(meter, "db_pool_max") == 3
        assert (number(meter, "db_pool_requests_total") or 0) >= 1
        assert number(meter, "db_pool_timeouts_total") == 0
        pool.close()


def test_without_a_pool_there_is_nothing_to_tell() -> None:
    meter = Meter()
    tell_pool(meter, lambda: None)
    assert meter.collected() == {}
