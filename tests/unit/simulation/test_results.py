"""Files of a campaign: added up when they belong together, refused with the reason when not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.errors import ConfigError
from holdfast.simulation.outcome import UNTIMED, Outcome, Violation
from holdfast.simulation.results import Settings, sum_of

OURS = Settings(minutes=10.0, commit="0123456789ab")


def outcome(seed: int, *, trace: str = "", orders: int = 10, wrong: bool = False) -> Outcome:
    return Outcome(
        seed=seed, virtual_s=600.0, wall_s=7.0, cpu_s=6.0,
        counts={"orders": orders, "starts": 3, UNTIMED: 1},
        violations=(Violation("I1", "twice", 1.0),) if wrong else (),
        trace_hash=trace or f"trace of {seed}", profile="fast", gaps_s=(0.25, 0.75),
    )


def written(file: Path, *outcomes: Outcome, settings: Settings = OURS, torn: bytes = b"") -> Path:
    lines = [msgspec.json.encode(settings), *map(msgspec.json.encode, outcomes)]
    file.write_bytes(b"\n".join(lines) + b"\n" + torn)
    return file


def test_ranges_add_up_and_a_seed_that_is_in_both_counts_once(tmp_path: Path) -> None:
    one = written(tmp_path / "a", outcome(1), outcome(2), torn=b'{"seed":3,"virt')
    two = written(tmp_path / "b", outcome(2), outcome(5, wrong=True))
    found = sum_of([one, two]).document()
    assert (found["seeds"], found["of"], found["orders"]) == (3, "1-2, 5", 30)
    assert found["restarts"] == 0, "each of three nodes was started once in each run"
    assert (found["virtual_seconds"], found["speed"]) == (1800.0, 100.0)
    assert found["gaps_alone_s"]["fast"] == {"number": 6, "p50": 0.25, "p99": 0.75, "max": 0.75}
    assert found["gaps_alone_untimed"] == 3
    assert [(v["seed"], v["invariant"]) for v in found["violations"]] == [(5, "I1")]
    assert one.read_bytes().endswith(b"virt"), "adding up changes nothing"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (Settings(minutes=10.0, commit="ba9876543210"), "not added up"),
        (Settings(minutes=5.0, commit=OURS.commit), "not added up"),
        (Settings(minutes=10.0, commit=OURS.commit, python="3.99"), "not added up"),
        (Settings(minutes=10.0, commit=f"{OURS.commit}-dirty"), "changed code"),
        (Settings(minutes=10.0), "changed code"),
    ],
)
def test_results_of_other_code_or_settings_are_refused(
    tmp_path: Path, settings: Settings, why: str
) -> None:
    one = written(tmp_path / "a", outcome(1))
    with pytest.raises(ConfigError, match=why):
        sum_of([one, written(tmp_path / "b", outcome(2), settings=settings)])


def test_a_seed_that_went_two_ways_is_refused(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a", outcome(1)), written(tmp_path / "b", outcome(1, trace="x"))
    with pytest.raises(ConfigError, match="another way"):
        sum_of([one, two])


def test_what_is_no_such_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("seed,orders\n")
    for file in (tmp_path / "a", tmp_path / "none"):
        with pytest.raises(ConfigError, match=str(file)):
            sum_of([file])
