"""Where a search looks: one dimension per parameter, from the strategy's own declarations.

Not here: the search (search), the runs (search_runs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import inspect

from holdfast.domain.money import plain
from holdfast.errors import ConfigError
from holdfast.strategy.api import Strategy

if TYPE_CHECKING:
    from optuna import Trial

_KINDS: tuple[tuple[type[inspect.Type], Literal["int", "float", "decimal"]], ...] = (
    (inspect.IntType, "int"),
    (inspect.FloatType, "float"),
    (inspect.DecimalType, "decimal"),
)
_STEPS = 100  # of a Decimal whose step is not told


class Dimension(msgspec.Struct, frozen=True):
    """The values of one parameter that a search may try.

    Attributes:
        low, high: inclusive; unused where there are `choices`.
        step: between two values, from `low`; None is any float between them.
        choices: of a bool or a Literal.
    """

    name: str
    kind: Literal["int", "float", "decimal", "choice"]
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal | None = None
    choices: tuple[Any, ...] = ()

    def suggest(self, trial: Trial) -> Any:
        """The next value to try, as JSON would hold it: a Decimal is text, and exact."""
        if self.kind == "choice":
            return trial.suggest_categorical(self.name, self.choices)
        if self.kind == "int":
            step = int(self.step or 1)
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=step)
        if self.step is None:
            return trial.suggest_float(self.name, float(self.low), float(self.high))
        # Steps are counted and multiplied exactly: 0.1 + 0.2 is 0.3 here.
        count = trial.suggest_int(self.name, 0, int((self.high - self.low) / self.step))
        value = self.low + count * self.step
        return plain(value) if self.kind == "decimal" else float(value)


def space_of(
    kind: type[Strategy], given: Sequence[str], fixed: Mapping[str, str]
) -> list[Dimension]:
    """What is searched: bounded numbers, bools and Literals, and whatever `given` names.

    Args:
        given: `name=low:high` or `name=low:high:step`, instead of the declared bounds.
        fixed: parameters with a value of the user's; they are not searched.

    Raises:
        ConfigError: no such parameter, bounds that cannot be meant, or nothing to search.
    """
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - every strategy is a struct
    declared = {field.name: field for field in info.fields}
    spans = _spans(given)
    names = ", ".join(declared) or "none"
    for name in spans:
        if name not in declared:
            raise ConfigError(f"seen: --space {name}; expected: one of {names}")
        if name in fixed:
            raise ConfigError(f"seen: {name} as --space and --param; expected: one of the two")
    found: list[Dimension] = []
    for name, field in declared.items():
        if name in fixed:
            continue
        dimension = (
            _told(name, field.type, spans[name]) if name in spans else _declared(name, field.type)
        )
        if dimension is not None:
            found.append(dimension)
        elif field.required:
            raise ConfigError(
                f"seen: parameter {name} without a default; expected: a value or bounds; "
                f"do: --param {name}=VALUE, or --space {name}=LOW:HIGH"
            )
    if not found:
        raise ConfigError(
            f"seen: nothing to search in {kind.__name__} ({names}); expected: a parameter with "
            "bounds; do: declare Annotated[int, Range(2, 200)], or give --space name=LOW:HIGH"
        )
    return found


def _spans(given: Sequence[str]) -> dict[str, list[Decimal]]:
    spans: dict[str, list[Decimal]] = {}
    for text in given:
        name, _, span = text.partition("=")
        try:
            numbers = [Decimal(part) for part in span.split(":")]
        except InvalidOperation:
            numbers = []
        if not (
            name
            and len(numbers) in {2, 3}
            and all(number.is_finite() for number in numbers)
            and numbers[0] < numbers[1]
            and all(step > 0 for step in numbers[2:])
        ):
            raise ConfigError(
                f"seen: --space {text!r}; expected: name=low:high or name=low:high:step with low "
                "under high and a step above zero, such as fast=5:50:5"
            )
        if name in spans:
            raise ConfigError(f"seen: --space {name} twice; expected: one span")
        spans[name] = numbers
    return spans


def _declared(name: str, declared: inspect.Type) -> Dimension | None:
    """By the strategy's own bounds; None for what has none and stays at its default."""
    if isinstance(declared, inspect.BoolType):
        return Dimension(name, "choice", choices=(False, True))
    if isinstance(declared, inspect.LiteralType):
        return Dimension(name, "choice", choices=tuple(declared.values))
    bounds = _bounds(declared)
    if None in bounds or isinstance(declared, inspect.DecimalType):
        return None
    low, high = (Decimal(str(bound)) for bound in bounds)
    return Dimension(name, "int" if isinstance(declared, inspect.IntType) else "float", low, high)


def _told(name: str, declared: inspect.Type, numbers: list[Decimal]) -> Dimension:
    kind = next((kind for base, kind in _KINDS if isinstance(declared, base)), None)
    if kind is None:
        raise ConfigError(f"seen: --space {name}; expected: an int, float or Decimal parameter")
    low, high, *steps = numbers
    if kind == "int" and any(number != number.to_integral_value() for number in numbers):
        raise ConfigError(f"seen: --space {name} with fractions; expected: whole numbers")
    least, most = _bounds(declared)
    if (least is not None and low < Decimal(str(least))) or (
        most is not None and high > Decimal(str(most))
    ):
        raise ConfigError(
            f"seen: --space {name}={low}:{high}; expected: within {least} to {most}, which the "
            "strategy declares"
        )
    step = steps[0] if steps else (high - low) / _STEPS if kind == "decimal" else None
    return Dimension(name, kind, low, high, step)


def _bounds(declared: inspect.Type) -> tuple[Any, Any]:
    """The inclusive bounds of a number, None where there is none."""
    return getattr(declared, "ge", None), getattr(declared, "le", None)
