"""`holdfast db`: the schema of the journal database, and the tables of reports beside it.

Not here: the migrations (journal.migrations) or what is in the journal (`holdfast audit`).
"""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.account import ACCOUNT, CONFIG, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.config import load

if TYPE_CHECKING:
    from holdfast.app.database import Stored

app = typer.Typer(no_args_is_help=True)

_RESTORED = """\
Orders of the lost time stay at the exchange: their trades are booked as no bot's, what they sold
is taken off the bots' positions, and what still rests is for you to take back. Is the old database
gone for good, and every node that wrote it dead?"""

_Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.callback()
def db() -> None:
    """Look at the journal database, bring it up to date, move or restore it, fill its reports."""


@app.command()
def current(*, database: DATABASE = None, json: _Json = False) -> None:
    """Show the schema of the database, the one that this program needs, and who may use it.

    Example: holdfast db current --database sqlite:///.holdfast/journal.db
    """
    from holdfast.app.database import SCHEMA_VERSION  # noqa: PLC0415  # nobody else needs it

    found = database_of(database).version()
    schema = found.schema if found else None
    if json:
        oldest, writes = (found.oldest, found.writes) if found else (None, None)
        emit(
            {"current": schema, "needed": SCHEMA_VERSION, "oldest": oldest, "writes_format": writes}
        )
        return
    typer.echo(f"{schema or 'empty'} (this program: {SCHEMA_VERSION})")
    if found and found.oldest < found.schema:
        typer.echo(f"programs of {found.oldest} may use it until `holdfast db finalize`")


@app.command()
def upgrade(*, database: DATABASE = None, json: _Json = False) -> None:
    """Create the database, or bring it to the schema of this program. Safe to repeat.

    Nodes of the version before go on meanwhile, and beside newer ones until
    `holdfast db finalize`. Example: holdfast db upgrade --database sqlite:///.holdfast/journal.db
    """
    from holdfast.app import database as journal  # noqa: PLC0415  # nobody else needs it

    whose = database_of(database)
    found, now = journal.upgrade(whose)
    before, after = found.schema if found else None, now.schema
    if json:
        emit({"before": before, "after": after})
    else:
        typer.echo(
            f"{whose.name}: {before or 'new'} -> {after}"
            if before != after
            else f"{whose.name}: {after}"
        )


@app.command()
def finalize(*, config: CONFIG = None, json: _Json = False) -> None:
    """Let this version write what the one before cannot read. There is no way back from here.

    Refused while a node of another version runs. Example: holdfast db finalize
    """
    from holdfast.app import versions  # noqa: PLC0415  # nobody else needs it

    _show(versions.finalize(load(config)), "final", json=json)


@app.command()
def downgrade(*, config: CONFIG = None, json: _Json = False) -> None:
    """Go back to the schema before, as long as it was not finalized.

    Refused while a node of this version runs. Example: holdfast db downgrade
    """
    from holdfast.app import versions  # noqa: PLC0415  # nobody else needs it

    _show(versions.downgrade(load(config)), "back", json=json)


def _show(now: Stored, what: str, *, json: bool) -> None:
    if json:
        emit({"current": now.schema, "oldest": now.oldest, "writes_format": now.writes})
    else:
        typer.echo(f"{what} at schema {now.schema}, records of format {now.writes}")


@app.command()
def restored(
    *,
    account: ACCOUNT = None,
    reason: Annotated[str, typer.Option(help="Kept in the journal.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: CONFIG = None,
    json: _Json = False,
) -> None:
    """Go on from a backup that was restored and lacks the last records. Stop all nodes first.

    Ids begin anew, so that none is used twice. The account is halted; the next start books what the
    exchange shows of the lost time. Example: holdfast db restored --reason "disk of db1 is gone"
    """
    from holdfast.app import restoring  # noqa: PLC0415  # nobody else needs it
    from holdfast.app.accounts import with_those_added  # noqa: PLC0415

    found = with_those_added(load(config))
    names = [account] if account else [one.name for one in found.all_accounts]
    seen = {name: restoring.look(found, name) for name in names}
    for name, one in seen.items():
        at = datetime.fromtimestamp(one.ended_ms // 1000, UTC)
        lost = f"at least {one.lost:,} came later" if one.lost else "what came later is not known"
        had = f"{one.head.seq:,} records, to {at:%Y-%m-%d %H:%M:%S} UTC"
        typer.echo(f"{name}: {had}; {lost}", err=True)
    if not yes:
        typer.confirm(_RESTORED, abort=True, err=True)
    begun = restoring.begin_generation(found, seen, by=operator(), reason=reason)
    if json:
        emit({name: {"seq": h.seq, "generation": h.generation} for name, h in begun.items()})
        return
    for name, head in begun.items():
        typer.echo(f"{name}: generation {head.generation} from record {head.seq:,} on, and halted")
    typer.echo("start one node, look at `holdfast positions list`, then `holdfast resume`")


@app.command()
def move(
    *,
    source: Annotated[str, typer.Option("--from", help="sqlite:///path of the journal.")],
    target: Annotated[str, typer.Option("--to", help="postgresql://user@host/name, empty.")],
    json: _Json = False,
) -> None:
    """Move a journal from a file to PostgreSQL: all of it and proved, or nothing.

    Stop nodes, API and workers first. The file is kept as FILE.moved. Example: holdfast db move
    --from sqlite:///.holdfast/journal.db --to postgresql://holdfast@db.example/holdfast
    """
    from holdfast.app import database as journal  # noqa: PLC0415  # nobody else needs it

    def progress(what: str, done: int) -> None:
        typer.echo(f"{what}: {done:,}", err=True)

    moved = journal.move(
        database_of(source, "--from"), database_of(target, "--to"), progress
    )
    if json:
        streams = {
            head.account: {"records": head.seq, "hash": head.hash.hex()} for head in moved.heads
        }
        emit({"rows": moved.rows, "kept": str(moved.kept), "streams": streams})
        return
    for head in moved.heads:
        typer.echo(f"{head.account}: {head.seq:,} records, proved to {head.hash.hex()[:16]}…")
    typer.echo(f"the file is {moved.kept} now; set DATABASE_URL before you start the node")


@app.command()
def report(
    *,
    database: DATABASE = None,
    account: Annotated[str | None, typer.Option(help="One account; otherwise all.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep them up to date until told to stop.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget what is there, and fill it in again.")
    ] = False,
    json: _Json = False,
) -> None:
    """Fill the tables of reports (orders, fills, equity, profit, positions) from the journal.

    It goes on from where it was, beside a trading node, and can be killed at any moment.
    Example: holdfast db report --follow
    """
    from holdfast.app.reports import projector  # noqa: PLC0415  # nobody else needs it

    whose = database_of(database)
    whose.require()
    reports = whose.reports(load().reports)

    def accounts() -> list[str]:
        return [account] if account else projector.accounts_in(whose)

    reports.make(time.time_ns())
    if rebuild:
        for one in accounts():
            reports.reset(one)
    if follow:
        filled = projector.follow(whose, reports, accounts, _told_to_stop(), told=_tell)
    else:
        filled = {one: projector.fill(whose, reports, one, _tell) for one in accounts()}
    condition = reports.condition()
    reports.close()
    if json:
        emit({"accounts": filled, "months": condition.months, "in_default": condition.in_default})
        return
    for name, at in filled.items():
        anew = ", begun anew: the journal has another history" if at.begun_anew else ""
        typer.echo(f"{name}: reports have come to record {at.seq:,}{anew}")
    if condition.months:
        typer.echo(f"months: {condition.months[0]} to {condition.months[-1]}")
    if condition.in_default:
        typer.echo(f"{condition.in_default:,} rows have a time far from all others: look at them")


def _tell(account: str, seq: int, end: int) -> None:
    if end - seq > 0:
        typer.echo(f"{account}: {seq:,} of {end:,}", err=True)


def _told_to_stop() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
