"""An exchange in a thread, shared by a module's tests, and ccxt in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.exchange.limits import Limits
from tests.support.hosted import Hosted, hosted_exchange

GENEROUS = Limits(
    orders_per_10s=100_000, weight_per_minute=10_000_000, raw_requests_per_5m=10_000_000,
    connections_per_5m=100_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Iterator[Hosted]:
    """One exchange for all tests of a module, with limits out of the way."""
    with hosted_exchange(
        balances={"USDT": "1000000", "BTC": "10", "ETH": "10"}, limits=GENEROUS
    ) as hosted:
        yield hosted


@pytest.fixture
def hosted(shared: Hosted) -> Iterator[Hosted]:
    """The same exchange, left without faults and open orders."""
    yield shared
    shared.admin("DELETE", "faults")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        status, body = shared.signed("DELETE", "/api/v3/openOrders", symbol=symbol)
        assert status == 200 or body["code"] == -2011, body
