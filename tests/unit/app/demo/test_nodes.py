"""What the demo and chaos read of a node from outside."""

from __future__ import annotations

from pathlib import Path

from holdfast.app.demo.nodes import NodeLog


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
