"""The verbs of the command line, as a table that costs no import.

Lives here: name, where the code is, one line of help. Not here: what a verb does (its own module).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

import typer


class Verb(NamedTuple):
    """One word after `holdfast`.

    Attributes:
        name: the word.
        target: `module:attribute` below `holdfast.cli`; the attribute is a `typer.Typer` (the verb
            has sub-verbs) or a function (it has none).
        help: one line for the overview; the module's own docstrings say the rest.
    """

    name: str
    target: str
    help: str

    def load(self) -> typer.Typer | Callable[..., None]:
        """Import the verb's module (this one only) and return what `target` names."""
        module, _, attribute = self.target.partition(":")
        found: typer.Typer | Callable[..., None] = getattr(
            importlib.import_module(f"holdfast.cli.{module}"), attribute
        )
        return found


# In the order of a user's first hour. `holdfast --help` is made of this table alone.
VERBS: tuple[Verb, ...] = (
    Verb("demo", "demo:demo", "See a bot trade on a local exchange, and every order checked."),
    Verb("paper", "paper:paper", "Trade a strategy on live prices, without money or keys."),
    Verb("config", "config:app", "Show the configuration that a node would run with."),
    Verb("doctor", "doctor:doctor", "Look an installation over before it trades."),
    Verb("node", "node:node", "Trade an account, supervised, until told to stop."),
    Verb("api", "api:api", "Serve the HTTP API and the dashboard."),
    Verb("exchange", "exchange:app", "Run an exchange on this machine, for tests and demos."),
    Verb("data", "data:app", "Fetch, import, check and list market data."),
    Verb("backtest", "backtest:backtest", "Run a strategy over recorded bars."),
    Verb("compare", "compare:compare", "Put saved backtests side by side."),
    Verb("optimize", "optimize:optimize", "Search a strategy's parameters over recorded bars."),
    Verb("job", "job:app", "Ask for backtests and sweeps in the background, and see them."),
    Verb("worker", "worker:worker", "Do background jobs until told to stop."),
    Verb("strategy", "strategy:app", "Show, begin and check strategies."),
    Verb("cluster", "cluster:app", "Show the nodes, and which account each leads."),
    Verb("account", "accounts:app", "Show what an account is doing, or wait until it rests."),
    Verb("bot", "bot:app", "Show the bots of an account, start, drain, stop or move one."),
    Verb("orders", "orders:app", "Show what is open or in doubt, and the story of one order."),
    Verb("positions", "positions:app", "Show holdings and positions."),
    Verb("halt", "halt:halt", "Stop entries, cancel orders or sell positions, until resumed."),
    Verb("resume", "halt:resume", "Lift a halt."),
    Verb("reconcile", "reconcile:reconcile", "Compare an account with its exchange, and adjust."),
    Verb("simulate", "simulate:simulate", "Prove nodes under faults, in virtual time, from seeds."),
    Verb("user", "user:app", "Say who may use the API and the dashboard."),
    Verb("token", "token:app", "Let programs act for a user."),
    Verb("notify", "notify:app", "Tell people what happened, and listen to their chats."),
    Verb("secret", "secret:app", "Say whether the secrets that are referred to are there."),
    Verb("db", "db:app", "Bring the journal database up to date."),
    Verb("profile", "profile:profile", "Draw what a running process spends its time with."),
    Verb("chaos", "chaos:chaos", "Strike real nodes, and check every order afterwards."),
    Verb("audit", "audit:app", "Prove that the journal is what was written."),
)
