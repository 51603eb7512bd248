"""What is wrong with a configuration, in words: where it stands, what was seen, what was expected.

Not here: finding it out (holdfast.config).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from holdfast.errors import ConfigError

_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)


def explained(source: str, document: object, told: str) -> ConfigError:
    """The validator's complaint in our words, with the value that it is about."""
    found = _AT.fullmatch(told)
    what, where = (found["what"], found["where"] or "") if found else (told, "")
    seen = f"{source}: {where or 'top level'}"
    fact, comma, expected = what.partition(", expected ")
    if comma:  # one of our own rules, which says both halves
        return ConfigError(f"seen: {seen}: {fact}; expected: {expected}; do: change it there")
    if what.startswith("Object contains unknown field"):
        return ConfigError(
            f"seen: {seen}: {what.removeprefix('Object contains ')}; "
            "expected: a documented key; do: correct or remove it"
        )
    value = _shown(document, where)
    return ConfigError(f"seen: {seen} is {value}; expected: {what}; do: change it there")


def _shown(document: object, where: str) -> str:
    """The value at `where`, masked when it may be a secret that was pasted in."""
    value: Any = document
    steps = re.findall(r"([^.\[\]]+)", where)
    for step in steps:
        if isinstance(value, list | tuple) and step.isdigit():
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
    if steps and steps[-1] in {"api_key", "api_secret", "secret", "token"}:
        return "*** (a value that is no reference: treat it as leaked if this file was shared)"
    return str(value) if isinstance(value, Decimal) else repr(value)
