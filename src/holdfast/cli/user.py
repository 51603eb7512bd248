"""`holdfast user`: who may use the API and the dashboard, managed by who has the database.

Not here: what users do themselves, which is the API's (password, second factor, sessions).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.account import JSON, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.cli.when import moment
from holdfast.config.identity import identity_settings
from holdfast.errors import ConfigError
from holdfast.platform.identity.values import Grant, Invitation, Role, User

if TYPE_CHECKING:
    from holdfast.app.identity import Console

app = typer.Typer(no_args_is_help=True)

NAME = Annotated[str, typer.Argument(help="With which the user signs in, such as an e-mail.")]
GRANTS = Annotated[
    list[str], typer.Option("--grant", help="An account, or ACCOUNT/BOT; again for more.")
]
_Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Take the password from the first line of stdin.")
]
_Url = Annotated[str, typer.Option("--url", help="Where the dashboard is, for the invitation.")]
URL = "http://127.0.0.1:8080"


@app.callback()
def user() -> None:
    """Say who may use the API and the dashboard, and what is theirs."""


@contextmanager
def console(database: str | None) -> Iterator[Console]:
    """Users and tokens of the database, which is made where there is none."""
    from holdfast.app.identity import at_machine  # noqa: PLC0415  # --help needs no database

    with at_machine(database_of(database), operator()) as opened:
        yield opened


@app.command()
def create(
    name: Annotated[str | None, typer.Argument(help="As `--admin-email`, of any role.")] = None,
    *,
    admin_email: Annotated[
        str | None, typer.Option("--admin-email", help="The first admin: NAME with his role.")
    ] = None,
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.VIEWER,
    grant: GRANTS = [],  # noqa: B006 - Typer reads it, nobody changes it
    password_stdin: _Stdin = False,
    url: _Url = URL,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Let somebody use the platform; without a password he gets an invitation to set one.

    Example: holdfast user create --admin-email ana@example.com
    """
    if (name is None) is (admin_email is None):
        raise ConfigError(
            "seen: both a name and --admin-email, or neither; expected: one of them; do: name who "
            "it is"
        )
    if admin_email is not None:
        role = Role.ADMIN
    password = _password() if password_stdin else ""
    with console(database) as users:
        made = users.create(name or admin_email or "", role, map(_grant, grant), password)
    _tell_made(made, url, json=json)


@app.command()
def invite(
    name: NAME, *, url: _Url = URL, database: DATABASE = None, json: JSON = False
) -> None:
    """Invite a user once more, so that he sets a new password.

    Example: holdfast user invite ana@example.com
    """
    with console(database) as users:
        made = users.invite(name)
    _tell_made(made, url, json=json)


@app.command("list")
def list_users(*, database: DATABASE = None, json: JSON = False) -> None:
    """Show all users. Example: holdfast user list"""
    with console(database) as users:
        found = users.users()
    if json:
        emit({"users": found})
        return
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("no users; do: holdfast user create --admin-email ana@example.com")


@app.command("set")
def set_user(
    name: NAME,
    *,
    role: Annotated[Role | None, typer.Option(help="What the user may do.")] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disabled/--enabled", help="Shut out, or let in again.")
    ] = None,
    reset_totp: Annotated[
        bool, typer.Option("--reset-totp", help="Forget a second factor that was lost.")
    ] = False,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Change what a user may do. It is felt within a second, wherever he is signed in.

    Example: holdfast user set ben@example.com --disabled
    """
    if role is None and disabled is None and not reset_totp:
        raise ConfigError(
            "seen: nothing to change; expected: --role, --disabled, --enabled or --reset-totp; "
            "do: add one"
        )
    with console(database) as users:
        _tell(users.change(name, role=role, disabled=disabled, reset_totp=reset_totp), json=json)


@app.command()
def grant(
    name: NAME,
    what: Annotated[list[str], typer.Argument(help="Accounts, or ACCOUNT/BOT.")],
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take them away.")] = False,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Make accounts or bots a user's to see and, by his role, to act on.

    Example: holdfast user grant ben@example.com main alt/cross
    """
    with console(database) as users:
        _tell(users.grant(name, map(_grant, what), revoke=revoke), json=json)


@app.command()
def password(
    name: NAME, *, password_stdin: _Stdin = False, database: DATABASE = None, json: JSON = False
) -> None:
    """Set a user's password, and end his sessions.

    Example: holdfast user password ana@example.com
    """
    given = _password() if password_stdin else typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True, err=True
    )
    with console(database) as users:
        users.set_password(name, given)
    if json:
        emit({"name": name, "password": "set"})
    else:
        typer.echo(f"{name}: the password is set, and no session of before goes on")


@app.command()
def sessions(
    name: NAME,
    *,
    end: Annotated[bool, typer.Option("--end", help="End them all.")] = False,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Show where a user is signed in, or end that.

    Example: holdfast user sessions ana@example.com --end
    """
    with console(database) as users:
        found = users.sessions(name)
        if end:
            users.end_sessions(name)
    if json:
        emit({"sessions": found, "ended": end})
        return
    for one in found:
        typer.echo(
            f"{one.session_id}  {one.method:<10} since {moment(one.created_ns)}, "
            f"seen {moment(one.last_used_ns)}, from {one.address}  {one.agent}"
        )
    typer.echo(f"{len(found)} sessions{' ended' if end else ''}")


def _password() -> str:
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise ConfigError(
            "seen: nothing on stdin; expected: a password on its first line; do: "
            "`holdfast user … --password-stdin < file`"
        )
    return given


def _grant(text: str) -> Grant:
    account, _, bot = text.partition("/")
    return Grant(account, bot)


def _tell_made(made: Invitation | User, url: str, *, json: bool) -> None:
    if isinstance(made, User):
        _tell(made, json=json)
        return
    address = f"{url.rstrip('/')}/#invitation={made.code}"
    if json:
        emit({"user": made.user, "invitation": address, "expires_ns": made.expires_ns})
        return
    typer.echo(_line(made.user))
    typer.echo(f"To set the password, once, until {moment(made.expires_ns)}:\n  {address}")


def _tell(one: User, *, json: bool) -> None:
    if json:
        emit({"user": one})
    else:
        typer.echo(_line(one))


def _line(one: User) -> str:
    ways = [
        word
        for word, has in (
            ("password", one.has_password), ("second factor", one.has_totp), ("OIDC", one.has_oidc)
        )
        if has
    ]  # fmt: skip
    owns = "everything" if one.role is Role.ADMIN else ", ".join(map(str, one.grants)) or "nothing"
    said = f"{one.name}  {one.role}, owns {owns}; signs in by {' and '.join(ways) or 'nothing yet'}"
    return f"{said}; DISABLED" if one.disabled else said


@app.command()
def seal(*, database: DATABASE = None, json: JSON = False) -> None:
    """Encrypt the secrets of second factors with IDENTITY_KEY, those of a former one as well.

    After the first IDENTITY_KEY, and after another one while IDENTITY_KEY_PREVIOUS, or the version
    before, is the former. Example: holdfast user seal
    """
    sealing = identity_settings().sealing
    if not sealing:
        raise ConfigError(
            "seen: no IDENTITY_KEY; expected: the one that the API has; do: export "
            "IDENTITY_KEY_FILE=..."
        )
    with console(database) as users:
        count = users.seal(sealing)
    if json:
        emit({"sealed": count})
    else:
        typer.echo(f"{count} sealed anew")
