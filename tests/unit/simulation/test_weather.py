"""What a seed draws before anything runs."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from holdfast.exchange.accounts import RECEIVED
from holdfast.simulation.clock import Life, Machine
from holdfast.simulation.network import Link
from holdfast.simulation.run import MOST_HELD, SYMBOLS
from holdfast.simulation.store import Trouble
from holdfast.simulation.weather import PLENTY, THIRD_ASSET, Weather, draw_purse, draw_sharing


def test_some_accounts_pay_their_fees_with_a_third_asset_and_most_do_not() -> None:
    drawn = [draw_purse(random.Random(f"fees {seed}")) for seed in range(1, 101)]
    third = [purse for plan, purse in drawn if plan.asset == THIRD_ASSET]
    assert 10 <= len(third) <= 30
    assert all(purse.keys() == {THIRD_ASSET} for purse in third)
    assert {plan.asset for plan, _ in drawn} == {THIRD_ASSET, RECEIVED}


def test_in_some_runs_money_is_short_and_in_some_the_bots_trade_one_symbol() -> None:
    drawn = [
        draw_sharing(random.Random(f"sharing {seed}"), SYMBOLS, must_pay=False)
        for seed in range(1, 201)
    ]
    short = [each for each in drawn if each.cash != PLENTY]
    crowded = [each for each in drawn if each.is_crowded]
    assert 25 <= len(short) <= 55
    assert 25 <= len(crowded) <= 55
    assert any(each.is_crowded for each in short)
    assert all(each.cash < 2 * MOST_HELD for each in short)
    assert {each.symbols for each in drawn} == {SYMBOLS, SYMBOLS[:1] * 2}


def test_where_gaps_are_timed_no_bot_waits_for_another_s_money() -> None:
    for seed in range(1, 51):
        drawn = draw_sharing(random.Random(f"sharing {seed}"), SYMBOLS, must_pay=True)
        assert drawn.cash == PLENTY


def test_a_process_that_was_slow_is_quick_again_when_all_faults_have_ended() -> None:
    slow = Life(Machine("n1"), 1)
    slow.stumbles, slow.stumble_s = 60, 0.2
    node = SimpleNamespace(
        machine=slow.machine, account=slow, crash_at="armed", fail_at="", hold_at=("armed", 20.0)
    )
    off = SimpleNamespace(machine=Machine("n2"), account=None)
    links, troubles = {"n1": Link(), "n2": Link()}, {"n1": Trouble(), "n2": Trouble()}
    faults = _Faults()
    world: Any = SimpleNamespace(
        exchange=SimpleNamespace(
            desk=SimpleNamespace(gateway=SimpleNamespace(faults=faults, incidents=faults))
        ),
        nodes=[node, off], plan=SimpleNamespace(net_delay_s=0.01),
        backend=SimpleNamespace(trouble=troubles.__getitem__),
        network=SimpleNamespace(link=links.__getitem__),
    )  # fmt: skip
    Weather.mend(world)
    assert (slow.stumbles, node.crash_at, node.hold_at) == (0, "", None)
    assert faults.ended == 2


class _Faults:
    """Those of an exchange."""

    ended = 0

    def clear(self) -> None:
        self.ended += 1

    end_all = clear
