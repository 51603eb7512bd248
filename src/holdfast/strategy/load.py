"""Finding strategies: shipped ones by name, a user's own by `FILE:Class`.

Not here: running them.
"""

from __future__ import annotations

import decimal
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from holdfast.errors import ConfigError
from holdfast.strategy.api import Strategy
from holdfast.strategy.parameters import build

SHIPPED: dict[str, str] = {
    "bollinger_reversion": "holdfast.strategy.shipped.bollinger_reversion:BollingerReversion",
    "dca": "holdfast.strategy.shipped.dca:Dca",
    "donchian_breakout": "holdfast.strategy.shipped.donchian_breakout:DonchianBreakout",
    "grid": "holdfast.strategy.shipped.grid:Grid",
    "macd_trend": "holdfast.strategy.shipped.macd_trend:MacdTrend",
    "rebalance": "holdfast.strategy.shipped.rebalance:Rebalance",
    "rsi_reversion": "holdfast.strategy.shipped.rsi_reversion:RsiReversion",
    "sma_cross": "holdfast.strategy.shipped.sma_cross:SmaCross",
}


def find(name: str) -> type[Strategy]:
    """The strategy class called `name`: a shipped name, or `path/to/file.py:Class`.

    Raises:
        ConfigError: no such name, file or class, or the file does not load.
    """
    if name in SHIPPED:
        module_name, class_name = SHIPPED[name].split(":")
        found: type[Strategy] = getattr(importlib.import_module(module_name), class_name)
        return found
    if ":" not in name:
        raise ConfigError(
            f"seen: strategy {name!r}; expected: one of {', '.join(SHIPPED)} or FILE:Class"
        )
    path, _, class_name = name.rpartition(":")
    return _from_file(Path(path), class_name)


class _AsWritten(SourceFileLoader):
    """Runs what the file says now. Compiled code that was kept of it counts as the same where size
    and second of the change are the same, and then other code would run than its identity says.
    """

    def get_code(self, fullname: str) -> CodeType:
        return _compiled(self.get_data(self.path), self.path)


@lru_cache(maxsize=64)
def _compiled(source: bytes, path: str) -> CodeType:
    return InspectLoader.source_to_code(source, path)


def _from_file(path: Path, class_name: str) -> type[Strategy]:
    if not path.is_file():
        raise ConfigError(f"seen: no file {path}; expected: FILE:Class with an existing file")
    if path.suffix != ".py":
        raise ConfigError(f"seen: {path}; expected: a Python file (.py)")
    module_name = f"holdfast_user_{path.stem}"
    loader = _AsWritten(module_name, str(path))
    module = importlib.util.module_from_spec(ModuleSpec(module_name, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[module_name] = module
    try:
        # A file that sets a precision of its own sets nobody else's.
        with decimal.localcontext():
            loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(
            f"seen: {path}{line} does not load: {type(error).__name__}: {_message(error)}; "
            "expected: Python that can be imported; do: correct the file"
        ) from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        there = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
        ]
        raise ConfigError(
            f"seen: no strategy {class_name!r} in {path}; expected: "
            f"{' or '.join(there) or 'a class that inherits from holdfast.strategy.Strategy'}"
        )
    return found


def _message(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def create(name: str, parameters: Mapping[str, Any]) -> Strategy:
    """A strategy with its parameters checked.

    Raises:
        ConfigError: see `find` and `parameters.build`.
    """
    return build(find(name), parameters)
