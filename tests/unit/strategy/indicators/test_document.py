"""The document's examples run, and its table is complete and true.

Not here: links and commands in it (test_documents).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.domain.limits import Limits
from holdfast.engine.bot import BotRuntime
from holdfast.strategy import Strategy
from holdfast.strategy.api import BarSeries
from holdfast.strategy.indicators import Shipped

DOCUMENT = Path(__file__).parents[4] / "docs" / "indicators.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)\(([^)]*)\)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|", TEXT, re.MULTILINE)
BARE = {"period": 20}


def test_the_examples_run() -> None:
    names: dict[str, Any] = {"__name__": "document"}
    for example in re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE):
        exec(compile(example, str(DOCUMENT), "exec", dont_inherit=True), names)
    shown = names["BandReversion"]()
    assert isinstance(shown, Strategy)
    bot = BotRuntime("shown", shown, symbols=("BTC/USDT",), timeframe_s=60, limits=Limits())
    assert bot.warmup_bars == 28


@pytest.mark.parametrize(("name", "given", "outputs", "first"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_says_what_is_so(name: str, given: str, outputs: str, first: str) -> None:
    parameters = {
        key: int(default) if default else BARE[key]
        for key, _, default in (one.partition("=") for one in given.split(", "))
    }
    made = getattr(BarSeries([]), name)(**parameters)
    with_defaults = {key: value for key, value in parameters.items() if f"{key}=" not in given}
    assert repr(getattr(BarSeries([]), name)(**with_defaults)) == repr(made)
    assert tuple(re.findall(r"`(\w+)`", outputs)) == made.outputs
    expected = eval(first.replace("×", "*"), {}, parameters)
    assert made.warmup == expected


def test_every_shipped_indicator_has_its_row() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(
        kind.__name__.lower() for kind in Shipped.__subclasses__()
    )
