"""Runs side by side: what is kept in files, and that the table says what the runs said."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import ConfigError
from holdfast.lab import report
from holdfast.lab.comparison import compare, read_run
from holdfast.lab.payload import runs_of
from holdfast.lab.result import Result
from tests.support.lab_results import bare_page, market, result


def some() -> list[Result]:
    bars = market(300)
    quick, slow = result(bars, fast=3, slow=9), result(bars, fast=9, slow=30)
    return [quick, slow, msgspec.structs.replace(slow, terms={"latency_ms": "250"})]


def test_a_saved_run_is_the_run(tmp_path: Path) -> None:
    for number, one in enumerate(some()):
        path = one.save(tmp_path / f"{number}.json")
        (kept,) = runs_of([one])
        read = read_run(path)
        assert msgspec.json.encode(read) == msgspec.json.encode(kept)
        assert len(list(tmp_path.iterdir())) == number + 1, "no half of a file is left"


def test_the_table_has_every_figure_of_every_run_from_files_and_results_alike(
    tmp_path: Path,
) -> None:
    runs = some()
    files = [one.save(tmp_path / f"{number}.json") for number, one in enumerate(runs)]
    found, read = compare(runs), compare([files[0], str(files[1]), runs[2]])
    labels = found.table.columns[1:]
    assert labels == [
        "sma_cross fast=3 slow=9",
        "sma_cross fast=9 slow=30",
        "sma_cross fast=9 slow=30 latency_ms=250",
    ]
    assert read.table.equals(found.table)
    for label, one in zip(labels, runs, strict=True):
        column = dict(zip(found.table["figure"], found.table[label], strict=True))
        assert column == {
            name: None if value is None else float(value) for name, value in one.stats.items()
        }
    assert "fast=3" in found._repr_html_()
    assert repr(found) == f"Comparison({'; '.join(labels)})"


def test_one_report_has_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "TEMPLATE", bare_page(tmp_path))
    runs = some()
    files = [one.save(tmp_path / f"{number}.json") for number, one in enumerate(runs)]
    page = compare(files).report(tmp_path / "all.html").read_text(encoding="utf-8")
    text = page.partition('<script id="runs">')[2]
    document = json.loads(text.partition("</script>")[0])
    assert [run["label"] for run in document["runs"]] == compare(files).table.columns[1:]
    assert [len(run["grid"]["equity"]) for run in document["runs"]] == [300] * 3


def test_what_is_no_saved_run_is_named(tmp_path: Path) -> None:
    (run, *_) = some()
    good, bad = run.save(tmp_path / "good.json"), tmp_path / "bad.json"
    with pytest.raises(ConfigError, match="1 runs to compare; expected: at least two"):
        compare([good])
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        compare([good, tmp_path / "none.json"])
    for text in ('{"final_equity": "1"}', "not json", '{"format": 2, "runs": []}'):
        bad.write_text(text)
        with pytest.raises(ConfigError, match=r"bad\.json.*--save RUN\.json"):
            compare([good, bad])
    bad.write_text(good.read_text().replace('"format":2', '"format":1'))
    with pytest.raises(ConfigError, match=r"seen: .*format 1 of another version"):
        compare([good, bad])
    with pytest.raises(ConfigError, match="9 runs for one report"):
        compare([good] * 9).report(tmp_path / "nine.html")
    with pytest.raises(ConfigError, match="cannot be written"):
        run.save(tmp_path / "no" / "folder.json")
