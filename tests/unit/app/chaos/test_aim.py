"""Catching a leader that has journaled an order and not heard of it."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

from holdfast.app.chaos.aim import caught_arming
from holdfast.app.chaos.site import Links
from holdfast.domain.order import AttemptState
from tests.support.exchange import on_loop


class Leader:
    """A node, its account and its orders at the first byte, all of which a test makes up.

    Args:
        looks: what each look at journal and line finds: orders journaled, orders sent.
    """

    def __init__(self, *looks: tuple[str, str]) -> None:
        self.links = Links()
        self.replica = SimpleNamespace(told=SimpleNamespace(attempts={}))
        self.recent: deque[Any] = deque()
        self._looks = list(looks)

    async def link(self, links: Links) -> None:
        self.links = links

    async def read(self) -> None:
        armed, sent = self._looks.pop(0) if self._looks else ("", "")
        for cid in armed:
            self.replica.told.attempts[cid] = SimpleNamespace(
                armed=SimpleNamespace(boot_id="other" if cid == "x" else "boot"),
                state=AttemptState.ARMED,
            )
        self.recent.extend(SimpleNamespace(cid=cid) for cid in sent)


async def caught(leader: Any) -> bool:
    return await caught_arming(leader, leader, leader, "boot")


@on_loop
async def test_a_leader_is_caught_when_an_order_is_journaled_and_stays_unsent() -> None:
    leader = Leader(("a", "a"), ("b", ""), ("", "b"), ("c", ""), ("", ""), ("d", "cd"))
    assert await caught(leader)
    assert set(leader.replica.told.attempts) == {"a", "b", "c"}, "it waited for no other"
    assert leader.links.store.holds_down
    assert not leader.links.store.holds_up


@on_loop
async def test_orders_that_have_left_or_are_of_another_process_are_none_that_is_being_armed() -> (
    None
):
    assert not await caught(Leader(("ax", "a")))
