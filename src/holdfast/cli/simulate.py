"""`holdfast simulate`: whole nodes in virtual time, under every fault, from seeds.

Not here: runs and their sums (simulation.campaign).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED, ConfigError

if TYPE_CHECKING:
    from holdfast.simulation.outcome import Outcome
    from holdfast.simulation.results import Settings, Total


def simulate(
    *,
    seeds: Annotated[str, typer.Option(help="A-B, both included.")] = "1-20",
    minutes: Annotated[float, typer.Option(min=0.5, help="Virtual minutes under faults.")] = 5.0,
    nodes: Annotated[int, typer.Option(min=1, max=9, help="That share the account.")] = 3,
    bug: Annotated[str, typer.Option(help="Plant this bug; it must be found.")] = "",
    list_bugs: Annotated[bool, typer.Option("--list-bugs", help="What can be planted.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 1,
    campaign: Annotated[
        Path | None, typer.Option(help="Keep results here, and go on from there.")
    ] = None,
    add_up: Annotated[
        list[Path] | None,
        typer.Option("--add-up", help="Run nothing; add up files of one campaign, each named so."),
    ] = None,
    until_found: Annotated[
        bool, typer.Option("--until-found", help="Begin no further seed after a violation.")
    ] = False,
    at_most_s: Annotated[
        float, typer.Option(min=0, help="Begin no seed after so many real seconds; 0 is no limit.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Run nodes against the local exchange in virtual time, with faults drawn from each seed, and
    hold every event against the invariants. Exit code 1 when one did not hold.

    Example: holdfast simulate --seeds 1-100 --minutes 5 --jobs 2

    Example: holdfast simulate --seeds 1-200 --bug resend_on_timeout --until-found

    Example: holdfast simulate --add-up runs-a.jsonl --add-up runs-b.jsonl --json
    """
    # A moment to import, and `--help` needs none of it.
    from holdfast.simulation.bug_names import BUGS  # noqa: PLC0415
    from holdfast.simulation.campaign import commit_of_this, parse_seeds  # noqa: PLC0415
    from holdfast.simulation.campaign import simulate as run  # noqa: PLC0415
    from holdfast.simulation.results import Settings, sum_of  # noqa: PLC0415

    if list_bugs:
        _show_bugs(BUGS, json=json)
        return
    if bug and bug not in BUGS:
        raise ConfigError(
            f"seen: --bug {bug}; expected: one of `holdfast simulate --list-bugs`; do: correct it"
        )
    settings = Settings(
        minutes=minutes, nodes=nodes, bug=bug, commit=commit_of_this(),
        python="{}.{}".format(*sys.version_info),
    )  # fmt: skip
    wanted = parse_seeds(seeds)
    if add_up:
        total = sum_of(add_up)
    else:
        with _progress(len(wanted), settings) as done:
            total = run(
                wanted, settings, jobs=jobs, done=done, file=campaign, stop_at_first=until_found,
                at_most_s=at_most_s,
            )
    if json:
        emit(total.document())
    else:
        _show(total)
    if total.violations:
        raise typer.Exit(EXIT_FAILED)


def _show_bugs(bugs: dict[str, str], *, json: bool) -> None:
    if json:
        emit({"bugs": [{"name": name, "what": what} for name, what in bugs.items()]})
        return
    width = max(map(len, bugs), default=0)
    for name, what in bugs.items():
        typer.echo(f"{name:<{width}}  {what}")


@contextmanager
def _progress(
    number: int, settings: Settings
) -> Iterator[Callable[[int, Outcome | str], None]]:
    """A bar on stderr where a person watches; the story of each failed seed anywhere."""
    from rich.console import Console  # noqa: PLC0415  # slow
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        line = bar.add_task("seeds", total=number)

        def done(seed: int, came_to: Outcome | str) -> None:
            bar.advance(line)
            if isinstance(came_to, str):
                typer.echo(f"seed {seed} came to nothing: {came_to}", err=True)
            elif came_to.violations:
                _tell(came_to, settings)

        yield done


def _tell(outcome: Outcome, settings: Settings) -> None:
    """What went wrong, what came before it, and how to see it again."""
    first = outcome.violations[0]
    typer.echo(f"\nseed {outcome.seed}: {first.invariant} does not hold: {first.detail}", err=True)
    for event in outcome.timeline:
        typer.echo(f"  {event.at_s:12.6f}  {event.text}", err=True)
    more = len(outcome.violations) - 1
    if more:
        typer.echo(f"  and {more} more violations in this run", err=True)
    bug = f" --bug {settings.bug}" if settings.bug else ""
    typer.echo(
        f"replay: holdfast simulate --seeds {outcome.seed}-{outcome.seed} "
        f"--minutes {settings.minutes:g} --nodes {settings.nodes}{bug}",
        err=True,
    )


def _show(total: Total) -> None:
    figures = total.document()
    typer.echo(
        f"{figures['seeds']} seeds, {figures['virtual_seconds'] / 3600:.1f} virtual hours at "
        f"{figures['speed'] or 0:g} times real time per core: {figures['orders']} orders, "
        f"{figures['fills']} fills, {figures['in_doubt_resolved']} of {figures['in_doubt']} doubts "
        f"resolved, {figures['failovers']} leader changes, {figures['restarts']} restarts, "
        f"{sum(figures['faults_injected'].values())} faults"
    )
    for profile, gap in figures["gaps_alone_s"].items():
        typer.echo(
            f"from a single fault to the next order, {profile}: p50 {gap['p50']:.2f} s, "
            f"p99 {gap['p99']:.2f} s, most {gap['max']:.2f} s of {gap['number']}"
        )
    breaking = figures["assumption_breaking"]
    typer.echo(
        f"assumptions broken on purpose in {breaking['runs']} runs: {breaking['ghosts']} ghosts, "
        "each of them alarmed" if breaking["runs"] else "no assumption was broken on purpose"
    )
    wrong = figures["violations"]
    typer.echo(f"{len(wrong)} violations" if wrong else "every invariant held")
    typer.echo(f"trace {figures['trace_hash'][:16]}")
