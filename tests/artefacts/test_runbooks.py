"""Every alert has its page and every page its alert; what a page names is there.

Commands with their options, metrics, events of the log, settings. Not here: whether a command does
what the page says; each was tried on a demo when it was written.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast, get_args

import msgspec
import pytest
import typer.main
from typer.core import TyperGroup

from holdfast.cli import build
from holdfast.cli.verbs import VERBS
from holdfast.config import Config
from holdfast.operations.alerts.model import Recorded
from holdfast.operations.alerts.settings import Thresholds
from holdfast.telemetry import log_events
from holdfast.telemetry.catalogue import METRICS, series_names
from tests.artefacts.test_alert_rules import ALERTS, GROUPS

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "docs" / "runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
ON_CALL = sorted((REPOSITORY / "docs" / "on-call").glob("*.md"))
SECTIONS = [
    "What it means", "How to see it", "What to do", "How to know that it is over",
    "When to call others",
]  # fmt: skip
PAGED = {
    "P0": "pages at any hour", "P1": "pages, at night with low urgency",
    "P2": "is told to the team", "P3": "is kept, nobody is told",
}  # fmt: skip
METRIC = re.compile(
    r"(?:trading|exchange|cluster|journal|runtime|slo|db_pool|http|auth|holdfast|celery|jobs|pg|"
    r"redis|position)[_:][a-z_:0-9]+"
)
WORD = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")
# Of PostgreSQL, Prometheus and the platform's record.
OTHERS = frozenset({
    "max_connections", "pg_dump", "pg_isready", "pg_restore", "pg_wal", "rule_group",
    "sign_in_failed", "synchronous_standby_names", "trading_critical",
})  # fmt: skip

# What it raises for wrong words; the class itself has no public name.
USAGE = cast(type[Exception], typer.BadParameter.__bases__[0])

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
each_document = pytest.mark.parametrize(
    "page", [*PAGES, FOLDER / "README.md", REPOSITORY / "docs" / "alerts.md", *ON_CALL],
    ids=lambda path: path.stem,
)  # fmt: skip


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {path.stem for path in PAGES} == {alert.name for alert in ALERTS}


def test_the_list_of_pages_is_the_alerts() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([P0-3, ]+) \|$", text, re.MULTILINE)
    names = sorted({alert.name for alert in ALERTS})
    assert listed == [(name, ", ".join(severities(name))) for name in names]


@each_page
def test_a_page_has_its_severity_and_its_sections(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert head.startswith(f"# {page.stem}\n\nSeverity ")
    assert re.findall(r"P[0-3]", head) == severities(page.stem)
    for severity in severities(page.stem):
        assert PAGED[severity] in head
    assert [section.partition("\n")[0] for section in sections] == SECTIONS
    assert all(len(section.partition("\n")[2].split()) >= 3 for section in sections)


@each_document
def test_every_command_of_a_page_is_one_of_ours(page: Path) -> None:
    shown = list(_commands(page.read_text(encoding="utf-8")))
    assert [fault for words in shown for fault in _faults(words)] == []


@each_page
def test_a_page_says_at_least_one_thing_to_look_at_and_by_what_its_end_is_seen(page: Path) -> None:
    sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert "$ holdfast " in sections[2]
    assert re.search(r"`[^`]+`|\]\(", sections[4]), "a command, a metric or a page"


@each_document
def test_every_metric_of_a_page_exists(page: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    named = {name for span in spans for name in METRIC.findall(span)}
    assert sorted(named - metrics() - events() - settings() - OTHERS) == []


@each_page
def test_every_event_of_the_log_and_every_setting_of_a_page_exists(page: Path) -> None:
    named = set(WORD.findall(page.read_text(encoding="utf-8")))
    labels = {label.name for metric in METRICS for label in metric.labels}
    assert sorted(named - events() - settings() - metrics() - labels - OTHERS) == []


def test_what_is_looked_for_in_the_logs_of_nodes_is_not_what_others_write() -> None:
    others = {event for group in ("API", "Jobs", "Notices") for event in log_events.GROUPS[group]}
    sentences = [
        (page.stem, sentence)
        for page in PAGES
        for sentence in re.findall(r"nodes' logs[^.]+", page.read_text(encoding="utf-8"))
    ]
    assert sentences
    named = [(page, event) for page, told in sentences for event in WORD.findall(told)]
    assert [one for one in named if one[1] in others] == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nothing", "no verb nothing"),
        ("bot vanish trend", "no holdfast bot vanish"),
        ("bot stop trend --soon", "--soon"),
        ("bot stop", "Missing parameter"),
        ("halt now", "extra argument"),
        ("halt --level maybe", "maybe"),
    ],
)
def test_a_command_that_is_none_is_found(line: str, fault: str) -> None:
    assert fault in " ".join(_faults(shlex.split(line)))


def severities(name: str) -> list[str]:
    """Of an alert, the most urgent first."""
    return sorted({str(alert.severity) for alert in ALERTS if alert.name == name})


@cache
def metrics() -> frozenset[str]:
    """What can be asked of Prometheus, also without what a histogram's series end in."""
    recorded = {r.name for group in GROUPS for r in group.rules if isinstance(r, Recorded)}
    known = series_names() | recorded
    return frozenset(known | {re.sub(r"_(bucket|sum|count)$", "", name) for name in known})


@cache
def events() -> frozenset[str]:
    """Every `action` that a log line of ours can have."""
    return frozenset(action for group in log_events.GROUPS.values() for action in group)


@cache
def settings() -> frozenset[str]:
    """Names of a node's configuration and of the alerts' thresholds."""
    return frozenset(_fields(Config) | _fields(Thresholds))


def _fields(of: type[msgspec.Struct]) -> set[str]:
    """Those of a structure and of what it is made of."""
    found = set()
    for field in msgspec.structs.fields(of):
        found.add(field.name)
        parts = (field.type, *get_args(field.type))
        for part in parts:
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                found |= _fields(part)
    return found


def _commands(text: str) -> Iterator[list[str]]:
    """Words after `holdfast`, from blocks and from sentences."""
    lines = re.findall(r"^ *\$ holdfast (.+)$", text, re.MULTILINE)
    spans = re.findall(r"`holdfast ([^`\n]+)`", text)
    for line in (*lines, *spans):
        yield shlex.split(line)


def _faults(words: list[str]) -> Iterator[str]:
    """What is wrong with a command; in sentences the rest of it may be left out."""
    if words[0] not in {verb.name for verb in VERBS}:
        yield f"no verb {words[0]}"
        return
    command, path, rest = typer.main.get_command(build(words[0])), "holdfast", list(words)
    while isinstance(command, TyperGroup) and rest:
        path = f"{path} {rest[0]}"
        found = command.commands.get(rest.pop(0))
        if found is None:
            yield f"no {path}"
            return
        command = found
    try:
        command.make_context(path, rest)
    except USAGE as error:
        yield f"{path}: {error}"
