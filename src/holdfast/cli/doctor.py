"""`holdfast doctor`: look an installation over.

Not here: what is looked at (app.doctor).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.account import CONFIG, JSON
from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from holdfast.app.doctor import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}


def doctor(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the exchange as well, with the accounts' keys.")
    ] = False,
    config: CONFIG = None,
    account: Annotated[
        str | None, typer.Option(help="Only this one; otherwise all of them.", show_default=False)
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(help="Root of a process to ask: http://127.0.0.1:8080", show_default=False),
    ] = None,
    wait_s: Annotated[
        float, typer.Option(min=0, max=3600, help="How long processes may take to start.")
    ] = 0.0,
    most_ms: Annotated[
        float, typer.Option(min=1, max=60_000, help="How long an answer of one may take.")
    ] = 1000.0,
    json: JSON = False,
) -> None:
    """Look over configuration, host, database, nodes and accounts; with --live also the exchange:
    keys, clock, rates, symbols, and whether something else trades the accounts.

    Nothing is changed, and no order is sent. Exit code 1 when trading like this is not advised, 4
    when all that is wrong is something that does not answer. Example: holdfast doctor --live
    """
    from holdfast.app.accounts import as_far_as_known  # noqa: PLC0415  # --help needs no venue
    from holdfast.app.doctor import Asking, examine, exit_code  # noqa: PLC0415

    loaded = as_far_as_known(load(config))
    names = [one.name for one in loaded.all_accounts]
    if account is not None and account not in names:
        raise ConfigError(
            f"seen: no account {account!r} in the configuration; expected: one of "
            f"{', '.join(names)}; do: correct the name"
        )
    asking = Asking(tuple(url or ()), wait_s, most_ms)
    wrong = [one for one in asking.urls if not one.startswith(("http://", "https://"))]
    if wrong:
        raise ConfigError(
            f"seen: --url {wrong[0]}; expected: http:// or https://; do: correct the address"
        )
    chosen = names if account is None else [account]
    found = []
    for one in examine(loaded, live=live, accounts=chosen, asking=asking):
        found.append(one)
        if not json:
            _tell(one, names)
    code = exit_code(found)
    if json:
        emit(
            {
                "account": chosen[0] if len(chosen) == 1 else None,
                "accounts": chosen, "ok": code == EXIT_OK, "checks": found,
            }
        )  # fmt: skip
    else:
        counts = {grade: sum(one.grade == grade for one in found) for grade in _COLOURS}
        typer.echo(", ".join(f"{count} {grade}" for grade, count in counts.items() if count))
    if code != EXIT_OK:
        raise typer.Exit(code)


def _tell(one: Finding, names: list[str]) -> None:
    """One finding, as soon as it is there: something that does not answer takes its time."""
    where = f"{one.account} " if one.account and len(names) > 1 else ""
    grade = typer.style(f"{one.grade:<4}", fg=_COLOURS[one.grade])
    typer.echo(f"{grade}  {where}{one.check}: {one.seen}")
    if one.do:
        typer.echo(f"      do: {one.do}")
