"""Whose key it is, asked of a local exchange: not to know is no reason to take any.

Not here: a key that is replaced while a node trades (tests/acceptance/test_key_rotation).
"""

from __future__ import annotations

import asyncio

import pytest

from holdfast.app.live import keys
from holdfast.app.live.keys import KeyKeeper, Look
from holdfast.errors import ConfigError, RejectedError, RetryableError
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.secrets import Stage
from holdfast.venues.binance.signing import Key
from holdfast.venues.port import Purpose
from tests.integration.venues.test_binance_venue import trading
from tests.support.exchange import on_loop, open_account
from tests.support.waiting import until

OWNER = Match(path="/api/v3/account")


@on_loop
async def test_nothing_begins_before_it_is_known_whose_key_it_is() -> None:
    async with trading() as (venue, running, _):
        keeper = KeyKeeper("main", venue, lambda _: venue.key, lambda: None)
        running.desk.gateway.faults.add(Fault(FaultKind.HTTP_STATUS, OWNER, params={"status": 503}))
        with pytest.raises(RetryableError):
            await keeper.begin()
        running.desk.gateway.faults.clear()
        await keeper.begin()
        assert await keeper.owner()


@on_loop
async def test_a_refusal_is_known_until_the_same_key_is_taken_again() -> None:
    async with trading() as (venue, running, _):
        keeper = KeyKeeper("main", venue, lambda _: venue.key, lambda: None)
        await keeper.begin()
        assert keeper.is_taken
        looking = asyncio.create_task(keeper.run())
        running.desk.admin.inject(Fault(FaultKind.REVOKE_KEY))
        with pytest.raises(RejectedError):
            await venue.balances(Purpose.READ)
        await until(lambda: not keeper.is_taken, "the refusal")
        running.desk.gateway.incidents.end_all()
        await until(lambda: keeper.is_taken, "the key to be taken again")
        looking.cancel()


@on_loop
async def test_a_key_that_only_reads_is_looked_for_less_and_less_often_and_counts_as_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each order is refused, each question is answered: nobody may use up the limits by asking."""
    monkeypatch.setattr(keys, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(keys, "LAST_PAUSE_S", 5.0)
    async with trading() as (venue, _, _):
        looked = list[Stage]()

        def fetch(stage: Stage) -> Key:
            looked.append(stage)
            return venue.key

        keeper = KeyKeeper("main", venue, fetch, lambda: None)
        await keeper.begin()
        looking = asyncio.create_task(keeper.run())
        until_s = asyncio.get_running_loop().time() + 1.0
        while asyncio.get_running_loop().time() < until_s:
            venue.on_key_refused()
            await asyncio.sleep(0.005)
        assert 2 <= len(looked) / len(Stage) <= 8, "the pauses double"
        assert not keeper.is_taken
        looking.cancel()


@on_loop
async def test_a_key_that_is_refused_at_the_start_is_known_to_be() -> None:
    async with trading() as (venue, _, _):
        kept = venue.key
        venue.use(Key("nobodys-key", "nobodys-secret"))
        found = [venue.key]
        keeper = KeyKeeper("main", venue, lambda _: found[-1], lambda: None)
        await keeper.begin()
        looking = asyncio.create_task(keeper.run())
        assert not keeper.is_taken
        found.append(kept)
        await until(lambda: keeper.is_taken, "the other key")
        assert venue.key.is_same(kept)
        looking.cancel()


@on_loop
async def test_another_accounts_key_is_never_used() -> None:
    async with trading() as (venue, running, _):
        other = open_account(running, {"USDT": "1"})
        kept, tried = venue.key, list[Stage]()

        def fetch(stage: Stage) -> Key:
            tried.append(stage)
            return Key(other.api_key, other.secret)

        keeper = KeyKeeper("main", venue, fetch, lambda: None)
        await keeper.begin()
        assert await keeper.look() is Look.NONE
        assert tried == list(Stage)
        assert venue.key.is_same(kept)


@on_loop
async def test_a_key_is_used_only_for_the_account_that_the_journal_has() -> None:
    async with trading() as (venue, _, _):
        keeper = KeyKeeper("main", venue, lambda _: venue.key, lambda: None)
        await keeper.begin()
        uid = await keeper.owner()

        again = KeyKeeper("main", venue, lambda _: venue.key, lambda: None, uid)
        await again.begin()
        assert await again.owner() == uid
        again.require(uid)
        with pytest.raises(ConfigError, match=f"belongs to {uid} at the exchange; expected: 77,"):
            again.require("77")  # another node took the account over first, with its own key

        foreign = KeyKeeper("main", venue, lambda _: venue.key, lambda: None, "77")
        with pytest.raises(ConfigError, match=f"belongs to {uid} at the exchange; expected: 77,"):
            await foreign.begin()
        with pytest.raises(ConfigError, match="expected: 77,"):
            await foreign.owner()


@on_loop
async def test_a_key_that_was_refused_at_the_start_is_compared_with_the_journal_too() -> None:
    async with trading() as (venue, running, _):
        kept, other = venue.key, open_account(running, {"USDT": "1"})
        venue.use(Key("nobodys-key", "nobodys-secret"))
        found = [Key(other.api_key, other.secret)]
        keeper = KeyKeeper("main", venue, lambda _: found[-1], lambda: None, uid="1")
        await keeper.begin()
        with pytest.raises(ConfigError, match="refuses this key"):
            await keeper.owner()
        found.append(kept)
        assert await keeper.look() is Look.REPLACED
        assert await keeper.owner() == "1"


@on_loop
async def test_who_begins_while_every_version_is_refused_waits_for_one_that_is_taken() -> None:
    """The former key was deleted before the new one was written; the journal knows the account."""
    async with trading() as (venue, _, _):
        kept = venue.key
        venue.use(Key("nobodys-key", "nobodys-secret"))
        found = [venue.key]
        keeper = KeyKeeper("main", venue, lambda _: found[-1], lambda: None, uid="1")
        await keeper.begin()
        assert keeper.is_awaited
        looking = asyncio.create_task(keeper.run())
        found.append(kept)
        await until(lambda: not keeper.is_awaited, "the other key")
        assert await keeper.owner() == "1"
        looking.cancel()


@on_loop
async def test_nobody_waits_for_another_key_of_an_account_that_was_never_led() -> None:
    async with trading() as (venue, _, _):
        venue.use(Key("nobodys-key", "nobodys-secret"))
        keeper = KeyKeeper("main", venue, lambda _: venue.key, lambda: None)
        await keeper.begin()
        assert not keeper.is_awaited
        with pytest.raises(ConfigError, match="refuses this key"):
            await keeper.owner()


@on_loop
async def test_who_follows_learns_of_a_refusal_and_who_leads_waits_until_all_have() -> None:
    async with trading() as (venue, _, _):
        keeper = KeyKeeper("main", venue, lambda _: venue.key, lambda: None)
        await keeper.begin()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "ASK_S", 0.05)
            asking = asyncio.create_task(keeper.run())
            await asyncio.sleep(0.2)
            assert keeper.serves(leads=False)
            venue.use(Key("nobodys-key", "nobodys-secret"))
            await until(lambda: not keeper.serves(leads=False), "it has asked")
            assert keeper.serves(leads=True)
            patch.setattr(keys, "ALL_KNOW_S", 0.0)
            assert not keeper.serves(leads=True)
            asking.cancel()
