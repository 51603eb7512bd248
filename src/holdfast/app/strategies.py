"""Strategies, described for people and forms.

Not here: finding or running them (strategy, engine).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from holdfast.strategy.load import SHIPPED, find


class Description(msgspec.Struct, frozen=True):
    """A strategy.

    Attributes:
        about: the first line of its docstring.
        parameters: JSON schema of each; one without `default` must be given.
    """

    name: str
    about: str
    parameters: dict[str, dict[str, Any]]


def described() -> list[Description]:
    """Every shipped strategy, by name."""
    return [describe(name) for name in sorted(SHIPPED)]


def describe(name: str) -> Description:
    """The strategy called `name`, or `FILE:Class`.

    Raises:
        ConfigError: there is none.
    """
    kind = find(name)
    schema = msgspec.json.schema(kind)
    own = schema["$defs"][kind.__name__]["properties"]
    parameters = {field: _plain(own[field]) for field in kind.__struct_fields__}
    about = (kind.__doc__ or "").strip().splitlines()
    return Description(name, about[0] if about else "", parameters)


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in schema.items()}
