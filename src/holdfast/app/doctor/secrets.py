"""The secrets that are referred to: whether each is there, who else may read it, how old it is.

Not here: finding that out (app.secrets).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from holdfast.app.secrets import SecretState, examined, references_of
from holdfast.config import Config
from holdfast.operations.doctor.finding import Finding, ok, parts, warn


def secrets(config: Config, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """What is wrong with each, or that nothing is; blocks for who keeps them."""
    states = [examined(where, to, environ) for where, to in references_of(config, environ)]
    problems = [finding for state in states for finding in _of(state)]
    yield from problems
    if states and not problems:
        yield ok("secrets", f"{len(states)} references lead to something")


def _of(state: SecretState) -> Iterator[Finding]:
    check = f"secret {state.setting}"
    if state.problem:
        # A verb that only looks needs no key: whoever trades refuses to start without it.
        seen, expected, do = parts(state.problem)
        yield warn(check, f"{seen}; expected: {expected}", do or "put the secret there")
    if state.is_exposed:
        seen = f"{state.leads_to}: everybody on this machine may read it"
        yield warn(check, seen, f"chmod 600 {state.leads_to.removeprefix('file:')}")
    if state.is_old:
        yield warn(check, f"{state.age_days:.0f} days old", "make a new key, and end this one")
