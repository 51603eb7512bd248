"""The doctor against an exchange's protocol: what it refuses, what it warns of, what is well.

Not here: the same of a host, its database and its nodes (test_doctor_of_a_host).
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.doctor import Finding, Grade
from holdfast.app.doctor.exchange import exchange
from holdfast.cli import main
from holdfast.config import Account, Bot, Config, ReconcilePolicy, Venue
from holdfast.exchange.faults import Fault, FaultKind
from holdfast.exchange.server import Running
from holdfast.venues.binance.inspection import Rates
from tests.support.exchange import Client, local_exchange

BOUND = {"ipRestrict": True}


def config(running: Running, folder: Path, **account: Any) -> Config:
    venue = Venue(
        rest_url=running.url, stream_url=running.stream_url, ws_api_url=running.ws_api_url
    )
    bot = Bot(name="one", strategy="sma_cross", symbols=("BTC/USDT",))
    return Config(
        database_url=f"sqlite:///{folder}/journal.db",
        state_dir=str(folder),
        account=Account(venue=venue, **account),
        bots=(bot,),
    )


def examined(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    permissions: dict[str, bool] | None = None,
    before: Any = None,
    uid: str = "",
    **account: Any,
) -> dict[str, Finding]:
    """What is found, by check."""

    async def scenario() -> list[Finding]:
        async with local_exchange() as (running, client):
            monkeypatch.setenv("BINANCE_API_KEY", client.api_key)
            monkeypatch.setenv("BINANCE_API_SECRET", client.secret)
            owner = running.desk.exchange.accounts[client.api_key]
            owner.permissions = BOUND if permissions is None else permissions
            if before is not None:
                await before(running, client)
            return await exchange(config(running, folder, **account), uid)

    return {found.check: found for found in asyncio.run(scenario())}


def test_an_account_that_is_well_passes_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = examined(tmp_path, monkeypatch)
    assert {check: one.grade for check, one in found.items()} == dict.fromkeys(
        ("clock", "key", "symbols", "rates BTC/USDT", "orders BTC/USDT", "balances",
         "dead man switch"), Grade.OK,
    )  # fmt: skip
    assert found["rates BTC/USDT"].seen.startswith("maker 0.00100000, taker 0.00100000")
    assert "none" in found["dead man switch"].seen


@pytest.mark.parametrize(("asset", "grade"), [("BTC", Grade.WARN), ("BNB", Grade.OK)])
def test_a_bot_that_trades_what_its_account_pays_fees_with_is_warned_of(
    asset: str, grade: Grade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rates(*_: object) -> Rates:
        return Rates("0.001", "0.001", asset)

    monkeypatch.setattr(sys.modules["holdfast.app.doctor.exchange"], "rates", rates)
    found = examined(tmp_path, monkeypatch)["rates BTC/USDT"]
    assert found.grade is grade
    assert asset in found.seen


@pytest.mark.parametrize(
    ("permissions", "grade", "words"),
    [
        ({**BOUND, "enableWithdrawals": True}, Grade.FAIL, "can withdraw"),
        ({**BOUND, "enableSpotAndMarginTrading": False}, Grade.FAIL, "enableSpotAndMarginTrading"),
        ({**BOUND, "enableFutures": True}, Grade.WARN, "enableFutures"),
        ({}, Grade.WARN, "from every address"),
    ],
)
def test_a_key_that_can_do_too_much_or_too_little_is_told(
    permissions: dict[str, bool],
    grade: Grade,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = examined(tmp_path, monkeypatch, permissions=permissions)["key"]
    assert key.grade is grade
    assert words in key.seen
    assert key.do


@pytest.mark.parametrize(("uid", "grade"), [("1", Grade.OK), ("77", Grade.FAIL)])
def test_the_key_of_another_account_than_the_journal_s_is_told_before_a_node_refuses_it(
    uid: str, grade: Grade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = examined(tmp_path, monkeypatch, uid=uid)["owner"]
    assert owner.grade is grade
    assert ("the journal of 77" in owner.seen) == (uid == "77")


@pytest.mark.parametrize(
    ("policy", "grade"), [(ReconcilePolicy.HALT, Grade.FAIL), (ReconcilePolicy.ADOPT, Grade.WARN)]
)
def test_open_orders_of_something_else_are_told(
    policy: ReconcilePolicy, grade: Grade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def by_hand(_running: Running, client: Client) -> None:
        status, _ = await client.order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
            price="50000",
        )  # fmt: skip
        assert status == 200

    found = examined(tmp_path, monkeypatch, before=by_hand, reconcile=policy)
    assert found["orders BTC/USDT"].grade is grade
    assert "1 open orders that are not ours" in found["orders BTC/USDT"].seen


def test_a_halted_symbol_and_a_revoked_key_fail_and_the_other_checks_are_still_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def strike(running: Running, _client: Client) -> None:
        running.desk.admin.inject(Fault(FaultKind.HALT_SYMBOL, params={"symbol": "BTCUSDT"}))
        running.desk.admin.inject(Fault(FaultKind.REVOKE_KEY))

    found = examined(tmp_path, monkeypatch, before=strike)
    assert found["symbols"].grade is Grade.FAIL
    assert found["key"].grade is Grade.FAIL
    assert "-2015" in found["key"].seen
    assert found["clock"].grade is Grade.OK


def test_clocks_that_are_apart_are_told_with_the_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def strike(running: Running, _client: Client) -> None:
        running.desk.admin.inject(Fault(FaultKind.CLOCK_OFFSET, params={"ms": 60_000}))

    clock = examined(tmp_path, monkeypatch, before=strike)["clock"]
    assert clock.grade is Grade.WARN
    assert clock.seen.startswith(("-60", "-59"))
    assert "time service" in clock.do


def test_an_exchange_that_does_not_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINANCE_API_KEY", "key")
    monkeypatch.setenv("BINANCE_API_SECRET", "secret")
    nobody = "127.0.0.1:1"
    venue = Venue(
        rest_url=f"http://{nobody}", stream_url=f"ws://{nobody}", ws_api_url=f"ws://{nobody}"
    )
    found = asyncio.run(exchange(Config(state_dir=str(tmp_path), account=Account(venue=venue))))
    assert [(one.check, one.grade) for one in found] == [
        ("clock", Grade.FAIL), ("exchange", Grade.SKIP),
    ]  # fmt: skip
    assert found[0].is_unreachable


def test_the_verb_exits_1_when_something_fails_and_needs_no_exchange_without_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BINANCE_API_KEY", raising=False)
    monkeypatch.delenv("BINANCE_API_SECRET", raising=False)
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["account"]) == (True, "main")
    assert {"secret account.api_key", "journal"} <= {one["check"] for one in told["checks"]}
    assert not list(tmp_path.iterdir()), "it left something behind"
    assert main(["doctor", "--live", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    failing = [(one["check"], one["account"]) for one in told["checks"] if one["grade"] == "fail"]
    assert failing == [("key", "main")]
    assert main(["doctor", "--account", "nobody"]) == 2
