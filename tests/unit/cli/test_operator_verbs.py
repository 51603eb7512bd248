"""The verbs a person looks at an account with, and asks its node with."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.live import emergency
from holdfast.cli import main
from holdfast.config import Config
from holdfast.domain.fact import BotStarted, BotStopped, Halted, HaltLevel, Opened
from holdfast.domain.platform import CommandGiven
from holdfast.journal.commands import Command, SqliteCommands
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.strategy.load import SHIPPED
from tests.support.journal_facts import TAG, acked, armed, decided, filled, flow, listed, taken
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A bot's first order, acknowledged and filled; a second one armed and not yet heard of."""
    path = tmp_path / "journal.db"
    file = SqliteFile(path)
    head = file.acquire("main", "a")
    trade = msgspec.structs.replace(filled("1"), bot="sma")
    facts = (
        Opened(account="main", deployment=TAG, generation=1, reporting="USDT"),
        flow(),
        BotStarted(bot="sma", config_version=1, config="{}", anchor_ns=0),
        BotStarted(
            bot="idle",
            config_version=1,
            config='{"symbols":["ETH/USDT","SOL/USDT"]}',
            anchor_ns=0,
        ),
        BotStopped(bot="idle", reason="ZeroDivisionError: division by zero", failed=True),
        decided(1),
        armed(1),
        acked(1),
        trade,
        armed(2),
    )
    file.commit(head, [Group(facts)], 1_700_000_000_000_000_000)
    file.close()
    return path


def run(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> tuple[int, str]:
    code = main([*words, "--database", f"sqlite:///{path}", "--account", "main"])
    return code, capsys.readouterr().out


def asked(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> Any:
    code, out = run(capsys, path, *words, "--json")
    assert code == 0
    return json.loads(out)


@contextmanager
def leader(path: Path, refused: str = "") -> Iterator[list[Command]]:
    """Takes the first command it sees into the stream, as a node does, and ends; what it took."""
    took: list[Command] = []
    is_over = threading.Event()

    def take() -> None:
        commands, file = SqliteCommands(path), SqliteFile(path)
        head = file.acquire("main", "leader")
        while not (pending := commands.pending("main")) and not is_over.wait(0.01):
            pass
        for command in pending[:1]:
            took.append(command)
            fact = msgspec.structs.replace(taken(command.command_id), refused=refused)
            file.commit(head, [Group((fact,))], 1)
        commands.close()
        file.close()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield took
    finally:
        is_over.set()
        thread.join()


@pytest.mark.parametrize("verb", ["halt", "resume"])
def test_a_halt_of_a_bot_that_is_none_is_no_success(
    capsys: pytest.CaptureFixture[str], path: Path, verb: str
) -> None:
    why = "seen: no bot 'smaa'; expected: one of idle, sma; do: correct the name"
    with leader(path, refused=why):
        code = main([
            verb, "--bot", "smaa", "--database", f"sqlite:///{path}", "--account", "main",
        ])  # fmt: skip
    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert "no bot 'smaa'" in told.err


def test_what_stays_halted_after_a_resume_is_told_with_how_to_resume_it(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    file = SqliteFile(path)
    halts = (Halted(bot="sma", reason="drawdown of 16 %", by="risk", level=HaltLevel.ENTRIES),)
    file.commit(file.acquire("main", "a"), [Group(halts)], 1_700_000_000_000_000_001)
    file.close()
    with leader(path):
        code, out = run(capsys, path, "resume", "--wait", str(PATIENCE_S))
    assert code == 0
    assert "resume main: took effect" in out
    assert (
        "main: bot sma is still halted (drawdown of 16 %); do: holdfast resume --account main "
        "--bot sma\n"
    ) in out
    assert "idle" not in out


EMERGENCY = ("halt", "--level", "flatten", "--emergency", "--account", "main")


def test_an_emergency_that_knows_no_symbols_is_no_success(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*EMERGENCY, "--yes"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "--symbol" in told.err
    assert main(["halt", "--symbol", "BTC/USDT", "--account", "main"]) == 2


def test_an_emergency_names_its_symbols_first_and_says_what_was_not_looked_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def flatten(
        _config: Config, symbols: Collection[str], **more: Any
    ) -> dict[str, Decimal | None]:
        asked.append((*symbols, more["why"]))
        more["tell"]("waits 40 s")
        return {"BTC/USDT": Decimal(0), "GONE/USDT": None}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(emergency, "flatten_without_journal", flatten)
    words = (*EMERGENCY, "--symbol", "GONE/USDT", "--symbol", "BTC/USDT", "--reason", "the fire")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert main([*words]) == 1
    assert "in BTC/USDT, GONE/USDT?" in capsys.readouterr().err
    assert asked == []
    assert main([*words, "--yes"]) == 1
    assert asked == [("BTC/USDT", "GONE/USDT", "the fire")]
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "BTC/USDT: sold", "GONE/USDT: not looked at: the exchange does not list it",
    ]  # fmt: skip
    assert "waits 40 s" in told.err, "whoever waits is told, and not among the results"
    assert main([*words, "--yes", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["left"], answer["flat"]) == ({"BTC/USDT": "0", "GONE/USDT": None}, False)


def test_bots_show_their_state_position_and_the_reason_of_a_failure(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["bot"]: row for row in asked(capsys, path, "bot", "list")["bots"]}
    assert (rows["sma"]["state"], rows["sma"]["positions"]) == ("running", {"BTC/USDT": "0.00999"})
    assert (rows["idle"]["state"], rows["idle"]["reason"]) == (
        "failed",
        "ZeroDivisionError: division by zero",
    )
    _, out = run(capsys, path, "bot", "list")
    failed = "failed (ZeroDivisionError: division by zero), flat, 0 decisions"
    assert f"idle on ETH/USDT, SOL/USDT: {failed}" in out
    assert rows["idle"]["symbols"] == ["ETH/USDT", "SOL/USDT"]


def test_orders_list_what_may_still_matter_and_all_of_them_on_request(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_now = asked(capsys, path, "orders", "list")
    assert [row["cid"] for row in open_now["orders"]] == [armed(2).cid]
    assert open_now["unresolved"] == 1
    both = asked(capsys, path, "orders", "list", "--all")["orders"]
    assert [row["attempt"] for row in both] == ["ACKED", "ARMED"]
    assert [row["executed"] for row in both] == ["0.01", "0"]


def test_the_orders_of_a_list_are_shown_with_it_and_with_where_each_executes(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    above, below = listed(7)
    stop = msgspec.structs.replace(below.spec, price=None, stop_price=Decimal("49000.5"))
    file = SqliteFile(path)
    group = Group((above, msgspec.structs.replace(below, spec=stop)))
    file.commit(file.acquire("main", "b"), [group], 1)
    file.close()
    rows = asked(capsys, path, "orders", "list")["orders"][-2:]
    assert [(row["list"], row["stop_price"]) for row in rows] == [
        (above.list_cid, None), (above.list_cid, "49000.5"),
    ]  # fmt: skip
    code, out = run(capsys, path, "orders", "list")
    assert code == 0
    assert f"at market from 49000.5 on: ARMED, executed 0, of list {above.list_cid}" in out


def test_the_story_of_an_order_is_found_by_the_beginning_of_its_id(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = asked(capsys, path, "orders", "show", armed(1).cid[:16])["records"]
    assert [entry["fact"]["kind"] for entry in story] == ["armed", "attempt", "filled"]
    assert run(capsys, path, "orders", "show", TAG)[0] == 2, "both orders begin with the tag"
    assert run(capsys, path, "orders", "show", "none")[0] == 2


def test_positions_are_exact_and_their_averages_rounded(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = asked(capsys, path, "positions", "list")
    spent = Decimal("0.010") * Decimal("50000.01")
    assert Decimal(told["holdings"]["USDT"]) == 100 - spent
    (position,) = told["positions"]
    assert position["quantity"] == "0.00999"
    assert position["average_price"] == "50050.06006006"
    assert position["fees"] == {"BTC": "0.00001"}


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("halt", "--reason", "maintenance"), {"level": "entries", "reason": "maintenance"}),
        (("halt", "--level", "flatten", "--bot", "sma"), {"level": "flatten", "bot": "sma"}),
        (("resume", "--bot", "sma"), {"bot": "sma"}),
        (("bot", "stop", "sma"), {"bot": "sma"}),
        (("bot", "start", "idle"), {"bot": "idle"}),
        (("bot", "drain", "sma"), {"bot": "sma"}),
    ],
)
def test_a_command_waits_until_the_leader_wrote_it_into_the_stream(
    words: tuple[str, ...],
    arguments: dict[str, str],
    path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with leader(path) as took:
        told = asked(capsys, path, *words, "--wait", str(PATIENCE_S))
    assert told["seq"] == 11
    assert json.loads(took[0].arguments) == arguments
    assert "@" in took[0].by


def test_halting_everything_asks_every_account_and_names_those_that_did_not_take_it(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = SqliteFile(path)
    opened = Opened(account="second", deployment=TAG, generation=1, reporting="USDT")
    file.commit(file.acquire("second", "a"), [Group((opened,))], 1)
    file.close()
    database = ("--database", f"sqlite:///{path}")
    with leader(path) as took:
        assert main(["halt", "--all", "--level", "cancel", "--wait", "0.5", *database]) == 4
        assert [(c.account, c.name) for c in took] == [("main", "halt")]
    told = capsys.readouterr().err
    assert "for account second, while main did" in told
    commands = SqliteCommands(path)
    (left,) = commands.pending("second")
    commands.close()
    assert json.loads(left.arguments) == {"level": "cancel"}
    assert main(["halt", "--all", "--bot", "sma", *database]) == 2


def test_a_command_that_nobody_takes_exits_4_and_stays_asked_for(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, path, "halt", "--wait", "0")[0] == 4
    commands = SqliteCommands(path)
    assert [command.name for command in commands.pending("main")] == ["halt"]
    commands.close()


def test_an_account_tells_what_it_does_and_is_waited_for(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = asked(capsys, path, "account", "status")
    assert (told["led"], told["trades"], told["complete"]) == (False, False, False)
    assert told["bots"] == {"idle": "failed", "sma": "running"}
    assert told["in_doubt"] == [armed(2).cid]
    with SqliteDatabase(path).own("main"):
        assert asked(capsys, path, "account", "status")["trades"] is True
    code, out = run(capsys, path, "account", "wait", "--timeout", "0", "--json")
    assert (code, json.loads(out)) == (1, {"account": "main", "complete": False})


def test_an_unknown_bot_account_or_journal_is_a_usage_error(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, path, "bot", "stop", "nobody")[0] == 2
    assert main(["bot", "list", "--database", f"sqlite:///{path}", "--account", "other"]) == 2
    assert run(capsys, tmp_path / "none.db", "orders", "list")[0] == 2


def test_strategies_show_their_parameters_with_bounds_and_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["strategy", "list", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["strategies"]]
    assert names == sorted(SHIPPED)
    assert main(["strategy", "show", "sma_cross", "--json"]) == 0
    fast = json.loads(capsys.readouterr().out)["parameters"]["fast"]
    assert (fast["type"], fast["minimum"], fast["maximum"], fast["default"]) == (
        "integer", 2, 200, 10,
    )  # fmt: skip
    assert main(["strategy", "show", "nothing"]) == 2


def test_who_asked_is_in_the_platform_s_stream_with_what_was_asked(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, path, "halt", "--reason", "news", "--wait", "0")
    commands = SqliteCommands(path)
    (pending,) = commands.pending("main")
    commands.close()
    with closing(SqliteDatabase(path).platform()) as store:
        (event,) = store.events(0, 9)
    given = event.fact
    assert isinstance(given, CommandGiven)
    assert (given.by, given.command_id) == (f"cli:{pending.by}", pending.command_id)
    assert (given.account, given.name) == ("main", "halt")
    assert json.loads(given.arguments) == json.loads(pending.arguments)
    assert main(["audit", "verify", "--database", f"sqlite:///{path}"]) == 0
    assert "@platform: proved to seq 1" in capsys.readouterr().out
