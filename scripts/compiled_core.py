"""`make compiled`: the wheel with the compiled core, built and unpacked into `build/compiled/`.

Lives here: whether this machine can, when a build is still good, and where it goes: never below
`src/`, where an old compiled file would hide an edited source. Not here: compiling (hatch_build).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"
COMPILED = BUILD / "compiled"
_BUILT_FROM = ".built-from"
_INPUTS = ("pyproject.toml", "hatch_build.py", "uv.lock")


class CannotCompileError(Exception):
    """This machine lacks what a compiled build needs; the text says what, and what to do."""


def main() -> int:
    """Build when anything changed, and say how to use it; 2 when this machine cannot."""
    try:
        print(f"Ready: PYTHONPATH={build().relative_to(REPOSITORY)} .venv/bin/holdfast --version")
    except CannotCompileError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def why_not() -> str | None:
    """What this machine lacks to compile, as `seen; expected; do`; None when it lacks nothing."""
    command = [*_compiler(), "-fsyntax-only", f"-I{sysconfig.get_path('include')}", "-xc", "-"]
    named = shlex.join(_compiler())
    if shutil.which(command[0]) is None:
        return (
            f"seen: no C compiler ({named}); expected: one, to compile the core; do: install gcc "
            "or clang, or name it in CC, or go on with pure Python, which does the same"
        )
    tried = subprocess.run(
        command, input="#include <Python.h>\n", capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return None
    first = next((line for line in tried.stderr.splitlines() if "error" in line), tried.stderr)
    return (
        f"seen: {named} says: {first.strip()}; expected: the headers of Python "
        f"{sysconfig.get_python_version()} in {sysconfig.get_path('include')}; do: install them "
        "(python3-dev on Debian), or go on with pure Python, which does the same"
    )


def build() -> Path:
    """The unpacked compiled wheel of the present sources, to be put first on PYTHONPATH.

    Takes half a minute when anything changed, and nothing otherwise. Safe to call at the same time
    from several processes.

    Raises:
        CannotCompileError: `why_not` has a reason, or the build failed.
    """
    BUILD.mkdir(exist_ok=True)
    with _alone():
        wanted = _inputs_hash()
        if (COMPILED / _BUILT_FROM).is_file() and (
            (COMPILED / _BUILT_FROM).read_text(encoding="utf-8") == wanted
        ):
            return COMPILED
        lacking = why_not()
        if lacking is not None:
            raise CannotCompileError(lacking)
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            fresh = Path(folder) / "unpacked"
            with zipfile.ZipFile(_wheel(Path(folder))) as wheel:
                wheel.extractall(fresh)
            (fresh / _BUILT_FROM).write_text(wanted, encoding="utf-8")
            shutil.rmtree(COMPILED, ignore_errors=True)
            fresh.rename(COMPILED)
    return COMPILED


def _wheel(folder: Path) -> Path:
    """The compiled wheel, made by the same hook as a release's."""
    print("Compiling the core (half a minute) ...", file=sys.stderr, flush=True)
    ran = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=REPOSITORY,
        env={**os.environ, "HOLDFAST_COMPILE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise CannotCompileError(ran.stdout + ran.stderr)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _compiler() -> list[str]:
    """The C compiler's command: CC, else the one that this Python was built with."""
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def _inputs_hash() -> str:
    """A digest of all that a build depends on: sources, build files, Python and compiler."""
    digest = hashlib.sha256(f"{sys.version}\0{sysconfig.get_platform()}\0{_compiler()}".encode())
    sources = (REPOSITORY / "src" / "holdfast").rglob("*")
    files = [path for path in sources if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted([*files, *(REPOSITORY / name for name in _INPUTS)]):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(REPOSITORY)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Whoever comes second waits, and then finds the build done."""
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
