"""What a strategy's own file keeps outside of its objects, and what a new process would have of it.

Not here: objects that libraries keep, which only a real process loses.
"""

from __future__ import annotations

import copy
import random
import sys
from collections import deque
from decimal import Decimal
from typing import Any

_PLAIN = (
    int, float, str, bytes, Decimal, type(None), list, dict, set, tuple, frozenset, deque,
    bytearray, random.Random,
)  # fmt: skip
# Tables of constants are long, state is not; copying them at every bar would take minutes.
_LONGEST = 10_000
_LIBRARIES = frozenset({"holdfast", "msgspec", "builtins"})


class FileState:
    """The globals of a strategy's module and the attributes of its classes, as they are now."""

    def __init__(self, kind: type) -> None:
        names = {one.__module__ for one in kind.__mro__}
        own = [name for name in names if name.partition(".")[0] not in _LIBRARIES]
        modules = [sys.modules[name] for name in sorted(own) if name in sys.modules]
        self._spaces: list[tuple[Any, dict[str, Any]]] = []
        for module in modules:
            classes = [
                value
                for value in vars(module).values()
                if isinstance(value, type) and value.__module__ == module.__name__
            ]
            # A class within a function, as in a test, is not among the module's names.
            own_kinds = [one for one in kind.__mro__ if one.__module__ == module.__name__]
            for space in dict.fromkeys((module, *classes, *own_kinds)):
                self._spaces.append((space, _values(space, module.__name__)))

    def restore(self) -> None:
        """As if the process had just started: new objects, equal to what they were."""
        for space, values in self._spaces:
            module = space.__name__ if not isinstance(space, type) else space.__module__
            for name in _values(space, module).keys() - values.keys():
                delattr(space, name)
            for name, value in values.items():
                setattr(space, name, copy.deepcopy(value))


def _values(space: Any, module: str) -> dict[str, Any]:
    found = {}
    for name, value in vars(space).items():
        mine = isinstance(value, _PLAIN) or type(value).__module__ == module
        if name.startswith("__") or not mine or isinstance(value, type):
            continue
        if isinstance(value, list | dict | set | deque) and len(value) > _LONGEST:
            continue
        try:
            found[name] = copy.deepcopy(value)
        except (TypeError, ValueError, RecursionError, copy.Error):
            continue  # it holds a thing of the machine, such as a lock: not for us to renew
    return found
