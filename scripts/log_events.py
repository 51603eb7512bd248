#!/usr/bin/env python3
"""Write the table of log events into docs/logs.md: `scripts/log_events.py [--check]`.

What an event means stands in `telemetry.log_events`; its levels and keys are read in the source,
wherever a line has that `action`. `--check` writes nothing and fails where the page is old, an
action is not in the catalogue, or an entry of it is nowhere in the source.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.telemetry.log_events import GROUPS

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "holdfast"
PAGE = REPOSITORY / "docs" / "logs.md"
BEGIN, END = "<!-- events: scripts/log_events.py -->", "<!-- end of events -->"

_LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3, "exception": 3}
_NAMES = ("debug", "info", "warning", "error")
# Lines that are written through a function of the module, and at which levels.
_THROUGH = {"_say": ("warning",), "tell": ("info", "error")}


# What the process itself says on each of its lines.
_OF_THE_PROCESS = frozenset({"service", "version", "env"})


class Line(NamedTuple):
    """A place where lines are written.

    Attributes:
        actions: regular expressions, one of which is the action.
    """

    where: str
    actions: tuple[str, ...]
    levels: frozenset[str]
    keys: frozenset[str]


def lines(source: Path) -> Iterator[Line]:
    """Every call with an `action`, below a folder."""
    for path in sorted(source.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        shared = dict(_mappings(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (levels := _levels(node.func)):
                named = {word.arg: word.value for word in node.keywords if word.arg}
                more = [shared[ast.unparse(w.value)] for w in node.keywords
                        if w.arg is None and ast.unparse(w.value) in shared]
                if "action" in named:
                    yield Line(
                        f"{path.relative_to(source)}:{node.lineno}",
                        tuple(_patterns(named["action"])),
                        frozenset(levels),
                        frozenset(named).union(*more) - {"action", "exc_info"},
                    )


def _mappings(tree: ast.AST) -> Iterator[tuple[str, frozenset[str]]]:
    """Names that are given a mapping, written out; its keys are those of lines that have `**it`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            keys = (key.value for key in node.value.keys if isinstance(key, ast.Constant))
            yield ast.unparse(node.target), frozenset(map(str, keys))


def _levels(function: ast.expr) -> tuple[str, ...]:
    name = str(getattr(function, "attr", "") or getattr(function, "id", ""))
    if name in _LEVELS:
        return (_NAMES[_LEVELS[name]],)
    return _THROUGH.get(name, ())


def _patterns(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield re.escape(str(value.value))
    elif isinstance(value, ast.IfExp):
        yield from _patterns(value.body)
        yield from _patterns(value.orelse)
    elif isinstance(value, ast.JoinedStr):
        yield "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+"
            for part in value.values
        )
    elif isinstance(value, ast.Name) and value.id == "action":
        return  # handed on; its callers are found by themselves
    else:
        yield re.escape(f"? {ast.unparse(value)}")


def complaints(found: list[Line]) -> list[str]:
    """What source and catalogue do not agree on."""
    known = [action for group in GROUPS.values() for action in group]
    twice = {action for action in known if known.count(action) > 1}
    told = [f"{action} is in the catalogue twice" for action in sorted(twice)]
    used: set[str] = set()
    for line in found:
        told += [
            f"{line.where}: `{key}` is the process's, on every line; do: say of what it is"
            for key in sorted(line.keys & _OF_THE_PROCESS)
        ]
        for pattern in line.actions:
            matches = {action for action in known if re.fullmatch(pattern, action)}
            used |= matches
            if not matches:
                told.append(
                    f"{line.where}: {pattern} is not in the catalogue; do: say in "
                    "telemetry/log_events.py what it means, then scripts/log_events.py"
                )
    told += [f"{action} is nowhere in the source" for action in known if action not in used]
    return told


def tables(found: list[Line]) -> str:
    """The events by group, as Markdown."""
    parts = []
    for title, group in GROUPS.items():
        head = ("| `action` | level | keys | means |", "| --- | --- | --- | --- |")
        rows = [f"### {title}", "", *head]
        for action, meaning in group.items():
            here = [x for x in found if any(re.fullmatch(one, action) for one in x.actions)]
            levels = sorted({one for x in here for one in x.levels}, key=_NAMES.index)
            keys = sorted({key for x in here for key in x.keys})
            shown = " ".join(f"`{key}`" for key in keys)
            rows.append(f"| `{action}` | {', '.join(levels)} | {shown} | {meaning} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def page(found: list[Line], before: str) -> str:
    """The page with its tables as they should be."""
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{tables(found)}\n{END}{tail}"


def main(words: list[str]) -> int:
    """Write, or check; the exit code."""
    found = list(lines(SOURCE))
    told = complaints(found)
    before = PAGE.read_text(encoding="utf-8")
    after = page(found, before)
    if words == ["--check"] and after != before:
        told.append("docs/logs.md is old; do: scripts/log_events.py")
    elif words != ["--check"]:
        PAGE.write_text(after, encoding="utf-8")
    for one in told:
        print(one, file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
