"""`holdfast job`: ask for background jobs, look at them, cancel them.

Not here: doing them (`holdfast worker`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from holdfast.cli.account import JSON
from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    from holdfast.platform.jobs.port import Job, Jobs

app = typer.Typer(no_args_is_help=True)

OWNER = "operator"
"""Who asks here: whoever may use this machine's command line."""

_Config = Annotated[
    Path | None, typer.Option("--config", help="A TOML file (holdfast.toml).", show_default=False)
]
_Id = Annotated[str, typer.Argument(help="As `holdfast job list` shows it.")]


@app.callback()
def job() -> None:
    """Ask for background jobs, look at them, cancel them."""


@app.command()
def submit(
    kind: Annotated[str, typer.Argument(help="backtest or sweep.")],
    given: Annotated[str, typer.Argument(help="JSON of what that kind takes, or @FILE.")],
    *,
    job_id: Annotated[
        str | None, typer.Option("--id", help="Of your choice: asking again asks for the same.")
    ] = None,
    config: _Config = None,
    json: JSON = False,
) -> None:
    """Ask for a job; a worker does it.

    Example: holdfast job submit backtest '{"strategy": "sma_cross", "data": ["invented"]}'
    """
    words = _read(given)
    with _jobs(config) as jobs:
        made = jobs.submit(kind, words, job_id=job_id or uuid.uuid4().hex, owner=OWNER)
    _show([made], json=json, one=True)


@app.command("list")
def list_(
    *,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 20,
    config: _Config = None,
    json: JSON = False,
) -> None:
    """Show jobs, the newest first.

    Example: holdfast job list --kind sweep
    """
    with _jobs(config) as jobs:
        found = list(jobs.list(kind=kind, limit=limit))
    _show(found, json=json)


@app.command()
def show(job_id: _Id, *, config: _Config = None, json: JSON = False) -> None:
    """Show one job, with what came of it.

    Example: holdfast job show 5f0c…
    """
    with _jobs(config) as jobs:
        found = _there(job_id, jobs.get(job_id))
    _show([found], json=json, one=True)
    if not json:
        for name, file in found.files.items():
            typer.echo(f"  {name}: {file}")
        if found.result:
            typer.echo(msgspec.json.format(found.result, indent=2))


@app.command()
def cancel(job_id: _Id, *, config: _Config = None, json: JSON = False) -> None:
    """Have a job end without a result.

    Example: holdfast job cancel 5f0c…
    """
    with _jobs(config) as jobs:
        found = _there(job_id, jobs.cancel(job_id))
    _show([found], json=json, one=True)


@contextmanager
def _jobs(config: Path | None) -> Iterator[Jobs]:
    from holdfast.app.jobs.installation import board_of, rows_of  # noqa: PLC0415  # --help is quick

    loaded = load(config)
    rows = rows_of(loaded)
    try:
        yield board_of(loaded, rows)
    finally:
        rows.close()


def _read(given: str) -> bytes:
    if not given.startswith("@"):
        return given.encode()
    try:
        return Path(given[1:]).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"seen: {given[1:]} cannot be read ({error.strerror}); expected: a file of JSON"
        ) from error


def _there(job_id: str, found: Job | None) -> Job:
    if found is None:
        raise ConfigError(f"seen: no job {job_id}; expected: one that `holdfast job list` shows")
    return found


def _show(jobs: list[Job], *, json: bool, one: bool = False) -> None:
    if json:
        documents = [_document(found) for found in jobs]
        emit(documents[0] if one else {"jobs": documents})
        return
    for found in jobs:
        at = datetime.fromtimestamp(found.created_at_ns // 1_000_000_000, UTC)
        typer.echo(
            f"{found.id}  {found.kind:<12} {found.state.value:<9} {found.progress:>4.0%}  "
            f"{at:%Y-%m-%d %H:%M}  {found.error or found.note}"
        )


def _document(found: Job) -> dict[str, object]:
    """All of it, with input and result as the JSON that they are."""
    whole = msgspec.structs.asdict(found)
    whole["input"] = msgspec.json.decode(found.input)
    whole["result"] = msgspec.json.decode(found.result) if found.result else None
    return whole
