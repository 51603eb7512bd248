"""What the command line prints: one JSON document on stdout, failures for people on stderr.

Not here: the screens of single verbs, which live with the verb.
"""

from __future__ import annotations

import re
import sys
import traceback
from decimal import Decimal
from typing import Any

import msgspec
import typer

from holdfast.domain.money import plain
from holdfast.errors import (
    ConfigError,
    CorruptionError,
    FencedError,
    PlatformError,
    RejectedError,
    RetryableError,
    UnreachableError,
)

_TITLES: tuple[tuple[type[PlatformError], str], ...] = (
    (ConfigError, "wrong configuration or usage"),
    (FencedError, "another process is the writer"),
    (UnreachableError, "not reachable"),
    (RetryableError, "not reachable"),
    (RejectedError, "refused"),
    (CorruptionError, "contradiction in the records"),
)


# How the platform's errors are written; the parts after the first may be missing.
_PARTS = re.compile(
    r"(?:seen: )?(?P<seen>.*?)(?:; expected: (?P<expected>.*?))?(?:; do: (?P<do>.*))?", re.DOTALL
)


def emit(document: object) -> None:
    """Write `document` to stdout as one line of JSON.

    Args:
        document: plain values and msgspec structs; Decimals become text without exponent.
    """
    values = _money_as_text(msgspec.to_builtins(document, builtin_types=(Decimal,), str_keys=True))
    sys.stdout.write(msgspec.json.encode(values).decode() + "\n")
    sys.stdout.flush()


def _money_as_text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {key: _money_as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_money_as_text(item) for item in value]
    return value


def complain(error: Exception, *, debug: bool) -> None:
    """Tell a person on stderr what was seen, what was expected and what to do.

    Args:
        error: a `PlatformError`, or any other exception, which is then called a bug of ours.
        debug: add the traceback.
    """
    from holdfast.telemetry.log import masked_text  # noqa: PLC0415 - only when something is wrong

    if debug:
        typer.echo(masked_text("".join(traceback.format_exception(error))), err=True)
    if isinstance(error, PlatformError):
        title = next((text for kind, text in _TITLES if isinstance(error, kind)), "failed")
        told = str(error)
        if isinstance(error, RejectedError) and error.reason.startswith("seen: "):
            told = error.reason  # the code says no more than its words do
    else:
        title = "a bug in holdfast"
        told = (
            f"{type(error).__name__}: {error}"
            "; do: run it again as `holdfast --debug ...` and report what it prints"
        )
    typer.echo(typer.style("holdfast: ", bold=True) + typer.style(title, fg="red"), err=True)
    for label, text in _parts(masked_text(told)):
        typer.echo(typer.style(f"  {label + ':':<10}", bold=True) + text, err=True)


def _parts(told: str) -> list[tuple[str, str]]:
    """What an error says, split at its labels; a text without labels is all `seen`."""
    found = _PARTS.fullmatch(told)
    if found is None:
        return [("seen", told)]
    return [(label, text) for label, text in found.groupdict().items() if text]
