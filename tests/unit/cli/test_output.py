"""What verbs print: money as text, one document."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from holdfast.cli.output import emit


class Result(msgspec.Struct):
    equity: Decimal
    parts: tuple[Decimal, ...]
    by_symbol: dict[str, Decimal]


def test_money_is_text_without_exponent_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Result(Decimal("1E+4"), (Decimal("0.10"),), {"BTC/USDT": Decimal("1E-8")}))
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "equity": "10000",
        "parts": ["0.1"],
        "by_symbol": {"BTC/USDT": "0.00000001"},
    }
    assert out.count("\n") == 1
