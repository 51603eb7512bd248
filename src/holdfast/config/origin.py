"""Where in a TOML file each setting stands.

Not here: what the settings mean (holdfast.config).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any


def setting_lines(text: str) -> dict[str, int]:
    """The line, from 1 on, of each setting by its dotted key, such as `bots[0].limits.symbols`.

    Args:
        text: valid TOML. It is read statement by statement with the same parser as the whole,
            which alone knows where a string or a list ends.
    """
    found: dict[str, int] = {}
    tables: dict[str, int] = {}
    here = ""
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not pending and line.lstrip().startswith("["):
            here = _table(line, tables)
            continue
        pending.append(line)
        try:
            parsed = tomllib.loads("\n".join(pending))
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        begun = number - len(pending) + 1
        found.update((key, begun) for key in _leaves(here, parsed))
        pending = []
    return found


def _table(header: str, tables: dict[str, int]) -> str:
    """The dotted key of the table that begins; `tables` counts those of each list."""
    parsed: Any = tomllib.loads(header)
    path = ""
    while isinstance(parsed, dict) and parsed:
        ((name, parsed),) = parsed.items()
        path = f"{path}.{name}" if path else name
        if isinstance(parsed, list):  # it is `[[...]]`, and this its last part
            tables[path] = tables.get(path, -1) + 1
            parsed = None
        if path in tables:
            path = f"{path}[{tables[path]}]"
    return path


def _leaves(prefix: str, value: Any) -> Iterator[str]:
    """Each setting below `prefix`; a list of plain values is one."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{prefix}.{name}" if prefix else name, item)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, item in enumerate(value):
            yield from _leaves(f"{prefix}[{index}]", item)
    else:
        yield prefix
