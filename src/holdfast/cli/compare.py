"""`holdfast compare`: saved backtests side by side.

Not here: running and saving them (backtest), the table and the report (lab).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.account import JSON
from holdfast.cli.backtest import FIGURES, shown
from holdfast.cli.output import emit


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Files that backtest --save has written.")],
    report: Annotated[
        Path | None, typer.Option(help="Write one HTML file with all curves, of up to 8 runs.")
    ] = None,
    *,
    json: JSON = False,
) -> None:
    """Put the figures of several backtests side by side.

    Example: holdfast compare calm.json quick.json --report both.html
    """
    from holdfast.app.research.front import compare as put_side_by_side  # noqa: PLC0415

    found = put_side_by_side(runs)
    if report is not None:
        found.report(report)
    if json:
        emit({"runs": [
            {
                "label": run.label, "file": str(file), "symbol": run.symbol,
                "timeframe": run.timeframe, **run.stats, "provenance": run.provenance,
                "terms": run.terms,
            }
            for run, file in zip(found.runs, runs, strict=True)
        ]})  # fmt: skip
        return
    rows = [("", *(run.label for run in found.runs))]
    rows += [
        (f"{label},{unit}" if unit else label, *(shown(run.stats[name]) for run in found.runs))
        for label, name, unit in FIGURES
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        typer.echo("  ".join((first.ljust(widths[0]), *cells)).rstrip())
    if report is not None:
        typer.echo(f"written: {report}")
