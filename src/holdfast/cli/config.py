"""`holdfast config`: what a node would be told, from file and environment.

Not here: the rules (holdfast.config).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from holdfast.cli.output import emit
from holdfast.config import Config, load
from holdfast.telemetry.log import masked_text

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
    """Show the effective configuration. Secrets are references or masked, so nothing here is
    secret.

    Example: holdfast config show --file holdfast.toml
    """
    effective = load(file)
    # The address of a database may carry a password; the user's name in it is no secret.
    cluster = effective.cluster
    effective = msgspec.structs.replace(
        effective,
        database_url=masked_text(effective.database_url),
        cluster=msgspec.structs.replace(cluster, lease_url=masked_text(cluster.lease_url)),
    )
    if json:
        emit(effective)
        return
    for key, value in _lines(effective):
        typer.echo(f"{key} = {value}")


def _lines(effective: Config) -> list[tuple[str, str]]:
    """Each value with its dotted key, in the order of the file."""
    found: list[tuple[str, str]] = []

    def walk(key: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for name, item in value.items():
                walk(f"{key}.{name}" if key else name, item)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                walk(f"{key}[{index}]", item)
        else:
            found.append((key, msgspec.json.encode(value).decode()))

    walk("", msgspec.to_builtins(effective))
    return found
