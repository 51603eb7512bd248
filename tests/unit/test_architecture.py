"""The rooms and the arrows between them, walked in the source: any other import fails here.

Lives here: the table of rooms, what makes a module a port, which rooms stay pure, and the sizes
that keep a module readable. `docs/architecture.md` says why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "holdfast"
ROOT = "holdfast"

MODULE_LINES = 450
FUNCTION_LINES = 70


class Room(NamedTuple):
    """What a room may import beside itself.

    Attributes:
        rooms: whole rooms.
        ports: the port modules of every room.
    """

    rooms: frozenset[str]
    ports: bool = False


def _rooms(*names: str, ports: bool = False) -> Room:
    return Room(frozenset(names), ports)


_EDGE = _rooms("domain", "errors", "files", "config", "secrets", "telemetry", ports=True)

ROOMS: dict[str, Room] = {
    "errors": _rooms(),
    "files": _rooms(),
    "domain": _rooms("errors"),
    "strategy": _rooms("domain", "errors"),
    "ledger": _rooms("domain", "errors"),
    "engine": _rooms("strategy", "ledger", "domain", "errors"),
    "telemetry": _rooms(),
    "secrets": _rooms("errors", "telemetry"),
    "config": _rooms("domain", "errors", "secrets", ports=True),
    "cluster": _EDGE,
    "journal": _EDGE,
    # It resolves what is in doubt from the same fold that the engine decides on.
    "execution": _rooms("ledger", *_EDGE.rooms, ports=True),
    "venues": _EDGE,
    "exchange": _EDGE,
    "market": _EDGE,
    "signals": _EDGE,
    "platform": _EDGE,
    # Queries and commands of ports that `app` hands in.
    "api": _EDGE,
    "operations": _EDGE,
    "lab": _rooms("domain", "errors"),
    # The only place where rooms are joined.
    "app": _rooms(
        "domain", "strategy", "ledger", "engine", "errors", "config", "secrets",
        "telemetry", "journal", "execution", "venues", "exchange", "market", "signals", "lab",
        "cluster", "platform", "api", "operations", "healthcheck", "files", ports=True,
    ),
    # Whole nodes and their exchange in virtual time; only the command line begins it.
    "simulation": _rooms(
        "app", "domain", "strategy", "ledger", "engine", "errors", "config", "telemetry",
        "journal", "execution", "venues", "exchange", "cluster", ports=True,
    ),
    "cli": _rooms(
        "app", "simulation", "domain", "errors", "config", "secrets", "telemetry", ports=True
    ),
    "__main__": _rooms("cli"),
    # Asked by containers every few seconds, so it starts with nothing but Python.
    "healthcheck": _rooms(),
    # The front door of the library: names that are loaded on first use.
    "__init__": _rooms("app", "strategy", "domain", "errors"),
}  # fmt: skip

# The engine's drivers feed `step` from outside and so know ports; `step` itself never does.
DRIVERS = frozenset({"engine.backtest", "engine.live"})
_DRIVER = _rooms("strategy", "ledger", "domain", "errors", ports=True)

# A port says what a room offers and brings no implementation along: every `<room>/port.py`, and
# these by another name.
OTHER_PORTS = frozenset({
    "cluster.blocker", "cluster.board", "cluster.host", "cluster.timing", "venues.capability",
    "exchange.flow", "journal.record", "market.bar_table",
    "platform.identity.values",
    # How a server or a file is spoken to: leases and jobs are there as well.
    "journal.postgres_connect", "journal.postgres_side", "journal.sqlite_connect",
    "cluster.redis_connect",
})  # fmt: skip

# Deterministic by construction: nothing here may read a clock, a file, a socket or chance.
PURE = (
    "domain", "ledger", "engine", "exchange.book", "exchange.contingency", "exchange.matching",
    "lab.bar_venue", "lab.depth", "lab.figures", "lab.payload", "lab.round_trips",
    "lab.settlement", "lab.tape_venue",
)  # fmt: skip
IMPURE_MODULES = frozenset({
    "aiohttp", "asyncio", "logging", "os", "pathlib", "random", "secrets", "socket", "sqlalchemy",
    "sqlite3", "ssl", "structlog", "subprocess", "tempfile", "threading", "time", "urllib",
})  # fmt: skip


class Arrow(NamedTuple):
    """One import, as it stands in a file."""

    source: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} -> {self.target}"


def module_name(path: Path, package: Path) -> str:
    """`journal.port` for `<package>/journal/port.py`; a package is named by its folder."""
    parts = path.relative_to(package).with_suffix("").parts
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def modules(package: Path) -> dict[str, Path]:
    """Every module of the package by name."""
    return {module_name(path, package): path for path in sorted(package.rglob("*.py"))}


def arrows(package: Path) -> Iterator[Arrow]:
    """Every import within the package, also inside functions and behind TYPE_CHECKING."""
    known = modules(package)
    for source, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in _targets(node, path, package):
                inner = target.removeprefix(f"{ROOT}.")
                if target == ROOT:
                    yield Arrow(source, "__init__", node.lineno)  # type: ignore[attr-defined]
                elif inner != target:
                    yield Arrow(source, _longest(inner, known), node.lineno)  # type: ignore[attr-defined]


def _targets(node: ast.AST, path: Path, package: Path) -> Iterator[str]:
    """Absolute names that a statement imports: modules, or names within modules."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            here = [ROOT, *path.relative_to(package).parts[: -node.level]]
            base = ".".join([*here, *([base] if base else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        named = node.args[0] if node.args else None
        if isinstance(named, ast.Constant) and isinstance(named.value, str):
            yield named.value


def _longest(name: str, known: dict[str, Path]) -> str:
    """The module that `name` is, or that holds it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        candidate = ".".join(parts[:length])
        if candidate in known:
            return candidate
    # A name that the package itself exports, such as `from holdfast import __version__`.
    return "__init__"


def allowed(arrow: Arrow) -> bool:
    """Whether the table has this arrow."""
    source, target = arrow.source.partition(".")[0], arrow.target.partition(".")[0]
    if source == target or arrow.target == "__init__":
        return True
    room = _DRIVER if arrow.source in DRIVERS else ROOMS[source]
    return target in room.rooms or (room.ports and is_port(arrow.target))


def is_port(module: str) -> bool:
    """Whether other edge rooms may import `module`."""
    return module.endswith(".port") or module in OTHER_PORTS


def impurities(package: Path) -> Iterator[Arrow]:
    """Imports by which a pure module could touch the world."""
    for source, path in modules(package).items():
        pure = any(source == room or source.startswith(f"{room}.") for room in PURE)
        if not pure or source in DRIVERS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in _targets(node, path, package):
                if target.partition(".")[0] in IMPURE_MODULES:
                    yield Arrow(source, target, node.lineno)  # type: ignore[attr-defined]


def oversize(package: Path) -> Iterator[str]:
    """Modules and functions over the limits, with their length."""
    for name, path in modules(package).items():
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > MODULE_LINES:
            yield f"{name}: {lines} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{name}:{node.lineno} {node.name}(): {lines} lines"


def test_every_room_has_a_row_in_the_table() -> None:
    rooms = {name.partition(".")[0] for name in modules(PACKAGE)}
    assert sorted(rooms - ROOMS.keys()) == []


def test_no_import_goes_where_the_table_has_no_arrow() -> None:
    assert [str(arrow) for arrow in arrows(PACKAGE) if not allowed(arrow)] == []


def test_pure_rooms_import_nothing_that_touches_the_world() -> None:
    assert [str(arrow) for arrow in impurities(PACKAGE)] == []


def test_modules_and_functions_stay_readable() -> None:
    assert list(oversize(PACKAGE)) == []


def test_the_table_itself_has_no_cycle_of_whole_rooms() -> None:
    done: set[str] = set()
    while done != ROOMS.keys():
        ready = {name for name, room in ROOMS.items() if room.rooms <= done} - done
        assert ready, f"a cycle among {sorted(ROOMS.keys() - done)}"
        done |= ready


PLANTED = [
    ("domain/a.py", "from holdfast.engine import step", "domain.a:1 -> engine.step"),
    ("domain/a.py", "import holdfast.config", "domain.a:1 -> config"),
    ("engine/a.py", "from holdfast.telemetry.log import get_logger", "engine.a:1 -> telemetry.log"),
    ("engine/a.py", "from holdfast.venues.port import Venue", "engine.a:1 -> venues.port"),
    ("telemetry/a.py", "from holdfast import errors", "telemetry.a:1 -> errors"),
    ("journal/a.py", "from holdfast.venues import binance", "journal.a:1 -> venues.binance"),
    ("journal/a.py", "def f():\n  import holdfast.execution", "journal.a:2 -> execution"),
    ("journal/a.py", "from ..venues.binance import x", "journal.a:1 -> venues.binance"),
    ("cli/a.py", "from holdfast.journal.sqlite import S", "cli.a:1 -> journal.sqlite"),
    ("market/a.py", "from holdfast.app import demo", "market.a:1 -> app.demo"),
    (
        "execution/a.py",
        "import importlib\nimportlib.import_module('holdfast.journal.sqlite')",
        "execution.a:2 -> journal.sqlite",
    ),
]


@pytest.mark.parametrize(("path", "text", "found"), PLANTED)
def test_a_planted_bad_import_is_found(path: str, text: str, found: str, tmp_path: Path) -> None:
    plant(tmp_path, path, text)
    assert [str(arrow) for arrow in arrows(tmp_path) if not allowed(arrow)] == [found]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("execution/a.py", "from holdfast.venues.port import Venue\nfrom holdfast import errors"),
        ("execution/a.py", "from holdfast.venues import capability"),
        ("market/a.py", "from holdfast.exchange.flow import Place"),
        ("engine/live.py", "from holdfast.journal.port import Store"),
        ("app/a.py", "from holdfast.journal.sqlite import S\nfrom holdfast.engine import step"),
        ("cli/a.py", "from holdfast import __version__\nfrom holdfast.app import demo"),
        ("journal/a.py", "from . import sqlite\nfrom .sqlite import S\nimport sqlite3, msgspec"),
    ],
)
def test_a_rightful_import_is_let_through(path: str, text: str, tmp_path: Path) -> None:
    plant(tmp_path, path, text)
    assert [str(arrow) for arrow in arrows(tmp_path) if not allowed(arrow)] == []


def test_a_planted_clock_in_a_pure_room_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "engine/a.py", "def f():\n    from time import monotonic_ns")
    assert [str(arrow) for arrow in impurities(tmp_path)] == ["engine.a:2 -> time.monotonic_ns"]


def test_a_planted_giant_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "app/a.py", "def f():\n" + "    print()\n" * MODULE_LINES)
    assert list(oversize(tmp_path)) == [
        f"app.a: {MODULE_LINES + 1} lines",
        f"app.a:1 f(): {MODULE_LINES + 1} lines",
    ]


def plant(package: Path, path: str, text: str) -> None:
    """A package with some empty modules of the real one's names, and `text` at `path`."""
    for name in (
        "errors", "config", "domain/__init__", "engine/step", "engine/__init__", "app/demo",
        "app/__init__", "telemetry/log", "telemetry/__init__", "venues/port", "venues/capability",
        "venues/binance/__init__", "venues/__init__", "journal/port", "journal/sqlite",
        "journal/__init__", "execution/__init__", "exchange/flow", "cli/__init__", "__init__",
    ):  # fmt: skip
        file = package / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (package / path).parent.mkdir(parents=True, exist_ok=True)
    (package / path).write_text(text, encoding="utf-8")
