"""Several runs side by side: their figures in one table, their curves in one report.

Lives here: comparing, and runs kept in files for that. Not here: the page (report), what of a run
is kept (payload).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from holdfast.errors import ConfigError
from holdfast.lab.payload import Run, labelled, runs_of
from holdfast.lab.report import FORMAT, Document, write_runs
from holdfast.lab.result import Result

_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Document)


class _Head(msgspec.Struct):
    """What every format of a saved run begins with."""

    format: int



class Comparison(msgspec.Struct, frozen=True):
    """Runs side by side, each under a label that no other has."""

    runs: tuple[Run, ...]

    @property
    def table(self) -> pl.DataFrame:
        """One row per figure, one column per run; null where a figure is undefined."""
        names = list(dict.fromkeys(name for run in self.runs for name in run.stats))
        columns = {
            run.label: pl.Series([_float(run.stats.get(name)) for name in names], dtype=pl.Float64)
            for run in self.runs
        }
        return pl.DataFrame({"figure": names, **columns})

    def report(self, path: str | Path) -> Path:
        """Write all of them as one HTML file that opens offline; see `report.write_report`."""
        return write_runs(self.runs, path)

    def __repr__(self) -> str:
        """One line: the runs' labels."""
        return f"Comparison({'; '.join(run.label for run in self.runs)})"

    def _repr_html_(self) -> str:
        """The table, which is what a notebook shows."""
        return self.table._repr_html_()


def compare(runs: Sequence[Result | str | Path]) -> Comparison:
    """Put runs side by side: results, or files that `save_run` has written.

    Raises:
        ConfigError: there are fewer than two, or a file is no saved run.
    """
    if len(runs) < 2:
        raise ConfigError(f"seen: {len(runs)} runs to compare; expected: at least two")
    made = [
        runs_of([one])[0] if isinstance(one, Result) else read_run(Path(one)) for one in runs
    ]
    return Comparison(tuple(labelled(made)))


def save_run(result: Result, path: str | Path) -> Path:
    """Keep what a report shows of a run, to compare it later; the file appears whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    target = Path(path)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fresh.write_bytes(_encoder.encode(Document(FORMAT, runs_of([result]))))
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(
            f"seen: {target} cannot be written ({error.strerror or error}); expected: a file name "
            "in a folder that exists and is yours; do: name another place"
        ) from error
    return target


def read_run(path: Path) -> Run:
    """A run that `save_run` has kept.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        text = path.read_bytes()
        seen = msgspec.json.decode(text, type=_Head).format
        if seen != FORMAT:
            raise _no_run(path, f"format {seen} of another version, this one reads {FORMAT}")
        document = _decoder.decode(text)
    except OSError as error:
        raise ConfigError(f"seen: {path}: {error.strerror}; expected: a saved run") from error
    except msgspec.MsgspecError as error:
        raise _no_run(path, str(error)) from error
    if len(document.runs) != 1:
        raise _no_run(path, f"{len(document.runs)} runs")
    return document.runs[0]


def _no_run(path: Path, seen: str) -> ConfigError:
    return ConfigError(
        f"seen: {path}: {seen}; expected: a saved run; do: write one with `holdfast backtest … "
        "--save RUN.json`, or `result.save(…)`"
    )


def _float(value: Any) -> float | None:
    """A figure to calculate with; money is text in a file."""
    return None if value is None else float(value)
