"""`holdfast strategy`: which strategies there are, and what they can be told.

Not here: finding them (strategy.load).
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli.account import JSON
from holdfast.cli.output import emit

app = typer.Typer(no_args_is_help=True)


@app.callback()
def strategy() -> None:
    """Look at the strategies that a bot can run."""


@app.command("list")
def list_strategies(*, json: JSON = False) -> None:
    """Show the shipped strategies. Example: holdfast strategy list"""
    from holdfast.app.strategies import described  # noqa: PLC0415

    rows = described()
    if json:
        emit({"strategies": rows})
        return
    for row in rows:
        typer.echo(f"{row.name:<20} {row.about}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A shipped strategy, or FILE:Class.")],
    *,
    json: JSON = False,
) -> None:
    """Show a strategy's parameters with type, bounds and default.

    Example: holdfast strategy show sma_cross
    """
    from holdfast.app.strategies import describe  # noqa: PLC0415

    found = describe(name)
    if json:
        emit(found)
        return
    typer.echo(f"{found.name}: {found.about}")
    for parameter, schema in found.parameters.items():
        typer.echo(f"  {parameter}: {_sentence(schema)}")


def _sentence(schema: dict[str, Any]) -> str:
    kind = "decimal" if schema.get("format") == "decimal" else schema.get("type", "any")
    bounds = ""
    if "minimum" in schema and "maximum" in schema:
        bounds = f", {schema['minimum']} to {schema['maximum']}"
    return f"{kind}{bounds}" + (f", default {schema['default']}" if "default" in schema else "")
