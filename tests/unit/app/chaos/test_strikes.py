"""Which strikes a site can take."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from holdfast.app.chaos.strikes import FAULTS, NOT_HERE, Able, Strike, left_out, possible
from holdfast.errors import ConfigError

ALL = Able(nodes=2, has_store_link=True, has_server=True, has_leases=True)
FAULTY = set(Strike) - {Strike.HANDOVER}


def test_everything_can_be_done_to_two_nodes_on_a_server_of_ours() -> None:
    found = possible("mixed", ALL)
    assert set(found) == FAULTY


def test_a_file_has_no_link_and_a_server_of_others_is_not_crashed() -> None:
    of_file = possible(
        "mixed", Able(nodes=2, has_store_link=False, has_server=False, has_leases=False)
    )
    assert not any(strike.needs_link for strike in of_file)
    assert Strike.EXCHANGE_CUT in of_file
    of_others = possible("mixed", replace(ALL, has_server=False))
    assert FAULTY - set(of_others) == {Strike.STORE_RESTART}


def test_only_leases_in_a_redis_go_with_it() -> None:
    found = possible("mixed", replace(ALL, has_leases=False))
    assert FAULTY - set(found) == {Strike.LEASES_CUT, Strike.LEASES_RESTART}


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"pause", "handover"}))
def test_a_lone_node_is_struck_only_by_what_it_can_come_back_from(fault: str) -> None:
    found = possible(fault, replace(ALL, nodes=1))
    assert found
    assert not any(strike.moves and not strike.ends_processes for strike in found)


@pytest.mark.parametrize("fault", ["pause", "handover"])
def test_what_needs_another_node_is_refused_where_there_is_none(fault: str) -> None:
    with pytest.raises(ConfigError, match=f"--fault {fault}.*needs --nodes 2"):
        possible(fault, replace(ALL, nodes=1))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("nodes", [1, 2])
def test_whether_a_run_can_begin_does_not_hang_on_whose_the_server_is(
    fault: str, nodes: int
) -> None:
    """It is asked before there is a server."""
    found = []
    for has_server in (True, False):
        try:
            found.append(bool(possible(fault, replace(ALL, nodes=nodes, has_server=has_server))))
        except ConfigError:
            found.append(False)
    assert found[0] == found[1]


def test_every_strike_of_any_name_that_is_left_out_is_told_with_what_it_needs() -> None:
    of_file = Able(nodes=2, has_store_link=False, has_server=False, has_leases=False)
    assert left_out("partition", of_file) == (
        "store cut off: needs --store postgres",
        "store hears nothing: needs --store postgres",
        "store answers nothing: needs --store postgres",
        "node cut off: needs --store postgres",
    )
    assert left_out("kill", of_file) == ()
    of_one = left_out("leases", replace(ALL, nodes=1))
    assert of_one == ("Redis cut off: needs --nodes 2",)
    of_others = replace(ALL, has_server=False)
    server = "store restarted: needs a server of the run's own, not that of DATABASE_URL"
    assert left_out("mixed", of_others) == (server, *NOT_HERE)


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
