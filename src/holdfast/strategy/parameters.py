"""Typed parameters of a strategy: one declaration parses text, bounds values, makes a form.

Not here: the strategies.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from holdfast.errors import ConfigError

T = TypeVar("T")
# How msgspec says that a value does not fit, and of which field; that a field has none.
_MISFIT = re.compile(r"(?P<why>.+?)(?:, got .+)? - at `\$\.(?P<name>\w+)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")


def Range(low: float, high: float) -> msgspec.Meta:  # noqa: N802 - reads as a type in Annotated
    """Inclusive bounds of an int or float parameter, for `Annotated[int, Range(2, 200)]`.

    Bounds of money are a relation: check them in `__post_init__`, exactly.
    """
    return msgspec.Meta(ge=low, le=high)


def build(kind: type[T], given: Mapping[str, Any]) -> T:
    """An instance of the struct `kind` with parameters from text or JSON values.

    Raises:
        ConfigError: unknown name, value of the wrong type, not finite or out of range, or a
            relation between parameters (`__post_init__`) that does not hold.
    """
    known = set(kind.__struct_fields__)  # type: ignore[attr-defined]
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigError(
            f"seen: parameter {unknown[0]!r}; expected: one of {', '.join(sorted(known)) or 'none'}"
            f" ({kind.__name__} has no others)"
        )
    try:
        # A `__post_init__` that sets a precision of its own sets nobody else's.
        with decimal.localcontext():
            made = msgspec.convert(dict(given), kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(_refusal(kind, given, str(error))) from error
    except (ArithmeticError, TypeError) as error:
        raise ConfigError(
            f"seen: parameters of {kind.__name__}: {type(error).__name__}: {error}; expected: "
            "finite numbers, and declarations that msgspec can convert to; do: correct them"
        ) from error
    for name in sorted(known):
        value = getattr(made, name)
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise ConfigError(f"seen: {name}={value} of {kind.__name__}; expected: a finite number")
    return made


def _refusal(kind: type, given: Mapping[str, Any], told: str) -> str:
    """What msgspec or a relation (`__post_init__`) said, as seen and expected."""
    missing = _MISSING.fullmatch(told)
    if missing is not None:
        name = missing["name"]
        return f"seen: no {name} for {kind.__name__}; expected: a value; do: give it one"
    misfit = _MISFIT.fullmatch(told)
    if misfit is None:
        return f"seen: parameters of {kind.__name__}: {told.removeprefix('seen: ')}"
    why = misfit["why"].replace("`", "").replace("Expected ", "; expected: ")
    about = why if why.startswith(";") else f", {why[0].lower()}{why[1:]}"
    return f"seen: {misfit['name']}={given.get(misfit['name'])} of {kind.__name__}{about}"


def as_json(strategy: Any) -> dict[str, Any]:
    """The declared parameters as JSON values, Decimals as text."""
    values = {name: getattr(strategy, name) for name in strategy.__struct_fields__}
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()
    }
