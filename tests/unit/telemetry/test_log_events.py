"""The catalogue of log events, the source and the page say the same."""

from __future__ import annotations

from pathlib import Path

from scripts.log_events import PAGE, SOURCE, complaints, lines, page


def test_every_action_is_in_the_catalogue_and_every_entry_in_the_source() -> None:
    assert complaints(list(lines(SOURCE))) == []


def test_the_page_is_made_of_both() -> None:
    before = PAGE.read_text(encoding="utf-8")
    assert before == page(list(lines(SOURCE)), before), "docs/logs.md: run scripts/log_events.py"


def test_an_action_that_nobody_catalogued_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'log.info("x", action="brand_new", k=1)\n'
        'log.error("x", action="ghost" if y else "halted")\n'
        'log.warning("x", action=f"circuit_breaker_{z}")\n'
        'log.info("x", action=made_up())\n'
        'Requested(action="not_a_line")\n'
        'log.info("x", action="opened", version="7")\n'
    )
    found = list(lines(tmp_path))
    told = [one for one in complaints(found) if "nowhere in the source" not in one]
    assert [one.split(";")[0] for one in told] == [
        "a.py:1: brand_new is not in the catalogue",
        r"a.py:4: \?\ made_up\(\) is not in the catalogue",
        "a.py:6: `version` is the process's, on every line",
    ]
    unused = [one.split()[0] for one in complaints(found) if "nowhere in the source" in one]
    assert {"ghost", "halted", "circuit_breaker_open"}.isdisjoint(unused)
    assert "order_placed" in unused
    assert (found[0].levels, found[0].keys) == (frozenset({"info"}), frozenset({"k"}))
