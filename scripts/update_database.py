#!/usr/bin/env python3
"""Bring the database up to date and see to it that there is an admin: safe to run at each release.

`scripts/update_database.py --admin-email ana@example.com [--database URL] [--password-stdin]`. The
database is otherwise the configuration's (DATABASE_URL, holdfast.toml). The same as
`holdfast db upgrade` and, where nobody is called so yet, `holdfast user create --admin-email`.
"""

from __future__ import annotations

import argparse
import sys

from holdfast.app.identity import at_machine
from holdfast.cli import main
from holdfast.cli.account import operator
from holdfast.cli.database import database_of


def update(words: list[str]) -> int:
    """Do it, and return the exit code of the step that failed, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--admin-email", required=True, help="who is to be an admin")
    parser.add_argument("--database", help="sqlite:///path or postgresql://user@host/name")
    parser.add_argument("--password-stdin", action="store_true", help="otherwise an invitation")
    given = parser.parse_args(words)
    where = ["--database", given.database] if given.database else []
    code = main(["db", "upgrade", *where])
    if code:
        return code
    with at_machine(database_of(given.database), operator()) as users:
        known = [user for user in users.users() if user.name == given.admin_email.strip().lower()]
    if known:
        sys.stdout.write(f"{known[0].name} is there already, as {known[0].role}\n")
        return 0
    how = ["--password-stdin"] if given.password_stdin else []
    return main(["user", "create", "--admin-email", given.admin_email, *how, *where])


if __name__ == "__main__":
    sys.exit(update(sys.argv[1:]))
