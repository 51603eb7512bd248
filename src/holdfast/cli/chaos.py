"""`holdfast chaos`: real nodes, struck on purpose, and every order checked afterwards.

Not here: the run (app.chaos).
"""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED, ConfigError


class Store(StrEnum):
    """What keeps the journal."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Leases(StrEnum):
    """What keeps the leases."""

    JOURNAL = "journal"
    REDIS = "redis"


class Profile(StrEnum):
    """The times of the leases."""

    FAST = "fast"
    STANDARD = "standard"


class Fault(StrEnum):
    """What is done to the leader."""

    KILL = "kill"
    PAUSE = "pause"
    SILENT = "silent"
    PARTITION = "partition"
    LEASES = "leases"
    CLOCK = "clock"
    HANDOVER = "handover"
    SMOKE = "smoke"
    MIXED = "mixed"


_Apart = Annotated[
    bool,
    typer.Option(
        "--apart", help="Strike only when nothing is in doubt any more: for measuring gaps."
    ),
]


def chaos(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often the leader is struck.")] = 20,
    hours: Annotated[
        float,
        typer.Option(min=0, help="Strike nothing for so long, on a busy machine, instead."),
    ] = 0.0,
    store: Annotated[Store, typer.Option(help="What keeps the journal.")] = Store.SQLITE,
    leases: Annotated[
        Leases,
        typer.Option(help="What keeps leases: the journal's store, or a Redis of the run's own."),
    ] = Leases.JOURNAL,
    profile: Annotated[Profile, typer.Option(help="The times of the leases.")] = Profile.FAST,
    fault: Annotated[Fault, typer.Option(help="What is done to the leader.")] = Fault.MIXED,
    nodes: Annotated[int, typer.Option(min=1, max=8, help="How many share the accounts.")] = 2,
    accounts: Annotated[
        int, typer.Option(min=1, max=8, help="How many each node serves; one's leader is struck.")
    ] = 1,
    between_hosts: Annotated[
        bool,
        typer.Option(
            "--between-hosts",
            help="None may look whether another's process still runs (always with silent, smoke).",
        ),
    ] = False,
    apart: _Apart = False,
    seed: Annotated[int, typer.Option(help="Of the market, and of when it strikes.")] = 0,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep everything here, rounds.jsonl too: an empty folder."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Strike the leader again and again, and measure how long nobody trades.

    A local exchange, behind a proxy that makes it 50 ms away, and the store, 1 ms away. All of it
    runs on this machine and ends with this command. Exit code 1 when an order was doubled, lost or
    left unresolved. Ctrl-C, or SIGTERM, ends it after the round that is on, and tells of those
    that were; a second one ends it at once.

    Example: holdfast chaos --rounds 20 --store postgres --fault kill --json
    """
    # It takes a moment to import, and `--help` needs none of it.
    from holdfast.app.chaos.result import sentences  # noqa: PLC0415
    from holdfast.app.chaos.run import Wanted, run_chaos  # noqa: PLC0415

    with _folder(directory) as folder, _progress(hours, rounds) as (say, progress):
        wanted = Wanted(
            folder=folder,
            rounds=0 if hours else rounds,
            hours=hours,
            store=store.value,
            leases=Leases.REDIS.value if fault is Fault.LEASES else leases.value,
            profile=profile.value,
            fault=fault.value,
            nodes=nodes,
            accounts=accounts,
            between_hosts=between_hosts or fault in {Fault.SILENT, Fault.SMOKE},
            apart=apart,
            seed=seed,
        )
        result = asyncio.run(run_chaos(wanted, say, progress))
    if json:
        emit(result)
    else:
        for line in sentences(result):
            typer.echo(line)
    if not result.is_green:
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """The folder of the run; one that nobody asked for goes with it."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as made:
            yield Path(made)
        return
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        is_empty = not any(wanted.iterdir())
    except OSError as error:
        raise ConfigError(
            f"seen: {wanted}: {error.strerror}; expected: a folder that may be written; "
            "do: name another with --dir"
        ) from error
    if not is_empty:
        raise ConfigError(
            f"seen: {wanted} is not empty; expected: a folder for this run alone; "
            "do: name another with --dir"
        )
    yield wanted.absolute()


@contextmanager
def _progress(
    hours: float, rounds: int
) -> Iterator[tuple[Callable[[str], None], Callable[[int], None]]]:
    """A bar on stderr, and sentences above it."""
    from rich.console import Console  # noqa: PLC0415  # slow
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    name, total = ("minutes", math.ceil(hours * 60)) if hours else ("rounds", rounds)
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total)
        yield (
            lambda text: bar.console.print(text, highlight=False, markup=False),
            lambda done: bar.update(task, completed=done),
        )
