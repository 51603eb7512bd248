"""Which strikes a site can take."""

from __future__ import annotations

import pytest

from holdfast.app.chaos.strikes import FAULTS, Strike, possible

FAULTY = set(Strike) - {Strike.HANDOVER}


def test_everything_can_be_done_to_two_nodes_on_a_server_of_ours() -> None:
    found = possible("mixed", nodes=2, has_store_link=True, has_server=True, has_leases=True)
    assert set(found) == FAULTY


def test_a_file_has_no_link_and_a_server_of_others_is_not_crashed() -> None:
    of_file = possible("mixed", nodes=2, has_store_link=False, has_server=False, has_leases=False)
    assert not any(strike.needs_link for strike in of_file)
    assert Strike.EXCHANGE_CUT in of_file
    of_others = possible("mixed", nodes=2, has_store_link=True, has_server=False, has_leases=True)
    assert FAULTY - set(of_others) == {Strike.STORE_RESTART}


def test_only_leases_in_a_redis_go_with_it() -> None:
    found = possible("mixed", nodes=2, has_store_link=True, has_server=True, has_leases=False)
    assert FAULTY - set(found) == {Strike.LEASES_CUT, Strike.LEASES_RESTART}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lone_node_is_struck_only_by_what_it_can_come_back_from(fault: str) -> None:
    found = possible(fault, nodes=1, has_store_link=True, has_server=True, has_leases=True)
    assert not any(strike.moves and not strike.ends_processes for strike in found)


@pytest.mark.parametrize(
    ("strike", "is_hit", "explained"),
    [
        (Strike.KILL, True, 1), (Strike.KILL, False, 0), (Strike.STORE_SLOW, True, 1),
        (Strike.CLOCK_AHEAD, True, 0), (Strike.EXCHANGE_RESET, True, 0),
        (Strike.STORE_RESTART, False, 3), (Strike.LEASES_RESTART, True, 3),
    ],
)  # fmt: skip
def test_a_strike_explains_one_change_of_the_leader_that_it_hit_and_some_explain_none(
    strike: Strike, is_hit: bool, explained: int
) -> None:
    assert strike.explained(3, is_hit=is_hit) == explained
