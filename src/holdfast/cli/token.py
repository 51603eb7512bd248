"""`holdfast token`: programs that may act for a user, and the keys of access tokens.

Not here: users (`holdfast user`).
"""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast.cli.account import JSON
from holdfast.cli.database import DATABASE
from holdfast.cli.output import emit
from holdfast.cli.user import console
from holdfast.cli.when import moment
from holdfast.config.identity import identity_settings
from holdfast.platform.identity.values import Scope

app = typer.Typer(no_args_is_help=True)

USER = Annotated[str, typer.Argument(help="The user's name.")]
_DAY_S = 86_400


@app.callback()
def token() -> None:
    """Let programs act for a user, and take that back."""


@app.command()
def create(
    user: USER,
    label: Annotated[str, typer.Argument(help="To know it by.")],
    *,
    scope: Annotated[
        list[Scope], typer.Option("--scope", help="What it is for; again for more.")
    ] = [Scope.READ],  # noqa: B006 - Typer reads it, nobody changes it
    days: Annotated[int, typer.Option(min=0, max=3650, help="Until it ends; 0 never.")] = 90,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Make a token; it is shown once and kept as a hash.

    Example: holdfast token create ana@example.com laptop --scope read --scope trade
    """
    with console(database) as users:
        made = users.create_token(user, label, scope, days * _DAY_S)
    if json:
        emit({"token": made.token, "secret": made.secret})
        return
    typer.echo(made.secret)
    until = moment(made.token.expires_ns) if made.token.expires_ns else "revoked"
    typer.echo(
        f"{made.token.name}: may {', '.join(sorted(made.token.scopes))} until {until}; it is not "
        "shown again",
        err=True,
    )


@app.command("list")
def list_tokens(user: USER, *, database: DATABASE = None, json: JSON = False) -> None:
    """Show a user's tokens. Example: holdfast token list ana@example.com"""
    with console(database) as users:
        found = users.tokens(user)
    if json:
        emit({"tokens": found})
        return
    for one in found:
        seen = f"seen {moment(one.last_used_ns)}" if one.last_used_ns else "never used"
        until = moment(one.expires_ns) if one.expires_ns else "revoked"
        scopes = ", ".join(sorted(one.scopes))
        typer.echo(f"{one.prefix}  {one.name}: {scopes}; until {until}, {seen}")
    if not found:
        typer.echo("no tokens")


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, or how it begins: hf_…")],
    *,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """End a token; it is felt within a second.

    Example: holdfast token revoke hf_0123456789abcdef
    """
    with console(database) as users:
        users.revoke_token(token)
    if json:
        emit({"token": token, "revoked": True})
    else:
        typer.echo(f"{token}: revoked")


@app.command("new-key")
def new_key(*, database: DATABASE = None, json: JSON = False) -> None:
    """Sign access tokens with a new key, and let none of the old ones prove anything.

    For when a key may be known to somebody; nobody has to sign in again. With JWT_SECRET in the
    environment of the API it must be here too. Example: holdfast token new-key
    """
    with console(database) as users:
        kid = users.replace_keys(identity_settings().jwt_secret)
    if json:
        emit({"kid": kid})
    else:
        typer.echo(f"{kid}: signs from here on")
