"""The documents: links lead somewhere, named symbols exist, and shown commands are real.

Not here: the list of what exists (test_acceptance_list).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from holdfast.cli.verbs import VERBS
from holdfast.config import load
from holdfast.strategy.load import create

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "holdfast"
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY))
)


def symbols(path: Path) -> set[str]:
    """Functions, classes, methods and constants of a module, methods as `Class.method`."""
    found: set[str] = set()

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(prefix + node.name)
            elif isinstance(node, ast.ClassDef):
                found.add(prefix + node.name)
                walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.update(prefix + one.id for one in targets if isinstance(one, ast.Name))

    walk(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


@every_document
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@every_document
def test_named_symbols_are_still_in_the_code(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"\[`([\w/]+\.py)::([\w.]+)`\]\(([^)#]+)", text)
    gone = [
        f"{file}::{symbol}"
        for file, symbol, link in named
        if (document.parent / link).resolve() != SOURCE / file
        or symbol not in symbols(SOURCE / file)
    ]
    assert gone == []


@every_document
def test_shown_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    verbs = {verb.name for verb in VERBS}
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    shown = "\n".join(blocks)
    assert set(re.findall(r"^(?:\$ )?make ([a-z]+)", shown, re.MULTILINE)) <= targets
    called = re.findall(r"^(?:\$ )?(?:\.venv/bin/)?holdfast ([a-z]+)", shown, re.MULTILINE)
    assert set(called) <= verbs


@every_document
def test_no_machine_s_own_paths_are_in_a_document(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:work|home|root|Users)/\S*", text) == []


def test_the_architecture_names_every_room() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    rooms |= {path.stem for path in SOURCE.glob("*.py") if not path.stem.startswith("__")}
    assert sorted(room for room in rooms if f"| `{room}` |" not in text) == []


def test_a_decision_has_its_own_number_and_names_what_was_rejected() -> None:
    records = sorted((REPOSITORY / "docs" / "adr").glob("[0-9]*.md"))
    numbers = [record.name[:4] for record in records]
    assert sorted({one for one in numbers if numbers.count(one) > 1}) == []
    texts = {record.name: record.read_text(encoding="utf-8").lower() for record in records}
    assert [name for name, text in texts.items() if "reject" not in text] == []


@every_document
def test_shown_configurations_load(document: Path, tmp_path: Path) -> None:
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        file = tmp_path / "holdfast.toml"
        file.write_text(block, encoding="utf-8")
        config = load(file, {})
        for bot in config.bots:
            create(bot.strategy, bot.params)
