"""What a run that breaks an assumption is excused, and what not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.app.demo.audit import Finding, Kind
from holdfast.app.demo.told import Told
from holdfast.domain.fact import Ghost
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.simulation.checker import Checker
from holdfast.simulation.verdict import _unexcused
from tests.support import demo_world as world


def judged(findings: list[Finding], *ghosts: int) -> tuple[list[Finding], list[tuple[str, str]]]:
    """What is left of the findings, and the violations; two attempts at intent 1, one at 2."""
    checker = Checker(
        Account(1, world.KEY, "s"), price=lambda _symbol: Decimal(1_000), traded=("BTC/USDT",),
        breaks=True, most_held=Decimal(1),
    )  # fmt: skip
    armed = (world.armed(intent, Side.BUY, "0.1", n=n) for intent, n in ((1, 1), (1, 2), (2, 1)))
    alarms = (Ghost(cid=world.cid(intent), evidence="e") for intent in ghosts)
    checker.told = Told.of([*world.opening(), *armed, *alarms])
    checker.has_disagreed, checker.fold.halted = True, "ghost"
    left = list(_unexcused(checker, findings))
    return left, [(one.invariant, one.cid) for one in checker.violations]


def doubled(intent: int, n: int = 1) -> Finding:
    return Finding(Kind.DUPLICATE, world.cid(intent, n), "d")


def test_a_double_is_excused_by_an_alarm_about_any_attempt_at_its_intent() -> None:
    assert judged([doubled(1, 2)], 1) == ([], [])


def test_one_alarm_excuses_no_other_double() -> None:
    assert judged([doubled(1), doubled(2)], 1) == ([], [("I13", world.cid(2))])


@pytest.mark.parametrize(
    ("finding", "is_excused"),
    [
        (Finding(Kind.LOST, world.cid(1), "d"), True),
        (Finding(Kind.LOST, world.cid(2), "d"), False),
        (Finding(Kind.DIFFERENCE, "balance of BTC", "d"), True),
        (Finding(Kind.DIFFERENCE, "bot of trade 2 of BTCUSDT", "d"), False),
        (Finding(Kind.DIFFERENCE, "folded holding of BTC", "d"), False),
        (Finding(Kind.RESENT, world.cid(1), "d"), False),
    ],
)
def test_a_double_excuses_its_own_order_and_balances_and_nothing_else(
    finding: Finding, is_excused: bool
) -> None:
    left, violations = judged([doubled(1), finding], 1)
    assert left == ([] if is_excused else [finding])
    assert violations == []
