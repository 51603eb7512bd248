"""`holdfast reconcile`: compare an account with its exchange now, and book what is accepted.

Not here: the comparison (execution), which its node does.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED, ConfigError


def reconcile(
    *,
    adjust: Annotated[
        list[str] | None,
        typer.Option(help="Accept the difference of this asset and book it; may be repeated."),
    ] = None,
    bot: Annotated[str, typer.Option(help="Whose position lost what is missing.")] = "",
    reason: Annotated[str, typer.Option(help="Kept with what is booked, as its evidence.")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")] = 30.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Compare orders, trades and balances with the exchange; exit code 1 when something differs.

    What agrees again, and what is adjusted, leaves quarantine.

    Example: holdfast reconcile --adjust BTC --reason "sold by hand on 3 May, order 4711"
    """
    from holdfast.app.live.operator import ask, reviewed  # noqa: PLC0415  # --help needs no journal

    if adjust and not reason:
        raise ConfigError(
            "seen: --adjust without --reason; expected: why the books are corrected, which an "
            "auditor will ask; do: add --reason"
        )
    journal, name = database_of(database), account_name(account)
    given = {"adjust": ",".join(adjust or ()), "bot": bot, "reason": reason}
    arguments = {key: value for key, value in given.items() if value}
    seq = ask(journal, name, "reconcile", arguments, by=operator(), wait_s=wait)
    found = reviewed(journal, name, seq)
    if json:
        emit({"account": name, "seq": seq, **msgspec.to_builtins(found, enc_hook=str)})
    else:
        for finding in found.findings:
            typer.echo(f"differs: {finding}")
        for one in found.adjusted:
            typer.echo(f"adjusted: {one.asset} by {one.amount.normalize():f}")
        for what in found.released:
            typer.echo(f"released: {what}")
        for what, why in found.quarantine.items():
            typer.echo(f"in quarantine: {what} ({why})")
        typer.echo(f"{name}: {'agrees' if found.agreed else 'differs'}, record {seq}")
    if not found.agreed:
        raise typer.Exit(EXIT_FAILED)
