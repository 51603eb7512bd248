"""Holdfast: a crypto trading platform that holds on.

Lives here: the public names, loaded on first use so that `import holdfast` stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.app.live.activity import is_trading_active, wait_for_trades_to_complete
    from holdfast.app.markets.data import BarTable, load
    from holdfast.app.research.front import backtest, compare

__version__ = "0.2.0"

# Where each name is; the module is imported when the name is first asked for.
_HOMES = {
    "BarTable": "holdfast.app.markets.data",
    "backtest": "holdfast.app.research.front",
    "compare": "holdfast.app.research.front",
    "is_trading_active": "holdfast.app.live.activity",
    "load": "holdfast.app.markets.data",
    "wait_for_trades_to_complete": "holdfast.app.live.activity",
}

__all__ = [
    "BarTable",
    "__version__",
    "backtest",
    "compare",
    "is_trading_active",
    "load",
    "wait_for_trades_to_complete",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
