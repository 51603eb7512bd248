"""What is wrong with a configuration, in words: where it stands, what was seen, what was expected.

Not here: finding it out (holdfast.config).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.errors import ConfigError

_NO_REFERENCE = "regex '^(env:"
"""What the validator says of text that should be a reference: it may be a secret, pasted in."""

_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)


def explained(
    source: str, document: object, told: str, known: Collection[str] = ()
) -> ConfigError:
    """The validator's complaint in our words, with the value that it is about.

    Args:
        known: keys of the configuration, anywhere in it.
    """
    found = _AT.fullmatch(told)
    what, where = (found["what"], found["where"] or "") if found else (told, "")
    seen = f"{source}: {where or 'top level'}"
    fact, comma, expected = what.partition(", expected ")
    if comma:  # one of our own rules, which says both halves
        return ConfigError(f"seen: {seen}: {fact}; expected: {expected}; do: change it there")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL)
    if unknown:
        near = difflib.get_close_matches(unknown[1], known, 1)
        return ConfigError(
            f"seen: {seen}: unknown field `{unknown[1]}`; "
            f"expected: {f'`{near[0]}`' if near else 'a documented key'}; do: correct or remove it"
        )
    if _NO_REFERENCE in what:
        return ConfigError(
            f"seen: {seen} is *** (a value that is no reference: treat it as leaked if this file "
            "was shared); expected: env:NAME, file:PATH, or another reference of docs/secrets.md; "
            "do: move the value out, and replace it where it is used"
        )
    value = _shown(document, where)
    return ConfigError(f"seen: {seen} is {value}; expected: {what}; do: change it there")


def known_keys(shape: type[msgspec.Struct]) -> frozenset[str]:
    """Names of the fields of a struct, and of every struct in it."""
    found: set[str] = set()
    waiting: list[Any] = [msgspec.inspect.type_info(shape)]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, msgspec.inspect.StructType):
            found |= {field.name for field in kind.fields}
            waiting += [field.type for field in kind.fields]
        elif isinstance(kind, msgspec.inspect.UnionType):
            waiting += kind.types
        elif isinstance(kind, msgspec.inspect.VarTupleType | msgspec.inspect.Metadata):
            waiting.append(kind.item_type if hasattr(kind, "item_type") else kind.type)
    return frozenset(found)


def _shown(document: object, where: str) -> str:
    """The value at `where`."""
    value: Any = document
    steps = re.findall(r"([^.\[\]]+)", where)
    for step in steps:
        if isinstance(value, list | tuple) and step.isdigit():
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
    return str(value) if isinstance(value, Decimal) else repr(value)
