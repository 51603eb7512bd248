"""Searches with Optuna itself: what is tried, what is pruned, what is kept, and who is believed."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import pytest

from holdfast.app.research.front import backtest, create
from holdfast.app.research.search import Search, parts, search, windows
from holdfast.app.research.search_data import SearchData
from holdfast.app.research.search_figures import DIRECTIONS, comparable, direction_of, joined
from holdfast.app.research.search_runs import Runs, Task
from holdfast.app.research.search_space import space_of
from holdfast.errors import ConfigError, RejectedError
from holdfast.market.bar_table import BarTable
from holdfast.strategy import FLAT, Range, Strategy, View, Wish
from holdfast.strategy.shipped.sma_cross import SmaCross
from tests.unit.app.research.test_front import HOUR_NS, table

COSTS = {"cash": "10000", "fee_bps": "10"}
TASK = Task("sma_cross", {"quantity": "5"}, COSTS)
NARROW = ["fast=2:12", "slow=6:30"]
MINE = """
from typing import Annotated
from holdfast.strategy import FLAT, Range, Strategy, Target

class Mine(Strategy):
    size: Annotated[int, Range(1, 6)] = 1

    def decide(self, now):
        return {}
"""


class Many(Strategy):
    """One parameter of each kind."""

    whole: Annotated[int, Range(2, 9)] = 3
    ratio: Annotated[float, Range(0.5, 2)] = 1.0
    amount: Decimal = Decimal("0.1")
    free: int = 7
    careful: bool = False
    mode: Literal["near", "far"] = "near"

    def decide(self, now: View) -> Wish:
        return FLAT


def run(bars: BarTable | None = None, **other: Any) -> Search:
    options = {"objective": "return_pct", "trials": 12, "space": NARROW, "seed": 5, **other}
    return search(TASK, table() if bars is None else bars, **options)


def told(found: Search) -> list[tuple[Any, ...]]:
    return [(one.window, one.number, one.params, one.value, one.state) for one in found.trials]


def test_the_space_is_what_the_strategy_declares_and_bounds() -> None:
    found = {one.name: one for one in space_of(Many, [], {})}
    assert sorted(found) == ["careful", "mode", "ratio", "whole"]
    assert found["whole"].low == 2
    assert found["whole"].high == 9
    assert set(found["mode"].choices) == {"near", "far"}
    more = space_of(Many, ["amount=0.1:0.7:0.2", "free=1:5"], {"mode": "far"})
    assert [one.name for one in more] == ["whole", "ratio", "amount", "free", "careful"]


def test_steps_of_a_decimal_are_exact() -> None:
    class Asked:
        def suggest_int(self, name: str, low: int, high: int) -> int:
            assert (name, low, high) == ("amount", 0, 3)
            return 2

    (amount,) = (d for d in space_of(Many, ["amount=0.1:0.7:0.2"], {}) if d.kind == "decimal")
    assert amount.suggest(Asked()) == "0.5"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("whole=2", "low:high"),
        ("whole=5:2", "low under high"),
        ("whole=2:5:0", "step above zero"),
        ("whole=2:nan", "low:high"),
        ("whole=2:4.5", "whole numbers"),
        ("whole=1:5", "within 2 to 9"),
        ("mode=1:5", "int, float or Decimal"),
        ("other=1:5", "one of whole"),
    ],
)
def test_bounds_that_cannot_be_meant_are_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        space_of(Many, [given], {})


def test_a_required_parameter_needs_a_value_or_bounds() -> None:
    with pytest.raises(ConfigError, match="--param low=VALUE"):
        space_of(type(create("grid", {"low": "1", "high": "2"})), [], {"high": "2"})


def test_the_best_is_the_best_trial_and_a_backtest_of_it_says_the_same() -> None:
    found = run()
    values = [one.value for one in found.trials if one.value is not None]
    assert len(found.trials) == 12
    assert found.best["value"] == max(values)
    again = backtest(create("sma_cross", {**found.best["params"], "quantity": "5"}), table())
    assert again.stats["return_pct"] == found.best["value"] == found.in_sample.value
    assert found.out_of_sample is None


def test_a_figure_that_should_be_small_is_minimized() -> None:
    found = run(objective="max_drawdown_pct")
    values = [one.value for one in found.trials if one.value is not None]
    assert found.best["value"] == min(values) < max(values)


def test_relations_that_do_not_hold_prune_the_trial() -> None:
    found = run(space=["fast=2:40", "slow=3:41"], trials=20)
    pruned = [one for one in found.trials if one.state == "pruned"]
    assert pruned
    assert all(one.params["fast"] >= one.params["slow"] for one in pruned)
    assert all(one.value is None and "fast" in one.reason for one in pruned)
    assert {one.state for one in found.trials} == {"complete", "pruned"}


def test_parameters_with_which_the_strategy_is_never_asked_prune_the_trial() -> None:
    """Such a run costs no fees, and would be the best of them all."""
    found = run(table(60), objective="fees", space=["fast=2:4", "slow=6:200"], trials=20)
    long = [one for one in found.trials if one.params["slow"] > 60]
    assert 0 < len(long) < 20
    assert {one.state for one in long} == {"pruned"}
    assert all("never asked" in one.reason and " 60;" in one.reason for one in long)
    assert found.best["params"]["slow"] <= 60


def test_out_of_sample_has_figures_although_its_window_is_short() -> None:
    task = Task("sma_cross", {"slow": "31"}, COSTS)
    found = search(
        task, table(61), objective="return_pct", space=["fast=2:4"], trials=2, walk_forward=1
    )
    assert found.out_of_sample is not None
    (window,) = found.out_of_sample.windows
    assert (window.bars, window.figures["orders"], window.value) == (30, 0, 0)


def test_an_objective_that_is_never_defined_fails_with_its_name() -> None:
    rows = [(at * HOUR_NS, 100.0, 100.0, 100.0, 100.0, 1.0) for at in range(60)]
    names = ["open_ns", "open", "high", "low", "close", "volume"]
    flat = BarTable(pl.DataFrame(rows, schema=names, orient="row"), symbol="A/B", bar_s=3600)
    with pytest.raises(RejectedError, match="profit_factor is undefined in all 12 trials"):
        run(flat, objective="profit_factor", space=["fast=2:4", "slow=6:9"])


IN_DECIDE = MINE.format("Target(weight=0.1 * self.size) if self.size < 4 else 1 / 0")
IN_UPDATE = f"""{MINE.format("FLAT")}
    def setup(self, on):
        on.bars().add(Own(self.size))

class Own:
    warmup, value, ready = 1, 0.0, True

    def __init__(self, size):
        self.size = size

    def update(self, bar):
        1 / (self.size < 4)
"""


@pytest.mark.parametrize("source", [IN_DECIDE, IN_UPDATE])
def test_a_strategy_that_breaks_fails_its_trial_and_not_the_search(
    source: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(source)
    task = Task(f"{tmp_path}/mine.py:Mine", {}, COSTS)
    found = search(task, table(60), objective="return_pct", trials=20, seed=1)
    states = {one.params["size"]: one.state for one in found.trials}
    assert {"complete", "failed"} == set(states.values())
    assert all((size >= 4) == (state == "failed") for size, state in states.items())
    assert any("ZeroDivisionError" in one.reason for one in found.trials)


def test_a_seed_gives_the_same_search_in_one_process_and_in_two() -> None:
    one, again, two = run(trials=24), run(trials=24), run(trials=24, jobs=2)
    assert told(one) == told(again) == told(two)
    assert one.best == two.best
    assert told(run(trials=24, seed=6)) != told(one)


def test_a_process_of_a_search_has_one_thread_for_its_tables(tmp_path: Path) -> None:
    """More would wait for each other's processors; and it is nobody else's setting."""
    (tmp_path / "mine.py").write_text(
        "import polars\n"
        "from holdfast.strategy import Strategy, View, Wish\n\n"
        "class Mine(Strategy):\n"
        "    fast: int\n\n"
        "    def decide(self, now: View) -> Wish:\n"
        "        raise RuntimeError(f'{polars.thread_pool_size()} threads')\n"
    )
    before = os.environ.get("POLARS_MAX_THREADS")
    bars = SearchData([table()])
    with Runs(Task(f"{tmp_path}/mine.py:Mine", {}, COSTS), bars, 2) as runs:
        outcome = runs.submit((0, len(bars)), {"fast": 2})()
    assert "1 threads" in outcome.broke
    assert os.environ.get("POLARS_MAX_THREADS") == before


def test_a_search_that_was_stopped_goes_on_with_the_same_call(tmp_path: Path) -> None:
    file = str(tmp_path / "study.db")

    def stop(window: int, done: int, trials: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    first = run(study=file, progress=stop)
    assert first.interrupted
    assert len(first.trials) == 5
    assert first.best["value"] == max(one.value for one in first.trials if one.value is not None)
    steps: list[int] = []
    second = run(study=file, progress=lambda window, done, trials: steps.append(done))
    assert steps == [6, 7, 8, 9, 10, 11, 12]
    assert told(second)[:5] == told(first)
    # What was under way when it stopped is told by nobody; its numbers are missing.
    assert len(second.trials) == 12
    assert second.trials[5].number > 5
    assert told(run(study=file)) == told(second)
    with pytest.raises(ConfigError, match="another search"):
        run(study=file, objective="sharpe")


def test_a_search_does_not_go_on_with_the_trials_of_a_strategy_that_was_changed(
    tmp_path: Path,
) -> None:
    own, file = tmp_path / "mine.py", str(tmp_path / "study.db")
    own.write_text(MINE.format("Target(weight=0.1 * self.size)"))
    task = Task(f"{own}:Mine", {}, COSTS)
    options: dict[str, Any] = {"objective": "return_pct", "seed": 1, "study": file}
    first = search(task, table(60), trials=2, **options)
    assert told(search(task, table(60), trials=3, **options))[:2] == told(first)
    own.write_text(MINE.format("FLAT"))
    with pytest.raises(ConfigError, match="another search"):
        search(task, table(60), trials=4, **options)


def test_a_search_does_not_go_on_with_the_trials_of_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "study.db")
    run(study=file, trials=1)
    monkeypatch.setattr("holdfast.app.research.search.__version__", "0.0.0")
    with pytest.raises(ConfigError, match="another search"):
        run(study=file, trials=2)


def test_stopped_in_a_later_window_the_ones_before_are_told() -> None:
    def stop(window: int, done: int, trials: int) -> None:
        if (window, done) == (2, 1):
            raise KeyboardInterrupt

    found = run(walk_forward=2, trials=6, progress=stop)
    assert found.interrupted
    assert found.out_of_sample is not None
    assert [one.window for one in found.out_of_sample.windows] == [1]
    assert [one.window for one in found.trials] == [1] * 6 + [2]


def test_a_study_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database at all, " * 100)
    with pytest.raises(ConfigError, match="cannot be opened as a study"):
        run(study=str(file))
    with pytest.raises(ConfigError, match="cannot be opened as a study"):
        run(study=str(tmp_path / "no" / "folder.db"))


def test_windows_are_cut_as_by_hand() -> None:
    # Four parts of two bars; the three that are over belong to the first.
    assert windows(11, 3) == [((0, 5), (5, 7)), ((0, 7), (7, 9)), ((0, 9), (9, 11))]
    assert windows(11, 0) == [((0, 11), None)]


def test_walk_forward_judges_each_window_on_the_bars_after_it() -> None:
    bars = table(601)
    found = run(bars, walk_forward=2, trials=6)
    assert found.out_of_sample is not None
    assert [one.bars for one in found.in_sample.windows] == [201, 401]
    assert [(one.window, one.number) for one in found.trials] == [
        (window, number) for window in (1, 2) for number in range(6)
    ]
    cash: Any = 10000
    for at, window in enumerate(found.out_of_sample.windows):
        start = 201 + 200 * at
        part = BarTable(bars.frame.slice(start, 200), symbol="BTC/USDT", bar_s=3600)
        made = create("sma_cross", {**found.in_sample.windows[at].params, "quantity": "5"})
        by_hand = backtest(made, part, cash=cash, fee_bps="10")
        assert window.value == by_hand.stats["return_pct"]
        assert window.first == f"{part.dated()['open_time'][0]:%Y-%m-%dT%H:%M:%SZ}"
        cash = by_hand.figures.final_equity
    assert found.out_of_sample.figures["final_equity"] == cash
    assert found.out_of_sample.value == pytest.approx((float(cash) / 10000 - 1) * 100)
    assert found.best["params"] == found.in_sample.windows[-1].params


def both(count: int = 601) -> list[BarTable]:
    """Two symbols, each with bars that the other has not."""
    first, second = table(count, seed=1), table(count, seed=2)
    number = pl.int_range(pl.len())
    return [
        BarTable(first.frame.filter(number % 7 != 3), symbol="BTC/USDT", bar_s=3600),
        BarTable(second.frame.filter(number % 5 != 2), symbol="ETH/USDT", bar_s=3600),
    ]


BANDS = Task("rebalance", {}, COSTS)


@pytest.mark.parametrize("jobs", [1, 2])
def test_several_symbols_are_cut_at_the_same_times(jobs: int) -> None:
    tables = both()
    found = search(
        BANDS, tables, objective="final_equity", trials=6, walk_forward=2, jobs=jobs, seed=4
    )
    assert found.out_of_sample is not None
    closes = sorted({at for one in tables for at in one.frame["open_ns"]})
    sizes = [one.bars for one in found.out_of_sample.windows]
    assert sizes == [len(closes) // 3] * 2
    start, cash = len(closes) - sum(sizes), "10000"
    results = []
    for inside, outside in zip(
        found.in_sample.windows, found.out_of_sample.windows, strict=True
    ):
        until = start + outside.bars
        within = pl.col("open_ns").is_between(closes[start], closes[until - 1])
        parts = [
            BarTable(one.frame.filter(within), symbol=one.symbol, bar_s=3600) for one in tables
        ]
        made = create("rebalance", inside.params)
        results.append(backtest(made, parts, cash=cash, fee_bps="10"))
        assert outside.value == float(results[-1].figures.final_equity)
        start, cash = until, str(results[-1].figures.final_equity)
    # What was held from the first of these bars to the last, in equal parts.
    grown = [
        results[-1].markets[at].close[-1] / results[0].markets[at].close[0] for at in (0, 1)
    ]
    held = found.out_of_sample.figures["buy_hold_return_pct"]
    assert held == pytest.approx((sum(grown) / 2 - 1) * 100)


def test_the_best_of_several_symbols_is_what_a_backtest_says_of_it() -> None:
    tables = both(200)
    found = search(BANDS, tables, objective="return_pct", trials=5, seed=4)
    again = backtest(create("rebalance", found.best["params"]), tables)
    assert again.stats["return_pct"] == found.best["value"]


def test_a_window_without_bars_of_a_symbol_is_told_before_the_first_trial() -> None:
    first, second = both()
    late = BarTable(second.frame.tail(100), symbol="ETH/USDT", bar_s=3600)
    with pytest.raises(ConfigError, match=r"window 1, 1970-.* no bars of ETH/USDT; .*fewer"):
        search(BANDS, [first, late], objective="sharpe", trials=3, walk_forward=3)
    with pytest.raises(ConfigError, match="each symbol once"):
        search(BANDS, [first, first], objective="sharpe", trials=3)


def test_a_random_walk_is_warned_of() -> None:
    found = run(walk_forward=3, objective="sharpe")
    assert found.warnings
    assert "in-sample" in found.warnings[0]


@pytest.mark.parametrize(
    ("inside", "outside", "direction", "apart"),
    [
        (2.0, 1.0, "maximize", False),
        (2.0, 0.9, "maximize", True),
        (2.0, 5.0, "maximize", False),
        (-2.0, -2.9, "maximize", False),
        (-2.0, -3.1, "maximize", True),
        (10.0, 15.0, "minimize", False),
        (10.0, 15.1, "minimize", True),
        (2.0, None, "maximize", True),
    ],
)
def test_samples_part_at_half_of_what_was_found(
    inside: float, outside: float | None, direction: str, apart: bool
) -> None:
    assert parts(inside, outside, direction) is apart


def test_what_grows_with_time_is_compared_per_bar() -> None:
    cash = Decimal(1000)
    assert comparable("return_pct", 10.0, 100, cash) == comparable("return_pct", 20.0, 200, cash)
    assert comparable("final_equity", 1100.0, 100, cash) == pytest.approx(0.001)
    assert comparable("sharpe", 2.0, 100, cash) == 2.0


def test_runs_joined_are_the_figures_of_one_when_there_is_one() -> None:
    result = backtest(SmaCross(fast=3, slow=9, quantity=Decimal(5)), table())
    assert result.figures.profit_factor is not None
    of_this_machine = {"run_seconds", "bars_per_second"}
    assert joined([result]) == {
        name: value for name, value in result.stats.items() if name not in of_this_machine
    }


def test_every_figure_has_a_direction_or_is_refused() -> None:
    stats = backtest(SmaCross(), table(60)).stats
    refused = [name for name in stats if name not in DIRECTIONS]
    assert refused == ["buy_hold_return_pct", "bars", "run_seconds", "bars_per_second"]
    for name in [*refused, "happiness"]:
        with pytest.raises(ConfigError, match="expected: one of final_equity"):
            direction_of(name)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"trials": 0}, "at least one trial"),
        ({"jobs": 0}, "at least one trial"),
        ({"walk_forward": 400}, "fewer windows"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(other: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run(**other)


def test_costs_are_checked_before_the_first_trial() -> None:
    with pytest.raises(ConfigError, match="more than zero"):
        search(Task("sma_cross", {}, {"cash": "0"}), table(60), objective="sharpe", trials=3)


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"holdfast\[search\]"):
        run()
