"""`holdfast data`: market data on this machine, fetched, imported, checked and listed.

Not here: any of the work (app.data, app.data_download).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.account import JSON
from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED, ConfigError

if TYPE_CHECKING:
    from holdfast.app.markets.data import Findings, Stored, Told
    from holdfast.app.markets.download import Progress

app = typer.Typer(
    no_args_is_help=True,
    epilog="""Examples:

    holdfast data check BTC_USDT-1m.csv

    holdfast data import BTC_USDT-1m.csv --exchange binance

    holdfast data download --exchange binance --symbol BTC/USDT --timeframe 1h --since 2024-01-01

    holdfast data list --json""",
)

SYMBOL = Annotated[
    str | None, typer.Option(help="BTC/USDT; otherwise what the content or the name tells.")
]
TIMEFRAME = Annotated[
    str | None, typer.Option(help="Length of a candle, 5m; needed where the file does not tell.")
]
COLUMNS = Annotated[
    str | None,
    typer.Option(help="Which column is what: time=Date,open=3 by name or by number from 1."),
]
UNIT = Annotated[
    str | None, typer.Option(help="Of Unix times: s, ms, us or ns; otherwise told by their size.")
]
ZONE = Annotated[
    str | None, typer.Option("--tz", help="Time zone of times without one; otherwise UTC.")
]
FOLDER = Annotated[
    Path | None, typer.Option("--dir", help="The catalogue.", show_default=".holdfast/data")
]
_SHOWN = 10


@app.callback()
def data() -> None:
    """Market data on this machine: one Parquet file per exchange, symbol and timeframe."""


@app.command("import")
def import_data(
    files: Annotated[list[Path], typer.Argument(help="CSV, JSON, Parquet, Feather; .gz, .zip.")],
    *,
    symbol: SYMBOL = None,
    timeframe: TIMEFRAME = None,
    columns: COLUMNS = None,
    unit: UNIT = None,
    zone: ZONE = None,
    exchange: Annotated[
        str, typer.Option(help="Whose data they are; a folder of the catalogue.")
    ] = "imported",
    sort: Annotated[bool, typer.Option("--sort", help="Rows may stand in any order.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out broken rows, and say which.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="New values win over those that are there.")
    ] = False,
    folder: FOLDER = None,
    json: JSON = False,
) -> None:
    """Put files of candles or trades into the catalogue. Nothing is repaired, or stored half.

    With --timeframe, trades are built into candles and candles into longer ones.

    Example: holdfast data import BTC_USDT-1m.csv

    Example: holdfast data import dump.csv --symbol BTC/USDT --columns time=ts,volume=4 --tz UTC
    """
    from holdfast.app.markets.data import DEFAULT_FOLDER, Import, import_files, totals  # noqa: PLC0415

    told = _told(symbol, timeframe, columns, unit, zone, sort=sort)
    stored = import_files(
        Import(
            files=tuple(files), told=told, exchange=exchange, skip_bad=skip_bad, replace=replace,
            folder=folder or DEFAULT_FOLDER,
        )
    )
    if json:
        emit(totals(stored))
    else:
        for entry in stored:
            typer.echo(f"{entry.path}: {_sentence(entry)}")
    for entry in stored:
        _say_left_out(entry)


@app.command()
def download(
    *,
    exchange: Annotated[str, typer.Option(help="Its name at ccxt, such as binance.")],
    symbol: Annotated[list[str], typer.Option(help="BTC/USDT; repeat it for more.")],
    timeframe: Annotated[str, typer.Option(help="Length of a candle: 1m, 1h, 1d.")],
    since: Annotated[str, typer.Option(help="The first day or time, UTC.")],
    until: Annotated[
        str | None, typer.Option(help="The day or time to end before; otherwise now.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Ask a server that speaks as the exchange does, instead.")
    ] = None,
    folder: FOLDER = None,
    json: JSON = False,
) -> None:
    """Fetch the public candles of an exchange that are missing.

    Ctrl-C keeps what has come; the same command goes on from there. No key is needed.

    Example: holdfast data download --exchange binance --symbol BTC/USDT --timeframe 1h
    --since 2024-01-01
    """
    from holdfast.app.markets.data import DEFAULT_FOLDER, totals  # noqa: PLC0415
    from holdfast.app.markets.download import Download, run  # noqa: PLC0415

    wanted = Download(
        exchange=exchange, symbols=tuple(symbol), timeframe=timeframe, since=since, until=until,
        url=url, folder=folder or DEFAULT_FOLDER,
    )  # fmt: skip
    with _progress() as progress:
        fetched = run(wanted, progress)
    if json:
        emit(totals(fetched))
    for entry in fetched:
        if not json:
            typer.echo(f"{entry.path}: {_sentence(entry)}")
        typer.echo(f"{entry.symbol}: {entry.added:,} new candles", err=True)
        if entry.rounded:
            typer.echo(f"  {entry.rounded:,} numbers had more than 15 digits", err=True)
        for fault in entry.left_out[:_SHOWN]:
            typer.echo(f"  left out: {fault.reason}", err=True)
    if not all(entry.complete for entry in fetched):
        typer.echo("stopped; what came is kept, the same command goes on from there", err=True)
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on stderr, one line per symbol, where a person watches."""
    from rich.console import Console  # noqa: PLC0415  # slow
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    tasks = {}
    with Bar(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:

        def show(symbol: str, done_ns: int, total_ns: int) -> None:
            if symbol not in tasks:
                tasks[symbol] = bar.add_task(symbol)
            # Nothing to do is all done.
            bar.update(tasks[symbol], completed=done_ns or not total_ns, total=total_ns or 1)

        yield show


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A recording of candles or trades.")],
    *,
    symbol: SYMBOL = None,
    timeframe: TIMEFRAME = None,
    columns: COLUMNS = None,
    unit: UNIT = None,
    zone: ZONE = None,
    json: JSON = False,
) -> None:
    """Look for holes, duplicates and bad rows. Changes nothing; exit code 1 when it finds some.

    A hole lies between the bars at `from` and `to`.

    Example: holdfast data check BTC_USDT-1m.csv
    """
    from holdfast.app.markets.data import check as look  # noqa: PLC0415

    found = look(file, _told(symbol, timeframe, columns, unit, zone, sort=False))
    if json:
        emit(found)
    else:
        typer.echo(f"{file}: {_sentence(found)}")
        _show("hole", (f"{gap.from_} to {gap.to}: {gap.missing:,} missing" for gap in found.gaps))
        _show("fault", (f"row {fault.row}: {fault.reason}" for fault in found.faults))
        typer.echo("nothing wrong" if found.is_clean else "nothing was changed")
    if not found.is_clean:
        raise typer.Exit(EXIT_FAILED)


@app.command("list")
def list_data(*, folder: FOLDER = None, json: JSON = False) -> None:
    """Show what is in the catalogue. Example: holdfast data list"""
    from holdfast.app.markets.data import DEFAULT_FOLDER, totals  # noqa: PLC0415
    from holdfast.app.markets.data import list_data as listed  # noqa: PLC0415

    entries = listed(folder or DEFAULT_FOLDER)
    if json:
        emit(totals(entries))
        return
    for entry in entries:
        typer.echo(f"{entry.path}: {_sentence(entry)}")
    if not entries:
        typer.echo("nothing yet: holdfast data download, or holdfast data import FILE")


def _told(
    symbol: str | None,
    timeframe: str | None,
    columns: str | None,
    unit: str | None,
    zone: str | None,
    *,
    sort: bool,
) -> Told:
    from holdfast.app.markets.data import Told  # noqa: PLC0415

    said: dict[str, str] = {}
    for part in (columns or "").split(","):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if part and not (ours and equals and theirs):
            raise ConfigError(
                f"seen: --columns {part}; expected: our name = the file's; "
                "do: write --columns time=Date,open=Open"
            )
        if part:
            said[ours] = theirs
    return Told(
        symbol=symbol, timeframe=timeframe, columns=said, unit=unit, zone=zone, sort=sort
    )


def _sentence(found: Findings) -> str:
    what = f"candles of {found.timeframe}" if found.timeframe else "trades"
    span = f", {found.first} to {found.last}" if found.first else ""
    text = f"{found.symbol}, {found.rows:,} {what}{span}"
    for count, one, many in (
        (len(found.gaps), "hole", "holes"),
        (found.duplicates, "duplicate", "duplicates"),
        (found.bad_rows, "bad row", "bad rows"),
    ):
        if count:
            text += f", {count:,} {one if count == 1 else many}"
    return text


def _show(what: str, lines: Iterable[str]) -> None:
    every: list[Any] = list(lines)
    for line in every[:_SHOWN]:
        typer.echo(f"  {what}: {line}")
    if len(every) > _SHOWN:
        typer.echo(f"  … and more ({len(every):,} in all; --json shows them)")


def _say_left_out(entry: Stored) -> None:
    if not entry.left_out_rows:
        return
    typer.echo(f"left out {entry.left_out_rows:,} rows of {entry.sources[-1]}:", err=True)
    for fault in entry.left_out[:_SHOWN]:
        typer.echo(f"  row {fault.row}: {fault.reason}", err=True)
    if entry.left_out_rows > _SHOWN:
        typer.echo(f"  … and {entry.left_out_rows - _SHOWN:,} more", err=True)
