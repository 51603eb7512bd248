"""A key that is taken away while a node trades: another one of the same account goes on, and no
order is doubled or lost; one of another account is never used.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from holdfast.errors import EXIT_USAGE
from tests.support.exchange import open_account
from tests.support.node import FUNDS, Node, flips, until_node
from tests.support.scene import scene

PREVIOUS = ".previous"


def put(folder: Path, pair: tuple[str, str], *, before: tuple[str, str] | None = None) -> None:
    """What the node's references lead to from here on."""
    for name, value in zip(("key", "secret"), pair, strict=True):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    for name, value in zip(("key", "secret"), before or (), strict=False):
        (folder / f"{name}{PREVIOUS}").write_text(value)


async def filled(node: Node, more: int) -> None:
    """Return when so many fills more are booked."""
    before = node.state().counters.fills
    await until_node(node, lambda: node.state().counters.fills >= before + more, "fills")


def test_a_key_that_is_replaced_while_a_node_trades_costs_no_order_and_no_restart(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node(flips())
            put(tmp_path, (node.key, node.secrets()["NODE_SECRET"]))
            files = {"NODE_KEY_FILE": f"{tmp_path}/key", "NODE_SECRET_FILE": f"{tmp_path}/secret"}
            await node.start(environ={"NODE_KEY": "", "NODE_SECRET": "", **files})
            await filled(node, 4)
            process = node.child_pid()

            put(tmp_path, await at.renew_key(node))  # the exchange goes first
            await filled(node, 4)
            assert len(node.logged("key_replaced")) == 1

            other = open_account(at.running, FUNDS)
            stranger = (other.api_key, other.secret)
            put(tmp_path, stranger)
            pair = await at.renew_key(node)
            await until_node(node, lambda: bool(node.logged("key_foreign")), "foreign key")
            asked = await at.admin("GET", "requests")
            assert not [row for row in paths_of(asked, other.api_key) if "order" in row.lower()]

            put(tmp_path, stranger, before=pair)  # whoever wrote it wrote it too early
            await filled(node, 4)
            assert node.logged("key_replaced")[-1]["stage"] == "previous"
            assert node.child_pid() == process, "the account began again"

            judgement = await at.ended_well(node)
            assert judgement.faults == []

            put(tmp_path, stranger, before=pair)  # at a start nobody would know better
            end, uid = node.state().seq, node.state().uid
            await node.start(environ={"NODE_KEY": "", "NODE_SECRET": "", **files})
            assert await node.ended() == EXIT_USAGE
            assert node.logged("key_foreign")[-1]["expected"] == uid
            assert node.state().seq == end, "it led before it knew whose key it has"
            asked = await at.admin("GET", "requests")
            assert not [row for row in paths_of(asked, other.api_key) if "order" in row.lower()]
            said = node.said()
            for secret in (*pair, *stranger):
                assert secret not in said

    asyncio.run(scenario())


def paths_of(requests: bytes, key: str) -> list[str]:
    """What a key was used for."""
    rows = msgspec.json.decode(requests)["requests"]
    return [row["path"] for row in rows if row["apiKey"] == key]
