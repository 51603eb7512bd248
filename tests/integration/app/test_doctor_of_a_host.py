"""The doctor at real files, ports and servers: what is well, what is not, and what does not answer.

Not here: the exchange's side (test_doctor).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import psycopg
import pytest

from holdfast import __version__
from holdfast.app.doctor import Finding, Grade, examine, exit_code
from holdfast.app.doctor.account import judged as judged_account
from holdfast.app.doctor.account import without_price
from holdfast.app.doctor.cluster import cluster, redis
from holdfast.app.doctor.cluster import judged as judged_nodes
from holdfast.app.doctor.secrets import secrets
from holdfast.app.doctor.store import store
from holdfast.app.live.members import Node
from holdfast.app.metrics_port import Pages, serving
from holdfast.cli import main
from holdfast.cluster.open import lease_store_at, lease_url_beside
from holdfast.cluster.timing import Timing
from holdfast.config import Account, Bot, Cluster, Config, WrittenLimits
from holdfast.config.api import ApiSettings
from holdfast.domain.fact import AnyFact, AttemptMoved, CashFlow, Halted
from holdfast.domain.guard import HaltLevel
from holdfast.domain.order import AttemptState, Side
from holdfast.journal.database import SqliteDatabase
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.operations.doctor import host
from tests.support.demo_world import armed, cid, decided, opening
from tests.support.leases import PATIENT, member
from tests.support.postgres import database
from tests.support.redis import RedisServer, redis_url
from tests.support.waiting import PATIENCE_S


def by_check(found: Iterable[Finding]) -> dict[str, Finding]:
    return {one.check: one for one in found}


def grades(found: Iterable[Finding]) -> dict[str, str]:
    return {one.check: one.grade.value for one in found}


@pytest.mark.parametrize(
    ("total", "free", "grade"),
    [
        (100 << 30, 50 << 30, Grade.OK),
        (100 << 30, host.FEW_BYTES, Grade.WARN),
        (40 << 40, 1 << 40, Grade.WARN),
        (100 << 30, host.LEAST_BYTES - 1, Grade.FAIL),
        (0, 0, Grade.FAIL),
    ],
)
def test_a_disk_is_judged_by_what_is_left_of_it(total: int, free: int, grade: Grade) -> None:
    found = host.disk("disk", total, total - free, free)
    assert found.grade is grade
    assert bool(found.do) is (grade is not Grade.OK)


def test_a_port_that_something_else_has_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        taken = host.port("port api", "127.0.0.1", number, "another with PORT")
    assert taken.grade is Grade.WARN
    assert "cannot be had" in taken.seen
    assert host.port("port api", "127.0.0.1", number, "").grade is Grade.OK


def test_the_port_of_a_node_that_runs_is_told_apart_from_what_something_else_has() -> None:
    pages = Pages(metrics=lambda _accept: (b"", "text/plain"), is_ready=lambda: False)
    with serving(0, pages) as number:
        taken = host.port("port metrics", "127.0.0.1", number, "another with METRICS_PORT")
    assert (taken.grade, taken.do) == (Grade.OK, "")
    assert taken.seen == f"holdfast listens at 127.0.0.1:{number}"


@pytest.mark.parametrize(
    ("profile", "longest_s", "grade"),
    [
        ("fast", 0.02, "ok"), ("fast", 0.2, "warn"),
        ("standard", 0.2, "ok"), ("standard", 0.6, "warn"),
    ],
)
def test_a_host_that_holds_processes_up_is_judged_by_the_times_of_the_leases(
    profile: str, longest_s: float, grade: str
) -> None:
    config = Config(cluster=Cluster(profile=profile))
    (found,) = host.pauses(config, lambda _watch_s: longest_s)
    assert (found.check, found.grade.value) == ("pauses", grade)
    assert f"{longest_s * 1e3:.0f} ms" in found.seen
    assert ("profile standard" in found.do) is ((profile, grade) == ("fast", "warn"))


def test_secrets_that_others_may_read_that_are_old_or_that_lead_nowhere_are_told(
    tmp_path: Path,
) -> None:
    key, secret = tmp_path / "key", tmp_path / "secret"
    for file in (key, secret):
        file.write_text(f"the-value-itself-of-{file.name}")
        file.chmod(0o600)
    config = Config(account=Account(api_key=f"file:{key}", api_secret=f"file:{secret}"))
    assert grades(secrets(config, {})) == {"secrets": "ok"}
    key.chmod(0o644)
    os.utime(key, (time.time() - 100 * 86_400,) * 2)
    secret.unlink()
    exposed, old, nowhere = secrets(config, {})
    assert {one.grade for one in (exposed, old, nowhere)} == {Grade.WARN}
    assert (exposed.check, exposed.do) == ("secret account.api_key", f"chmod 600 {key}")
    assert old.seen == "100 days old"
    assert nowhere.check == "secret account.api_secret"
    assert nowhere.do
    assert "the-value-itself" not in repr((exposed, old, nowhere))


def test_variables_without_effect_and_those_with_a_name_nearly_known_are_told() -> None:
    environ = {"NODE_ENV": "production", "DATABSE_URL": "x", "HOLDFAST_REDIS_URL": "x", "HOME": "/"}
    _, *found = host.configuration(Config(), environ)
    assert [one.seen for one in found] == [
        "NODE_ENV is set and has no effect", "DATABSE_URL is set, which nothing reads",
        "HOLDFAST_REDIS_URL is set, which nothing reads",
    ]  # fmt: skip
    # A name that the configuration itself refers to is known, however it looks.
    own = {"BINANCE_API_KEY2": "x"}
    assert len(list(host.configuration(Config(), own))) == 2
    assert len(list(host.configuration(Config(), own, ("BINANCE_API_KEY2",)))) == 1


def test_a_postgres_server_is_looked_over(tmp_path: Path) -> None:
    with database() as url:
        config = Config(database_url=url, state_dir=str(tmp_path))
        found = by_check(store(config))
        assert grades(found.values()) == {
            "store": "ok", "durability": "ok", "connections": "ok", "clock store": "ok",
            "schema": "ok",
        }  # fmt: skip
        assert "PostgreSQL" in found["store"].seen
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())
            try:
                lossy = by_check(store(config))["durability"]
                accepted = msgspec.structs.replace(config, may_lose_commits=True)
                assert (lossy.grade, "ALTER ROLE" in lossy.do) == (Grade.FAIL, True)
                assert by_check(store(accepted))["durability"].grade is Grade.WARN
            finally:
                connection.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit'.encode())


def test_a_database_that_older_programs_may_still_use_is_told(tmp_path: Path) -> None:
    with database() as url:
        config = Config(database_url=url, state_dir=str(tmp_path))
        with psycopg.connect(url, autocommit=True) as connection:
            (final,) = connection.execute("SELECT oldest FROM compatibility").fetchone() or ("",)
            connection.execute("UPDATE compatibility SET oldest = '0001'")
            try:
                found = by_check(store(config))["schema"]
            finally:
                connection.execute("UPDATE compatibility SET oldest = %s", (final,))
    assert found.grade is Grade.WARN
    assert "holdfast db finalize" in found.do


def test_nobody_at_the_databases_address_is_exit_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert main(["doctor", "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    failing = [one for one in told["checks"] if one["grade"] == "fail"]
    assert {"store", "leases", "journal"} == {one["check"] for one in failing}
    assert all(one["do"] for one in failing)


def test_redis_is_asked_once_per_server_and_its_absence_judged_by_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_REDIS", redis_url())
    alone = Config(api=ApiSettings(redis_url="env:SOME_REDIS"))
    (found,) = redis(alone)
    assert (found.check, found.grade) == ("redis rates and cache", Grade.OK)
    server = RedisServer()
    server.stop()
    monkeypatch.setenv("SOME_REDIS", server.url)
    (gone,) = redis(alone)
    assert (gone.grade, "trading goes on" in gone.seen) == (Grade.WARN, True)
    leases = msgspec.structs.replace(alone, cluster=Cluster(lease_url=server.url))
    (needed,) = redis(leases)
    assert (needed.check, needed.grade) == ("redis leases, rates and cache", Grade.FAIL)
    assert exit_code([needed]) == 4
    monkeypatch.delenv("SOME_REDIS")
    assert grades(redis(alone)) == {"redis": "skip"}


def node(name: str, *leads: str, is_live: bool = True, version: str = __version__) -> Node:
    return Node(name, f"boot-{name}", 1, version, is_live, leads)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], {"nodes": "skip"}),
        ([node("a", "main"), node("b")], {"nodes": "ok"}),
        ([node("a", "main")], {"nodes": "warn"}),
        ([node("a", "main"), node("b", is_live=False)], {"stale nodes": "warn", "nodes": "warn"}),
        ([node("a"), node("b")], {"leader": "fail", "nodes": "ok"}),
        (
            [node("a", "main"), node("b", version="0.0.1")],
            {"nodes": "ok", "node versions": "warn"},
        ),
    ],
)
def test_nodes_are_judged_by_who_lives_and_leads(
    members: list[Node], expected: dict[str, str]
) -> None:
    found = list(judged_nodes(members, ["main"]))
    assert grades(found) == expected
    assert all(one.do for one in found if one.grade in {Grade.WARN, Grade.FAIL})


@contextmanager
def renewing(config: Config, *names: str) -> Iterator[None]:
    """Members with these names renew in the file beside the journal; the first leads `main`."""
    entered, done = threading.Event(), threading.Event()

    async def renew() -> None:
        leases = lease_store_at(lease_url_beside(config.database_url), PATIENT)
        for name in names:
            await leases.join(msgspec.structs.replace(member(name), version=__version__))
        (claim,) = (await leases.view()).claims
        await leases.take(names[0], [claim], None)
        entered.set()
        while not done.is_set():
            for name in names:
                await leases.renew(name)
            await asyncio.sleep(0.005)
        await leases.close()

    thread = threading.Thread(target=asyncio.run, args=(renew(),))
    thread.start()
    try:
        assert entered.wait(PATIENCE_S)
        yield
    finally:
        done.set()
        thread.join()


def test_nodes_with_leases_in_a_file_are_looked_at_and_judged(tmp_path: Path) -> None:
    """The file's name has the boot of the machine in it, so nobody else should put it together."""
    times = Timing(renew_s=0.2, ttl_s=4.0, call_s=1.0)
    config = Config(
        database_url=f"sqlite:///{tmp_path}/journal.db", cluster=Cluster(times=times)
    )
    assert grades(cluster(config)) == {"nodes": "skip"}
    assert not list(tmp_path.iterdir()), "it left something behind"
    with renewing(config, "left", "right"):
        found = by_check(cluster(config))
    assert grades(found.values()) == {"leases": "ok", "nodes": "ok"}
    assert found["nodes"].seen == "left leads main, right leads nothing"
    dead = by_check(cluster(config))
    assert grades(dead.values()) == {"leases": "ok", "stale nodes": "warn", "nodes": "skip"}
    assert dead["stale nodes"].seen.startswith("left, right: ")


def folded(*facts: AnyFact) -> AccountState:
    state = AccountState("main")
    for seq, fact in enumerate([*opening(), *facts], 1):
        apply(state, seq, 1, seq, fact)
    return state


@pytest.mark.parametrize(("age_s", "grade"), [(5, Grade.WARN), (600, Grade.FAIL)])
def test_an_order_in_doubt_is_told_with_its_age(age_s: int, grade: Grade) -> None:
    now_s = 1_700_000_000.0
    sent = msgspec.structs.replace(
        armed(1, Side.BUY, "0.3"), timestamp_ms=int((now_s - age_s) * 1000)
    )
    state = folded(decided(1), sent, AttemptMoved(cid=cid(1), state=AttemptState.IN_DOUBT))
    found = by_check(judged_account(state, now_s, led=True))
    assert found["doubts"].grade is grade
    assert f"1 orders in doubt, the oldest for {age_s:,} s" in found["doubts"].seen
    assert found["halt"].grade is Grade.OK


def test_a_halt_is_told_with_its_reason() -> None:
    state = folded(Halted(reason="drawdown of 16 %", by="limits", level=HaltLevel.CANCEL))
    found = by_check(judged_account(state, 0.0, led=True))["halt"]
    assert (found.grade, "drawdown of 16 %" in found.seen) == (Grade.WARN, True)
    assert "holdfast resume" in found.do


def test_what_has_no_price_is_told_where_limits_on_losses_wait_for_it() -> None:
    """As who pays fees in BNB would find out by a bot that never buys."""
    came = CashFlow(
        asset="BNB", amount=Decimal("0.4"), reason="deposit", evidence="", at_ns=0
    )  # fmt: skip
    state = folded(came)
    limits = WrittenLimits(max_daily_loss=Decimal(9))
    bots = (Bot(name="b", strategy="sma_cross", symbols=("BTC/USDT",), limits=limits),)
    (found,) = without_price(Config(bots=bots), state)
    assert found.grade is Grade.WARN
    assert "holds BNB" in found.seen
    assert "BNB/USDT" in found.do
    priced = msgspec.structs.replace(bots[0], symbols=("BTC/USDT", "BNB/USDT"))
    assert not list(without_price(Config(bots=(priced,)), state))
    assert not list(without_price(Config(bots=bots), folded()))
    unlimited = msgspec.structs.replace(bots[0], limits=WrittenLimits())
    assert not list(without_price(Config(bots=(unlimited,)), state))


def test_a_file_that_is_there_is_looked_over_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    SqliteDatabase(path).upgrade()
    before = path.read_bytes()
    config = Config(database_url=f"sqlite:///{path}", state_dir=str(tmp_path))
    found = by_check(examine(config))
    assert (found["store"].grade, found["schema"].grade) == (Grade.OK, Grade.OK)
    assert (found["journal"].grade, found["journal"].account) == (Grade.SKIP, "main")
    assert path.read_bytes() == before


