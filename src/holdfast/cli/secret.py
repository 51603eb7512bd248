"""`holdfast secret`: whether the secrets that a configuration refers to are there.

Not here: what is known of them (app.secrets).
"""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast.app.secrets import OLD_DAYS, SecretState, examined, references_of, worst
from holdfast.cli.account import CONFIG, JSON
from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.errors import exit_code

app = typer.Typer(no_args_is_help=True)


@app.callback()
def secret() -> None:
    """Look after secrets by reference. None of this ever shows one."""


@app.command()
def check(
    reference: Annotated[
        str | None,
        typer.Argument(help="One reference; otherwise all of the configuration.", metavar="[REF]"),
    ] = None,
    *,
    config: CONFIG = None,
    json: JSON = False,
) -> None:
    """Say of each reference whether it leads to a secret, its version and age, never the value.

    Exit code 2 when one does not, 4 when who keeps it does not answer.
    Example: holdfast secret check vault:secret/prod/trading/binance#api_key
    """
    wanted = [("argument", reference)] if reference else list(references_of(load(config)))
    found = [examined(setting, text) for setting, text in wanted]
    error = worst(found)
    if json:
        emit({"ok": error is None, "secrets": found})
    else:
        for one in found:
            typer.echo(_line(one))
    if error is not None:
        raise typer.Exit(exit_code(error))


def _line(one: SecretState) -> str:
    if one.problem:
        return f"fail  {one.setting}: {one.problem}"
    told = [one.leads_to]
    if one.version:
        told.append(f"version {one.version}")
    if one.age_days is not None:
        told.append(f"{one.age_days:.0f} days old")
    text = f"{'warn' if one.is_old or one.is_exposed else 'ok':<4}  {one.setting}: "
    text += ", ".join(told)
    if one.is_old:
        text += f"\n      do: replace the key at the exchange, as every {OLD_DAYS} days"
    if one.is_exposed:
        text += f"\n      do: chmod 600 {one.leads_to.removeprefix('file:')}"
    return text
