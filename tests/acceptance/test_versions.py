"""A release that is rolled out node by node: the version before and this one, on one journal.

The version before is the newest commit of its schema, run from its own source by real processes.
Not here: which statement allows what (tests/unit/journal/test_versions).
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.domain.fact import Armed, TookOver
from holdfast.journal.record import FORMAT
from tests.support.node import ACCOUNT, BotLine, Node, until_node
from tests.support.scene import Scene, scene
from tests.support.waiting import PATIENCE_S

BEFORE = "692fe706492bc738e6fe3b83de0fe6cd0696c55c"
REPOSITORY = Path(__file__).parents[2]
BTC = BotLine("quoter", "BTC/USDT", "Quoter")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which `python -m holdfast` is the version before."""
    archive = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", BEFORE, "src"], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"the version before is in no history here: {archive.stderr.decode()[:200]}")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as source:
        source.extractall(folder)
    return {"PYTHONPATH": str(folder / "src")}


async def said(node: Node, *words: str, code: int = 0, environ: dict[str, str]) -> Any:
    """What a verb answers; of a refusal, its text."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", *words, "--json", cwd=node.folder,
        env={**os.environ, **node.secrets(), **environ},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == code, (out, err)
    return msgspec.json.decode(out) if code == 0 else err.decode()


async def trades(node: Node, by: Node) -> None:
    """Return when the leader has armed more than there was."""
    seq = node.state().seq

    def more() -> bool:
        return any(isinstance(record.fact, Armed) for record in node.records()[seq:])

    await until_node(by, more, "orders")


async def journal_of(at: Scene, before: dict[str, str]) -> tuple[Node, Node]:
    """A node of the version before that trades, and one of this version that does not run yet."""
    old = at.node((BTC,))
    old.journal.unlink()
    await said(old, "db", "upgrade", environ=before)
    await old.start(environ=before)
    await trades(old, old)
    new = old.sibling("new")
    at.nodes.append(new)
    return old, new


def test_a_release_is_rolled_out_under_trading_and_back_and_forth_until_it_is_final(
    tmp_path: Path, before: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            old, new = await journal_of(at, before)
            done = await said(old, "db", "upgrade", environ={})
            assert (done["before"], done["after"]) == ("0001", "0002")
            await trades(old, old)  # the version before goes on over the tables of this one
            await new.start()
            await until_node(new, lambda: "following" in new.said(), "a standby")

            await old.kill_all()  # this version goes on, and writes what the one before reads
            await trades(new, new)
            assert {record.v for record in new.records()} == {1}
            told = await said(
                new, "bot", "configure", "quoter", "--param", "quantity=0.5", "--account", ACCOUNT,
                code=2, environ={},
            )  # fmt: skip
            assert "holdfast db finalize" in told

            again = old.sibling("again")
            at.nodes.append(again)
            await again.start(environ=before)
            await until_node(again, lambda: "following" in again.said(), "a standby")
            told = await said(new, "db", "finalize", code=2, environ={})
            assert "(0.1.0)" in told
            assert "only nodes of" in told
            told = await said(new, "db", "downgrade", code=2, environ={})
            assert "no node of" in told
            await new.kill_all()  # and back
            await trades(new, again)

            await new.start()
            await until_node(new, lambda: new.said().count('"following"') > 1, "a standby")
            await again.kill_all()
            await trades(new, new)
            done = await said(new, "db", "finalize", environ={})
            assert done == {"current": "0002", "oldest": "0002", "writes_format": FORMAT}
            await new.kill_all()
            await new.start()
            await trades(new, new)
            assert {r.v for r in new.records() if isinstance(r.fact, TookOver)} == {1, FORMAT}
            done = await said(
                new, "bot", "configure", "quoter", "--param", "quantity=0.5", "--account", ACCOUNT,
                "--wait", "60", environ={},
            )  # fmt: skip
            assert done["anew"]

            late = old.sibling("late")
            at.nodes.append(late)
            await late.start(environ=before)
            assert await late.ended() == 2, "it would not understand what is written now"
            assert "start the newer version" in late.said()
            judgement = await at.ended_well(new)
            assert judgement.faults == []

    asyncio.run(scenario())


def test_a_release_that_is_not_final_can_be_taken_back(
    tmp_path: Path, before: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            old, _new = await journal_of(at, before)
            await said(old, "db", "upgrade", environ={})
            await trades(old, old)
            done = await said(old, "db", "downgrade", environ={})
            assert done == {"current": "0001", "oldest": "0001", "writes_format": 1}
            await trades(old, old)
            await old.kill_all()
            await old.start(environ=before)
            await trades(old, old)
            judgement = await at.ended_well(old)
            assert judgement.faults == []

    asyncio.run(scenario())
