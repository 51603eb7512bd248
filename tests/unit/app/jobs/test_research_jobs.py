"""Backtests and sweeps as jobs come to what the command line comes to, and read nothing else.

Not here: workers (tests/integration/platform), the runs themselves (app.research).
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.jobs.backtests import backtest_job
from holdfast.app.jobs.inputs import KINDS, BacktestJob, SweepJob, planned_of
from holdfast.app.jobs.places import datasets
from holdfast.app.jobs.sweeps import gather, search_window, windows_of
from holdfast.app.markets.data import Import, Told, import_files, invented_table
from holdfast.app.research.front import backtest, create
from holdfast.app.research.search import Task, search
from holdfast.config import Config
from holdfast.config.jobs import JobSettings, Mail, Sentiment
from holdfast.errors import ConfigError, RejectedError
from holdfast.platform.jobs.child import encoder
from holdfast.platform.jobs.kinds import EndedPart, function_at
from holdfast.platform.jobs.planned import Planned
from holdfast.platform.jobs.port import JobState
from tests.support.job_work import Here

CANDLES = "open_time,open,high,low,close,volume\n" + "".join(
    f"{1_700_006_400_000 + 3_600_000 * n},{100 + n % 7},{120 + n % 7},{90 + n % 7},"
    f"{101 + (n * 3) % 7},5\n"
    for n in range(60)
)


def test_every_kind_names_a_function_of_its_own_input() -> None:
    for kind in KINDS.values():
        for target in filter(None, (kind.run, kind.split)):
            assert function_at(target)[1] is kind.takes
    assert [name for name, kind in KINDS.items() if kind.is_public] == ["backtest", "sweep"]


def test_a_backtest_comes_to_what_the_library_comes_to(tmp_path: Path) -> None:
    work = Here(tmp_path)
    given = BacktestJob(strategy="sma_cross", data=("invented",), params={"fast": 5}, fee_bps="7")
    found = json.loads(encoder.encode(backtest_job(given, work)))
    table = invented_table("INVENTED/USDT", "1h")
    expected = backtest(create("sma_cross", {"fast": 5}), table, fee_bps="7").stats
    expected = json.loads(encoder.encode(expected))
    for noisy in ("run_seconds", "bars_per_second"):
        del found["figures"][noisy], expected[noisy]
    assert found["figures"] == expected
    assert found["provenance"]["params"]["fast"] == 5
    assert Decimal(found["terms"]["fee_bps"]) == 7
    assert (work.folder / "run.json").stat().st_size > 1000
    assert work.told == sorted(work.told)


def test_a_sweep_by_windows_comes_to_what_one_search_comes_to(tmp_path: Path) -> None:
    given = SweepJob(
        strategy="sma_cross", data=("invented",), trials=3, walk_forward=2, seed=5,
        timeframe="1h", fixed={"slow": 60},
    )  # fmt: skip
    parts = windows_of(given, Here(tmp_path))
    ended = []
    for number, part in enumerate(parts, start=1):
        takes = function_at(KINDS[part.kind].run)[1]
        result = search_window(msgspec.json.decode(part.given, type=takes), Here(tmp_path))
        ended.append(
            EndedPart(
                id=f"s:{number}", state=JobState.DONE, input=part.given,
                result=msgspec.Raw(encoder.encode(result)),
            )
        )  # fmt: skip
    found = gather(given, Here(tmp_path, ended))
    table = invented_table("INVENTED/USDT", "1h")
    task = Task("sma_cross", {"slow": 60}, {"cash": "10000", "fee_bps": "10"})
    whole = search(task, table, objective="sharpe", trials=3, walk_forward=2, seed=5)
    assert found.best == whole.best
    assert found.states == Counter(one.state for one in whole.trials)
    assert _judged(found.out_of_sample) == _judged(whole.out_of_sample)
    assert found.in_sample.value == whole.in_sample.value
    lines = (tmp_path / "attempt" / "trials.jsonl").read_text().splitlines()
    assert len(lines) == len(whole.trials) == 6
    assert [one.value for one in found.trials] == sorted(
        (one.value for one in whole.trials if one.value is not None), reverse=True
    )


def _judged(sample: Any) -> Any:
    noisy = ("run_seconds", "bars_per_second")
    figures = {name: value for name, value in sample.figures.items() if name not in noisy}
    return sample.value, figures, [window.params for window in sample.windows]


def test_a_window_that_failed_fails_the_sweep_with_its_reason(tmp_path: Path) -> None:
    given = SweepJob(strategy="sma_cross", data=("invented",))
    null = msgspec.Raw(b"null")
    bad = EndedPart(id="s:1", state=JobState.FAILED, input=null, result=null, error="seen: a hole")
    with pytest.raises(RejectedError, match="seen: a hole"):
        gather(given, Here(tmp_path, [bad]))


def test_datasets_have_names_and_files_of_the_folder_may_be_named(tmp_path: Path) -> None:
    csv = tmp_path / "BTC_USDT-1h.csv"
    csv.write_text(CANDLES)
    import_files(Import(files=(csv,), told=Told(), folder=tmp_path / "data"))
    csv.rename(tmp_path / "data" / csv.name)
    assert list(datasets(tmp_path / "data")) == ["imported.BTC_USDT-1h"]
    results = [
        backtest_job(BacktestJob(strategy="sma_cross", data=(name,), params={"fast": 2, "slow": 4}),
                     Here(tmp_path))
        for name in ("imported.BTC_USDT-1h", "BTC_USDT-1h.csv", "imported/BTC_USDT-1h.parquet")
    ]  # fmt: skip
    assert {(one.symbol, one.figures["bars"]) for one in results} == {("BTC/USDT", 60)}


@pytest.mark.parametrize(
    "asked",
    [
        {"data": ("../secret.csv",)},
        {"data": ("/etc/passwd",)},
        {"data": ("none.csv",)},
        {"data": ("invented",), "strategy": "../evil.py:Evil"},
        {"data": ("invented",), "strategy": "/tmp/evil.py:Evil"},
        {"data": ("invented",), "signals": {"news": "../secret.csv"}},
        {"data": ("invented",), "depth": ("/",)},
        {"data": ("invented",), "strategy": "none"},
        {"data": ("invented",), "params": {"fast": "many"}},
    ],
)
def test_a_job_reads_nothing_outside_its_folders(tmp_path: Path, asked: dict[str, Any]) -> None:
    (tmp_path / "secret.csv").write_text(CANDLES)
    (tmp_path / "evil.py").write_text("raise SystemExit('loaded')")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(ConfigError) as refused:
        backtest_job(BacktestJob(**{"strategy": "sma_cross", **asked}), Here(tmp_path))
    assert "loaded" not in str(refused.value)


def test_a_link_out_of_the_folder_is_outside_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(CANDLES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(ConfigError, match="not in"):
        backtest_job(BacktestJob(strategy="sma_cross", data=("link.csv",)), Here(tmp_path))


def test_mail_and_sentiment_are_planned_where_they_are_configured() -> None:
    plain = [one.kind for one in planned_of(Config())]
    assert plain == ["upkeep"]
    mail = Mail(host="localhost", tls="none", sender="a@b.example", to=("c@d.example",), at="06:30")
    news = Sentiment(feeds=("https://news.example/rss",), file="news.jsonl")
    full = planned_of(Config(jobs=JobSettings(mail=mail, sentiment=news)))
    assert Planned(
        kind="daily-report", every_s=86_400, at_s=23_400, given='{"before":"{slot}"}'
    ) in full
    assert [one.kind for one in full] == ["upkeep", "daily-report", "sentiment"]
    for one in full:
        text = one.given.replace("{slot}", "2026-11-21T00:00:00Z")
        msgspec.json.decode(text, type=KINDS[one.kind].takes)
