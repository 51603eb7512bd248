"""Which of the files that somebody named hold what of which symbol.

Not here: reading them (`book_replay`, `tape`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.errors import ConfigError

First = Callable[[Path], tuple[str, int] | None]


def files_by_symbol(
    paths: Sequence[Path], symbols: Sequence[str], first: First, *, what: str, expected: str
) -> dict[str, dict[Path, int]]:
    """The files of each symbol with the time at which each begins, oldest first.

    Args:
        paths: files of one of these symbols, and folders, of whose files those of other symbols
            and kinds are left out. Their order does not matter.
        first: the symbol of a file and the UTC nanoseconds at which it begins; None when it holds
            nothing of the kind.
        what, expected: for people: `recorded order book`, and which files hold one.

    Raises:
        ConfigError: a symbol has none, or a file that was named is of another.
    """
    found: dict[str, dict[Path, int]] = {symbol: {} for symbol in symbols}
    for path in paths:
        is_folder = path.is_dir()
        for file in path.iterdir() if is_folder else (path,):
            begins = None if file.is_dir() else first(file)
            recorded = "" if begins is None else begins[0]
            if begins is not None and recorded in found:
                found[recorded][file] = begins[1]
            elif not is_folder:
                seen = f"a {what} of {recorded}" if recorded else f"no {what}"
                raise ConfigError(
                    f"seen: {file} with {seen}; expected: {expected}, of "
                    f"{' or '.join(symbols)}; do: name another recording"
                )
    for symbol, files in found.items():
        if not files:
            told = ", ".join(map(str, paths)) or "no files"
            raise ConfigError(
                f"seen: no {what} of {symbol} in {told}; expected: {expected}; do: name a recording"
            )
    return {
        symbol: dict(sorted(files.items(), key=lambda item: (item[1], item[0])))
        for symbol, files in found.items()
    }
