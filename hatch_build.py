"""The build hook: with HOLDFAST_COMPILE=1 a wheel carries its core compiled, without it none of it.

Lives here: which class of module can be compiled, and the call of mypyc. Not here: which modules
are (pyproject.toml), or what a checkout does with the result (scripts/compiled.py).
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Run in a copy of the sources, so that nothing is ever written beside them. One shared library for
# all modules: calls between them are then calls of C functions, and its name says whose it is.
_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
modules = sys.argv[1:]
sys.argv[1:] = ["--quiet", "build_ext", "--inplace"]
setup(name="holdfast", packages=[], ext_modules=mypycify(
    ["--strict", "--no-error-summary", *modules], group_name="holdfast"))
"""


class CompiledCore(BuildHookInterface[Any]):
    """Adds compiled modules to the wheel when they are asked for, beside their sources.

    The sources stay in the wheel for tracebacks and readers; Python prefers what is compiled.
    """

    def dependencies(self) -> list[str]:
        """What the build environment needs besides hatchling: nothing for a pure wheel."""
        return list(self.config["requires"]) if _is_asked_for() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile into a folder of its own, and tell the wheel about the files.

        Never for an editable installation: an old compiled file would hide an edited source.

        Raises:
            SystemExit: a module cannot be compiled; the message says why.
        """
        if not _is_asked_for() or version == "editable":
            return
        source = Path(self.root) / "src"
        modules = list(modules_of(source, self.config["modules"]))
        faults = [fault for module in modules for fault in unfaithful(source, module)]
        if faults:
            raise SystemExit("\n".join(faults))
        self._work = Path(tempfile.mkdtemp(prefix="holdfast-compile-"))
        try:
            made = compile_into(self._work, source, modules)
        except BaseException:
            shutil.rmtree(self._work)  # nothing else is told when a build fails
            raise
        for file in made:
            build_data["force_include"][str(self._work / file)] = file.as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what the wheel now contains."""
        del version, build_data, artifact_path
        if hasattr(self, "_work"):
            shutil.rmtree(self._work)


def modules_of(source: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The files that `patterns` name, relative to `source` and sorted; package fronts stay out.

    Raises:
        SystemExit: a pattern names no file.
    """
    package = source / "holdfast"
    for pattern in sorted(patterns):
        found = sorted(path for path in package.glob(pattern) if path.name != "__init__.py")
        if not found:
            raise SystemExit(
                f"seen: no file {pattern} in {package}; expected: a module to compile; "
                "do: correct the list in pyproject.toml"
            )
        for path in found:
            yield path.relative_to(source)


def unfaithful(source: Path, module: Path) -> Iterator[str]:
    """Why a compiled `module` would be another program, one sentence for each place.

    Two things go without a word when mypyc compiles a class: the keywords of its statement
    (python/mypy#21938), so a record that says `frozen=True` or `tag=...` is neither, and what is
    in the brackets of its fields' types, so a `dict[str, Decimal]` is decoded to a dict of text.
    """
    tree = ast.parse((source / module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        lost = [f"{one.arg}=" for one in node.keywords if one.arg not in {None, "metaclass"}]
        lost += [text for text in map(ast.unparse, node.bases) if text.endswith("Struct")]
        if lost:
            yield (
                f"seen: {module}:{node.lineno} class {node.name}({', '.join(lost)}); expected: "
                "no Struct and no keywords there in a compiled module, because mypyc loses what "
                "they mean; do: move the class to a module that is not compiled, or take this one "
                "off the list in pyproject.toml"
            )


def compile_into(work: Path, source: Path, modules: Iterable[Path]) -> list[Path]:
    """Compile `modules` in a copy of `source` below `work`; the new files, relative to `work`.

    Raises:
        SystemExit: mypy or the C compiler refused; their own words are shown.
    """
    shutil.copytree(
        source / "holdfast", work / "holdfast", ignore=shutil.ignore_patterns("__pycache__")
    )
    ran = subprocess.run(
        [sys.executable, "-c", _SETUP, *(module.as_posix() for module in modules)],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise SystemExit(
            f"seen: mypyc ended with {ran.returncode}; expected: compiled modules; do: mend what "
            f"it says, or build without HOLDFAST_COMPILE\n{ran.stdout}{ran.stderr}"
        )
    made = {*work.glob("*.so"), *work.glob("holdfast/**/*.so")}
    return sorted(path.relative_to(work) for path in made)


def _is_asked_for() -> bool:
    return os.environ.get("HOLDFAST_COMPILE", "") == "1"
