"""`holdfast user`, `holdfast token` and `scripts/update_database.py`: words, fields, exit codes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.identity import serving
from holdfast.cli import main
from holdfast.config.identity import IdentitySettings
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.verify import verify
from holdfast.platform.identity.values import Principal, Role, Scope, UnauthenticatedError
from tests.support.identity import AFAR, PASSWORD
from tests.support.postgres import database

ANA = "ana@example.com"
SCRIPT = Path(__file__).parents[3] / "scripts" / "update_database.py"


class Machine:
    """A command line over one database."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
        self.url = url
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def run(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """What it says on stdout; on stderr when it fails."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        assert main([*words, "--database", self.url]) == code
        said = self._capsys.readouterr()
        return said.err if code else said.out

    def json(self, *words: str, stdin: str = "") -> Any:
        return json.loads(self.run(*words, "--json", stdin=stdin))

    def authenticate(self, bearer: str) -> Principal:
        """As the API would."""

        async def run() -> Principal:
            with serving(SqliteDatabase(Path(self.url[10:])), IdentitySettings()) as identity:
                return await identity.authenticate(bearer)

        return asyncio.run(run())


@pytest.fixture
def machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Machine:
    return Machine(f"sqlite:///{tmp_path}/new/journal.db", capsys, monkeypatch)


def test_the_first_admin_is_made_on_a_machine_with_nothing(machine: Machine) -> None:
    said = machine.run("user", "create", "--admin-email", ANA)
    assert f"{ANA}  admin, owns everything; signs in by nothing yet" in said
    code = re.search(r"http://127\.0\.0\.1:8080/#invitation=(hfc_\S+)", said)
    assert code is not None

    async def accept() -> Role:
        with serving(SqliteDatabase(Path(machine.url[10:])), IdentitySettings()) as identity:
            tokens = await identity.accept_invitation(code[1], PASSWORD, AFAR)
            return tokens.principal.role

    assert asyncio.run(accept()) is Role.ADMIN
    assert "signs in by password" in machine.run("user", "list")
    assert verify(SqliteDatabase(Path(machine.url[10:]))).ok


def test_there_is_nobody_and_no_password_before_somebody_is_made(machine: Machine) -> None:
    assert "no users" in machine.run("user", "list")
    assert machine.json("user", "list") == {"users": []}


def test_a_password_may_come_by_stdin_and_is_checked(machine: Machine) -> None:
    refused = machine.run(
        "user", "create", "--admin-email", ANA, "--password-stdin", stdin="short\n", code=1
    )
    assert "5 characters" in refused
    made = machine.json(
        "user", "create", "--admin-email", ANA, "--password-stdin", stdin=f"{PASSWORD}\n"
    )
    assert (made["user"]["role"], made["user"]["has_password"]) == ("admin", True)
    assert "nothing on stdin" in machine.run("user", "password", ANA, "--password-stdin", code=2)


def test_users_are_changed_and_the_last_admin_stays(machine: Machine) -> None:
    machine.run("user", "create", "--admin-email", ANA)
    machine.run("user", "create", "ben", "--role", "trader", "--grant", "main")
    assert "owns alt/cross, main" in machine.run("user", "grant", "ben", "alt/cross")
    assert "owns alt/cross;" in machine.run("user", "grant", "ben", "main", "--revoke")
    assert "DISABLED" in machine.run("user", "set", "ben", "--disabled")
    assert "viewer" in machine.run("user", "set", "ben", "--enabled", "--role", "viewer")
    assert "only admin" in machine.run("user", "set", ANA, "--disabled", code=1)
    assert "already" in machine.run("user", "create", "BEN", code=1)
    assert "no user" in machine.run("user", "set", "eve", "--disabled", code=1)
    assert "nothing to change" in machine.run("user", "set", "ben", code=2)
    assert "one of them" in machine.run("user", "create", code=2)
    assert "ACCOUNT/BOT" in machine.run("user", "grant", "ben", "a b", code=1)


def test_a_token_is_shown_once_acts_and_is_revoked(machine: Machine) -> None:
    machine.run("user", "create", "ben", "--role", "trader", "--grant", "main")
    secret = machine.run("token", "create", "ben", "laptop", "--scope", "trade").strip()
    who = machine.authenticate(secret)
    assert (who.name, who.owns("main")) == ("ben", True)
    assert who.scopes == {Scope.TRADE}
    listed = machine.run("token", "list", "ben")
    assert "laptop: trade; until" in listed
    assert secret not in listed
    assert machine.run("token", "revoke", who.token_id)
    with pytest.raises(UnauthenticatedError):
        machine.authenticate(secret)
    assert machine.json("token", "list", "ben") == {"tokens": []}
    assert "for a trader" in machine.run("token", "create", "ben", "x", "--scope", "admin", code=1)
    assert "no token" in machine.run("token", "revoke", "hf_x", code=1)


def test_sessions_are_shown_and_ended(machine: Machine) -> None:
    machine.run(
        "user", "create", "--admin-email", ANA, "--password-stdin", stdin=f"{PASSWORD}\n"
    )

    async def sign_in() -> str:
        with serving(SqliteDatabase(Path(machine.url[10:])), IdentitySettings()) as identity:
            return (await identity.sign_in(ANA, PASSWORD, "", AFAR)).access_token

    bearer = asyncio.run(sign_in())
    assert machine.authenticate(bearer).name == ANA
    assert AFAR.address in machine.run("user", "sessions", ANA)
    assert "1 sessions ended" in machine.run("user", "sessions", ANA, "--end")
    with pytest.raises(UnauthenticatedError):
        machine.authenticate(bearer)
    assert "0 sessions" in machine.run("user", "sessions", ANA)


def test_a_new_key_makes_access_tokens_worthless(machine: Machine) -> None:
    machine.run(
        "user", "create", "--admin-email", ANA, "--password-stdin", stdin=f"{PASSWORD}\n"
    )

    async def sign_in() -> str:
        with serving(SqliteDatabase(Path(machine.url[10:])), IdentitySettings()) as identity:
            return (await identity.sign_in(ANA, PASSWORD, "", AFAR)).access_token

    bearer = asyncio.run(sign_in())
    machine.run("token", "new-key")
    with pytest.raises(UnauthenticatedError):
        machine.authenticate(bearer)
    machine.authenticate(asyncio.run(sign_in()))


def _update(url: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--admin-email", ANA, "--database", url, *words],
        capture_output=True, text=True, check=True, env={**os.environ, "HOLDFAST_DEBUG": ""},
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_script_of_releases_upgrades_and_makes_an_admin_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with database(empty=True) as url:
        where = url if kind == "postgres" else f"sqlite:///{tmp_path}/journal.db"
        first, again = _update(where), _update(where)
    assert "#invitation=hfc_" in first
    assert f"{ANA} is there already, as admin" in again
    assert "hfc_" not in again
