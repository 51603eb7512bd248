"""Each fault kind on the route of order lists over a node that places them, then lifted.

0 doubled, 0 lost, 0 unresolved, and balances that equal the exchange's exactly.

Real processes; what strikes single orders, and how it is judged, is `test_faults`' own.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.acceptance.test_faults import REQUESTS_AND_REPLIES, STREAMS_AND_STATES
from tests.support.node import BotLine
from tests.support.ordeals import Ordeal, Strike, ordeal_faults
from tests.support.pulse import PRICES
from tests.support.swing import LISTED

OCO = "/api/v3/orderList/oco"
RESTLESS = tuple(
    BotLine(f"restless-{base.lower()}", f"{base}/USDT", "Restless")
    for base, price in PRICES.items()
    if price >= 40
)
OF_STREAMS = {"lag", "streams", "silence"}


def at_lists(ordeal: Ordeal) -> Ordeal:
    """The same, where lists are placed."""
    return msgspec.structs.replace(
        ordeal,
        strikes=tuple(map(_at_lists, ordeal.strikes)),
        bots=RESTLESS,
        strategies=LISTED,
        for_s=max(ordeal.for_s, 6.0),
    )


def _at_lists(strike: Strike) -> Strike:
    places = strike.options.get("method") == "POST"
    return msgspec.structs.replace(strike, path=OCO) if places else strike


def test_faults_of_requests_and_replies_double_no_list_and_lose_none(tmp_path: Path) -> None:
    assert ordeal_faults([at_lists(each) for each in REQUESTS_AND_REPLIES], tmp_path) == ""


def test_faults_of_streams_double_no_list_and_lose_none(tmp_path: Path) -> None:
    of_streams = [each for each in STREAMS_AND_STATES if each.name in OF_STREAMS]
    assert len(of_streams) == len(OF_STREAMS)
    assert ordeal_faults([at_lists(each) for each in of_streams], tmp_path) == ""
