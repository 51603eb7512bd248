"""`holdfast cluster`: which nodes take part, and what each leads.

Not here: how they agree on it (the room of the same name).
"""

from __future__ import annotations

import typer

from holdfast.cli.account import CONFIG, JSON
from holdfast.cli.output import emit
from holdfast.config import load

app = typer.Typer(no_args_is_help=True)


@app.callback()
def cluster() -> None:
    """Look at the nodes that share the accounts."""


@app.command()
def nodes(*, config: CONFIG = None, json: JSON = False) -> None:
    """Show each node, whether it lives, and the accounts that it leads.

    Example: holdfast cluster nodes --json
    """
    from holdfast.app.live.members import nodes as found  # noqa: PLC0415  # --help needs no store

    rows = found(load(config))
    if json:
        emit({"nodes": rows})
        return
    for node in rows:
        state = "lives" if node.is_live else "does not renew"
        leads = f"leads {', '.join(node.leads)}" if node.leads else "stands by"
        typer.echo(f"{node.name} (process {node.pid}, {node.version}): {state}, {leads}")
    if not rows:
        typer.echo("no node takes part; start one with `holdfast node`")
