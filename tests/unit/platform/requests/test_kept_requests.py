"""A request with a key is done once, in each kind of database."""

from __future__ import annotations

import asyncio
import hashlib
from asyncio import run
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.platform.port import PlatformStore
from holdfast.platform.requests.port import Answer, OtherRequestError, UnderWayError
from holdfast.platform.requests.store import ABANDONED_NS, KEPT_NS, KeptRequests
from tests.support.platform_stores import KINDS, journal

ONE = hashlib.sha256(b"one").digest()
OTHER = hashlib.sha256(b"other").digest()
DONE = Answer(202, b'{"job_id":"j1"}', '"v3"')


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 10**18

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformStore]:
    with journal(request.param, tmp_path) as database:
        database.upgrade()
        made = database.platform()
        yield made
        made.close()


def test_what_was_done_is_told_again_and_not_done(store: PlatformStore) -> None:
    requests = KeptRequests(store)
    assert run(requests.begin("ann", "key-0001", ONE)) is None
    run(requests.finish("ann", "key-0001", DONE))
    assert run(requests.begin("ann", "key-0001", ONE)) == DONE


def test_the_same_key_for_another_request_is_refused(store: PlatformStore) -> None:
    requests = KeptRequests(store)
    run(requests.begin("ann", "key-0001", ONE))
    with pytest.raises(OtherRequestError):
        run(requests.begin("ann", "key-0001", OTHER))
    run(requests.finish("ann", "key-0001", DONE))
    with pytest.raises(OtherRequestError):
        run(requests.begin("ann", "key-0001", OTHER))


def test_keys_are_of_one_owner(store: PlatformStore) -> None:
    requests = KeptRequests(store)
    run(requests.begin("ann", "key-0001", ONE))
    run(requests.finish("ann", "key-0001", DONE))
    assert run(requests.begin("bob", "key-0001", OTHER)) is None


def test_of_many_at_once_one_does_it(store: PlatformStore) -> None:
    requests = KeptRequests(store)

    async def all_at_once() -> list[Answer | BaseException | None]:
        asked = (requests.begin("ann", "key-0001", ONE) for _ in range(12))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = run(all_at_once())
    assert found.count(None) == 1
    assert sum(isinstance(each, UnderWayError) for each in found) == 11


def test_what_was_released_can_be_done(store: PlatformStore) -> None:
    requests = KeptRequests(store)
    run(requests.begin("ann", "key-0001", ONE))
    run(requests.release("ann", "key-0001"))
    assert run(requests.begin("ann", "key-0001", OTHER)) is None


def test_a_claim_of_a_dead_process_is_another_s_after_a_while(store: PlatformStore) -> None:
    clock = Clock()
    requests = KeptRequests(store, clock)
    run(requests.begin("ann", "key-0001", ONE))
    clock.now_ns += ABANDONED_NS
    with pytest.raises(UnderWayError):
        run(requests.begin("ann", "key-0001", ONE))
    clock.now_ns += 1
    assert run(requests.begin("ann", "key-0001", ONE)) is None
    with pytest.raises(UnderWayError):
        run(requests.begin("ann", "key-0001", ONE))


def test_what_is_too_old_is_forgotten(store: PlatformStore) -> None:
    clock = Clock()
    run(KeptRequests(store, clock).begin("ann", "key-0001", ONE))
    clock.now_ns += KEPT_NS + 1
    run(KeptRequests(store, clock).begin("ann", "key-0002", ONE))
    kept = store.look(lambda look: look.rows("SELECT request_key FROM kept_request"))
    assert kept == [("key-0002",)]
