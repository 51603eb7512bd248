"""The list of what exists (`docs/acceptance.md`): every path, test, target and verb in it is there.

Not here: running the proofs, which is what `make test` does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.cli.verbs import VERBS

REPOSITORY = Path(__file__).parents[2]
LIST = REPOSITORY / "docs" / "acceptance.md"


class Row(NamedTuple):
    """A line of the list, its cells as written."""

    id: str
    what: str
    path: str
    proof: str


def rows(text: str) -> Iterator[Row]:
    """The rows below the heading; a table row with another number of cells is an error."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith(("| id |", "| ---")):
            yield Row(*(cell.strip() for cell in line.strip("|").split(" | ")))


def faults(row: Row) -> Iterator[str]:
    """What is wrong with a row."""
    if not re.fullmatch(r"[A-Z][A-Z0-9]-\d\d+", row.id):
        yield f"{row.id}: not an id such as LG-01"
    paths, proofs = re.findall(r"`([^`]+)`", row.path), re.findall(r"`([^`]+)`", row.proof)
    if not row.what or not paths or not proofs:
        yield f"{row.id}: what, path or proof is empty"
    for path in paths:
        if not (REPOSITORY / path).exists():
            yield f"{row.id}: no path {path}"
    for proof in proofs:
        if not proof_exists(proof):
            yield f"{row.id}: no proof {proof}"


def proof_exists(proof: str) -> bool:
    """Whether `file::test`, `make target` or `holdfast verb` names something that is there."""
    if proof.startswith("make "):
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        return re.search(rf"^{re.escape(proof.split()[1])}:", makefile, re.MULTILINE) is not None
    if proof.startswith("holdfast "):
        return proof.split()[1] in {verb.name for verb in VERBS}
    file, _, name = proof.partition("::")
    return name.partition("[")[0] in named_tests(REPOSITORY / file)


@cache
def named_tests(file: Path) -> frozenset[str]:
    """The tests of a file as pytest would name them (`test_x`, `TestY::test_x`, state machines)."""
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        elif isinstance(node, ast.Assign):  # `TestBook = Machine.TestCase`
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            found |= {f"{name}::runTest" for name in names}
    return frozenset(name for name in found if name.lower().startswith("test"))


def test_everything_that_the_list_names_is_there() -> None:
    text = LIST.read_text(encoding="utf-8")
    assert [fault for row in rows(text) for fault in faults(row)] == []


def test_an_id_stands_once() -> None:
    ids = [row.id for row in rows(LIST.read_text(encoding="utf-8"))]
    assert ids
    assert sorted({one for one in ids if ids.count(one) > 1}) == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (Row("LG-1", "x", "`Makefile`", "`make test`"), "not an id"),
        (Row("LG-01", "x", "`nothere.py`", "`make test`"), "no path nothere.py"),
        (Row("LG-01", "x", "`Makefile`", "`make nothing`"), "no proof make nothing"),
        (Row("LG-01", "x", "`Makefile`", "`holdfast nothing`"), "no proof holdfast nothing"),
        (Row("LG-01", "x", "`Makefile`", "`tests/a.py::test_x`"), "no proof tests/a.py::test_x"),
        (
            Row("LG-01", "x", "`Makefile`", "`tests/unit/test_acceptance_list.py::rows`"),
            "no proof",
        ),
        (Row("LG-01", "x", "Makefile", "`make test`"), "empty"),
    ],
)
def test_a_row_that_names_nothing_is_found(row: Row, fault: str) -> None:
    assert fault in " ".join(faults(row))


def test_a_row_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(TypeError):
        list(rows("| LG-01 | what | `Makefile` |"))
