"""`holdfast audit`: proof that the journal is what was written.

Not here: the proof itself (journal.verify).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED

if TYPE_CHECKING:
    from holdfast.app.database import Progress, StreamReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Prove what the journal says."""


@app.command()
def verify(
    *,
    database: DATABASE = None,
    account: Annotated[str | None, typer.Option(help="One account; otherwise all.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Check every record against the hash chain, and the tables of what must be unique against
    the records. Exit code 1 when one is bad.

    It may run beside a trading node. Example: holdfast audit verify --account main
    """
    from holdfast.app.database import verify  # noqa: PLC0415  # nobody else needs it

    with _progress() as progress:
        report = verify(database_of(database), account, progress)
    if json:
        emit(report)
    else:
        for stream in report.streams:
            typer.echo(_sentence(stream))
        if not report.streams:
            typer.echo(report.first_bad.reason if report.first_bad else "no streams")
    if not report.ok:
        raise typer.Exit(EXIT_FAILED)


def _sentence(stream: StreamReport) -> str:
    proved = (
        f"{stream.account}: proved to seq {stream.proved_to}, unsealed after {stream.sealed_to}"
    )
    if stream.first_bad is not None:
        return f"{proved}; first bad: {stream.first_bad.seq}\n  {stream.first_bad.reason}"
    if not stream.bad_row_count:
        return proved
    many = "row" if stream.bad_row_count == 1 else "rows"
    said = "is not what the stream says" if many == "row" else "are not what the stream says"
    lines = [f"{proved}; {stream.bad_row_count} {many} of {stream.rows} {said}"]
    lines += [
        f"  {bad.what.value} in {bad.table}: {bad.key} of record {bad.seq}"
        for bad in stream.bad_rows
    ]
    if stream.bad_row_count > len(stream.bad_rows):
        lines.append(f"  … and {stream.bad_row_count - len(stream.bad_rows)} more")
    lines.append("  do: stop, keep the files as evidence, and restore a backup")
    return "\n".join(lines)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on stderr where a person watches; it shows only when there is much to do."""
    from rich.console import Console  # noqa: PLC0415  # slow
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    tasks = {}
    with Bar(
        *columns, TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    ) as bar:  # fmt: skip

        def show(account: str, done: int, records: int) -> None:
            if account not in tasks:
                tasks[account] = bar.add_task(account)
            bar.update(tasks[account], completed=done, total=records)

        yield show
