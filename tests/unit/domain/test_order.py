"""The identity of intents and attempts: the same for the same, different for anything else."""

from __future__ import annotations

import re
import uuid
from itertools import combinations
from typing import Any

from holdfast.domain.order import (
    ATTEMPT_MOVES,
    ORDER_MOVES,
    AttemptState,
    IdKind,
    OrderState,
    client_order_id,
    deployment_tag,
    intent_id,
)

GIVEN: dict[str, Any] = {
    "tag": deployment_tag("home"),
    "account": "main",
    "generation": 1,
    "intent_id": intent_id("bot", "1", "BTC/USDT", 0),
    "n": 1,
}


def test_an_intent_s_id_is_a_uuid_of_version_5() -> None:
    """As the standard library makes it, for every digit that the variant can come from."""
    space = uuid.uuid5(uuid.NAMESPACE_DNS, "intents.holdfast")
    for seq in range(100):
        name = f"bot\0001\0BTC/USDT\0{seq}"
        assert intent_id("bot", "1", "BTC/USDT", seq) == str(uuid.uuid5(space, name))


def test_each_part_of_an_intent_s_name_tells_it_from_others() -> None:
    ids = [
        intent_id("bot", "1", "BTC/USDT", 0),
        intent_id("other", "1", "BTC/USDT", 0),
        intent_id("bot", "2", "BTC/USDT", 0),
        intent_id("bot", "1", "ETH/USDT", 0),
        intent_id("bot", "1", "BTC/USDT", 1),
    ]
    assert len(set(ids)) == len(ids)
    assert intent_id("bot", "1", "BTC/USDT", 0) == ids[0]


def test_a_client_order_id_is_tag_kind_and_hash_in_32_hex_digits() -> None:
    cid = client_order_id(**GIVEN)
    assert re.fullmatch(r"[0-9a-f]{8}0[0-9a-f]{23}", cid)
    assert cid == client_order_id(**GIVEN)
    assert client_order_id(**GIVEN, kind=IdKind.CANCEL)[8] == "c"
    assert client_order_id(**GIVEN, kind=IdKind.EMERGENCY)[8] == "e"


def test_every_part_of_an_attempt_s_name_is_in_its_id() -> None:
    others: list[dict[str, Any]] = [
        {},
        {"tag": deployment_tag("office")},
        {"account": "second"},
        {"generation": 2},
        {"intent_id": "x"},
        {"n": 2},
        {"part": 1},
    ]
    ids = [client_order_id(**{**GIVEN, **other}) for other in others]
    assert all(one != other for one, other in combinations(ids, 2))


def test_both_tables_of_states_speak_of_every_state() -> None:
    assert set(ATTEMPT_MOVES) == set(AttemptState)
    assert set(ORDER_MOVES) == set(OrderState)


def test_an_order_that_is_not_open_never_opens_again() -> None:
    for state, moves in ORDER_MOVES.items():
        if not state.is_open:
            assert not [to for to in moves if to.is_open]


def test_only_settled_ends_all() -> None:
    assert [state for state, moves in ORDER_MOVES.items() if not moves] == [OrderState.SETTLED]
