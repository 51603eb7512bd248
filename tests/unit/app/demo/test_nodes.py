"""What the demo and chaos read of a node from outside."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path

import pytest

from holdfast.app.demo.nodes import NodeLog
from holdfast.errors import FencedError
from holdfast.journal.memory import MemoryStore
from holdfast.journal.writer import JournalWriter
from holdfast.telemetry import log as telemetry
from tests.support.journal_facts import armed


def told(action: str) -> str:
    return f'{{"action":"{action}","event":"x"}}\n'


def test_a_node_is_warm_from_when_it_follows_until_it_ends_or_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    log = NodeLog(path)
    assert log.read() == []
    assert not log.is_warm
    with path.open("a") as file:
        for action, is_warm in (
            ("joined", False), ("following", True), ("taken", True), ("trading", True),
            ("restart", False), ("following", True), ("deposed", True), ("fenced", False),
        ):  # fmt: skip
            file.write(told(action))
            file.flush()
            log.read()
            assert log.is_warm is is_warm, action


def test_a_commit_that_was_refused_is_counted_once_whatever_else_is_said_of_it(
    tmp_path: Path,
) -> None:
    """The lines of one pause, as a node wrote them: the last four tell of the first."""
    path = tmp_path / "node.log"
    log = NodeLog(path)
    stream = io.StringIO()
    on_root = list(logging.getLogger().handlers)
    try:
        telemetry.configure("info", stream=stream)
        _refuse_a_commit()
    finally:
        logging.getLogger().handlers[:] = on_root
    why = (
        "seen: journal of main in epoch 2; expected: 1, before another writer took it over; do: "
        "stop sending, and start again to take part"
    )
    said = "".join(
        json.dumps({"action": action, key: why, "event": "x", "account": "main"}) + "\n"
        for action, key in (
            ("arm_failed", "reason"), ("rested_failed", "why"), ("fenced", "why"),
            ("process_ended", "why"),
        )
    )  # fmt: skip
    path.write_text(stream.getvalue() + said)
    log.read()
    assert log.refused == 1
    log.read()
    assert log.refused == 1


def _refuse_a_commit() -> None:
    """As the journal's writer does it, and says it."""

    async def refuse() -> None:
        store = MemoryStore()
        writer = JournalWriter(store, await store.acquire("main", "a"))
        await store.acquire("main", "b")
        for number in (1, 2):
            with pytest.raises(FencedError):
                await writer.append(armed(number))

    asyncio.run(refuse())


def test_half_a_line_waits_for_its_other_half_and_what_is_no_json_says_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "node.log"
    log = NodeLog(path)
    with path.open("a") as file:
        file.write("Traceback\n" + told("following")[:10])
        file.flush()
        assert log.read() == [b"Traceback\n"]
        assert not log.is_warm
        file.write(told("following")[10:])
        file.flush()
        assert len(log.read()) == 1
        assert log.is_warm


def test_what_an_earlier_run_has_logged_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.write_text(told("trading"))
    log = NodeLog(path)
    assert log.read() == []
    assert not log.is_warm
