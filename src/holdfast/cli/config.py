"""`holdfast config`: what a node would be told, from file and environment.

Not here: the rules (holdfast.config), where each setting comes from (app.settings).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.config.variables import Effect, misnamed, with_effect

app = typer.Typer(no_args_is_help=True)


@app.callback()
def config() -> None:
    """Look at the configuration."""


@app.command()
def show(
    *,
    file: Annotated[
        Path | None, typer.Option(help="A TOML file instead of holdfast.toml.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show the effective configuration, and where each setting comes from. Secrets are references
    or masked, so nothing here is secret.

    Example: holdfast config show --file holdfast.toml
    """
    from holdfast.app.settings import effective_settings, masked  # noqa: PLC0415

    effective = load(file)
    settings = effective_settings(effective, file)
    notes = [f"{name} is set, which nothing reads: {known} is" for name, known in misnamed()]
    notes += [f"{v.name} is set and has no effect: {v.what}" for v in with_effect(Effect.NONE)]
    if json:
        origins = {one.key: one.origin for one in settings}
        emit({**masked(effective), "origins": origins, "notes": notes})
        return
    for one in settings:
        typer.echo(f"{one.key} = {one.value}  {typer.style(f'# {one.origin}', dim=True)}")
    for note in notes:
        typer.echo(note, err=True)
