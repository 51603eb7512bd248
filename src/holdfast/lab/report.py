"""The report: results as one HTML file that opens offline and asks nobody for anything.

Lives here: putting the runs' data into the page safely, and the file in place whole. Not here: the
page itself, which `make dashboard` builds from `dashboard/` into `report.html` beside this module.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from html import escape
from pathlib import Path

import msgspec

from holdfast.errors import ConfigError
from holdfast.lab.payload import Run, runs_of
from holdfast.lab.result import Result

TEMPLATE = Path(__file__).with_name("report.html")
# Of the document; the page reads this one (`FORMAT` in dashboard/src/report/document.ts).
FORMAT = 2
# As many colours as can be told apart, by people who see fewer of them too.
MOST_RUNS = 8

# What the page leaves open. The build fails unless each is in it exactly once.
_TITLE = "@@holdfast:title@@"
_RUNS = '"@@holdfast:runs@@"'

_encoder = msgspec.json.Encoder(decimal_format="string")


class Document(msgspec.Struct, frozen=True):
    """What the page reads.

    Attributes:
        format: of this document; a page refuses one that it does not know.
    """

    format: int
    runs: list[Run]


def write_report(results: Result | Sequence[Result], path: str | Path) -> Path:
    """Write one run, or a comparison of up to eight, and return where it is.

    The file appears whole or not at all, in place of what was there.

    Raises:
        ConfigError: the page is not built, there are no or too many runs, or `path` cannot be
            written.
    """
    chosen = [results] if isinstance(results, Result) else list(results)
    _require_few(chosen)
    return write_runs(runs_of(chosen), path)


def write_runs(runs: Sequence[Run], path: str | Path) -> Path:
    """As `write_report`, of runs as the page reads them."""
    _require_few(runs)
    page = _page(runs)
    target = Path(path)
    try:
        _replace(target, page)
    except OSError as error:
        raise ConfigError(
            f"seen: {target} cannot be written ({error.strerror or error}); expected: a file name "
            "in a folder that exists and is yours; do: name another place"
        ) from error
    return target


def _require_few(runs: Sequence[Result] | Sequence[Run]) -> None:
    if not 1 <= len(runs) <= MOST_RUNS:
        raise ConfigError(
            f"seen: {len(runs)} runs for one report; expected: 1 to {MOST_RUNS}; "
            "do: choose those to compare"
        )


def _page(runs: Sequence[Run]) -> str:
    title = " · ".join(run.label for run in runs)
    if len(runs) == 1:
        title = f"{runs[0].label} · {runs[0].symbol}"
    page = _template()
    head, _, rest = page.partition(_TITLE)
    between, _, tail = rest.partition(_RUNS)
    return "".join((head, escape(title), between, script_safe(Document(FORMAT, list(runs))), tail))


def script_safe(document: Document) -> str:
    """JSON that cannot end the script element it stands in, whatever texts are in it.

    In JSON these three signs occur within strings only, where an escape means the same.
    """
    text = _encoder.encode(document).decode()
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _template() -> str:
    try:
        page = TEMPLATE.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "seen: the report's page is not built; expected: report.html in holdfast.lab; "
            "do: run `make dashboard` in the checkout, or install a released wheel, which has it"
        ) from error
    once = page.count(_TITLE) == page.count(_RUNS) == 1
    if not once or page.index(_TITLE) > page.index(_RUNS):
        raise ConfigError(
            f"seen: {TEMPLATE.name} without its places for title and runs; expected: the page that "
            "this version builds; do: run `make dashboard` again"
        )
    return page


def _replace(target: Path, page: str) -> None:
    """Write beside `target` and rename, so that no reader ever sees half a page."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(page)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
