"""Canaries: planted secrets that are looked for wherever a program could have let them out.

Not here: which outputs a test has (the tests).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote


class Canary:
    """One secret, and the forms in which it would be as good as itself."""

    def __init__(self, name: str, value: str = "") -> None:
        self.name = name
        self.value = value or f"canary-{secrets.token_hex(16)}"

    def __str__(self) -> str:
        return self.value

    def forms(self) -> Iterator[str]:
        """As it is, in an address, in base64, and a good half of it."""
        yield self.value
        yield quote(self.value, safe="")
        yield base64.b64encode(self.value.encode()).decode().rstrip("=")[:-2]
        yield self.value[: len(self.value) * 2 // 3]


def escaped(outputs: Mapping[str, str], *canaries: Canary) -> list[str]:
    """Which canary got out where, with what stood around it; empty when all are in their cages."""
    found = []
    for where, text in outputs.items():
        for canary in canaries:
            for form in canary.forms():
                at = text.find(form)
                if at >= 0:
                    around = text[max(0, at - 80) : at + len(form) + 20].replace("\n", " ")
                    found.append(f"{canary.name} in {where}: …{around}…")
                    break
    return found


def written(folder: Path, *but: str) -> dict[str, str]:
    """Every file below a folder by its name, as text; `but` are suffixes to leave out."""
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(but)
    }
