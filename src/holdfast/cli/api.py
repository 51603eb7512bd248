"""`holdfast api`: the HTTP API and the dashboard.

Not here: what they answer (api), what they are made of (app.web).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit


def api(
    *,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file (holdfast.toml).", show_default=False)
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Print the OpenAPI description and end.")
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON line on stdout when it accepts connections."),
    ] = False,
) -> None:
    """Serve the API and the dashboard until SIGTERM or Ctrl-C. Any number may run.

    PORT (8080) and METRICS_PORT (9090) win over the file. Example: holdfast api --config my.toml
    """
    if describe:
        from holdfast.app.web.serve import described  # noqa: PLC0415  # heavy

        emit(described())
        return
    from holdfast.app.logs import begin_logs  # noqa: PLC0415
    from holdfast.app.web.serve import Listening, run_api  # noqa: PLC0415  # heavy
    from holdfast.config import load  # noqa: PLC0415

    def told(where: Listening) -> None:
        if json:
            emit(where)
        else:
            typer.echo(f"API and dashboard: {where.listening}  (metrics: {where.metrics})")

    loaded = load(config)
    begin_logs(loaded, "api")
    run_api(loaded, told, config)
