"""The command line: finds the verb, imports that verb alone, turns errors into exit codes.

Lives here: the root of `holdfast`. Not here: the verbs (one module each, listed in `verbs`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from holdfast import __version__
from holdfast.cli.output import complain, emit
from holdfast.cli.verbs import VERBS, Verb
from holdfast.errors import EXIT_OK, PlatformError, exit_code

_FALSE = frozenset({"", "0", "false", "no"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; it never raises for a user's mistake.

    Args:
        argv: the words after `holdfast`; None for those of this process.

    Returns:
        0 done, 1 the check or job failed, 2 wrong usage or configuration, 3 fenced or not leader,
        4 a dependency is unreachable.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        build(_verb_word(words, os.environ))(args=words, prog_name="holdfast")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_OK
    except PlatformError as error:
        complain(error, debug=_debug(words))
        return exit_code(error)
    except Exception as error:  # noqa: BLE001 - the outermost frame: a bug must be told, not dumped
        complain(error, debug=_debug(words))
        return exit_code(error)
    return EXIT_OK


def build(word: str | None, verbs: Sequence[Verb] = VERBS) -> typer.Typer:
    """The command line in which only the verb named `word` is loaded; the others just have a name.

    So `holdfast --help` and completion cost no room's imports, and a verb only its own.
    """
    app = typer.Typer(
        name="holdfast",
        help="A crypto trading platform that holds on: no order doubled, none lost.",
        no_args_is_help=True,
        # Plain help takes 0.2 s, with Rich 0.5 s.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for verb in verbs:
        target = verb.load() if verb.name == word else _unloaded
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=verb.name, help=verb.help)
        else:
            app.command(verb.name, short_help=verb.help)(target)
    return app


def _print_version(context: typer.Context, wanted: bool) -> None:
    if not wanted:
        return
    if context.params.get("json"):
        from holdfast.telemetry.build import build_of  # noqa: PLC0415  # `--help` needs none of it

        emit(build_of())
    else:
        typer.echo(f"holdfast {__version__}")
    raise typer.Exit


def _root(
    *,
    json: Annotated[
        bool,
        typer.Option("--json", help="With --version: what this was built from.", is_eager=True),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (HOLDFAST_DEBUG=1).")
    ] = False,
) -> None:
    # All act before any verb runs: Typer prints the version, `_debug` looks for the last.
    del json, version, debug


def _unloaded() -> None:
    raise AssertionError("a verb was run without being loaded")


def _verb_word(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The first word that is no option: the root's options take no values."""
    if "_HOLDFAST_COMPLETE" in environ:
        # A shell asks for completions: the words typed so far are in the environment.
        typed = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS") or ""
        words = typed.split()[1:]
    return next((word for word in words if not word.startswith("-")), None)


def _debug(words: Sequence[str]) -> bool:
    """Whether tracebacks are wanted: `--debug` before the verb, or HOLDFAST_DEBUG."""
    if os.environ.get("HOLDFAST_DEBUG", "").lower() not in _FALSE:
        return True
    verb = _verb_word(words, {})
    return "--debug" in (words if verb is None else words[: words.index(verb)])
