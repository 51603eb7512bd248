"""Build the images of a release, name them by what they were made of, and push them on request.

`python -m scripts.images` builds holdfast-node, -api, -worker and -exchange with whatever engine is
here. Each image is tagged with its commit, and with its version or branch; `latest` is nobody's
version. Not here: what is in them (deploy/docker/Dockerfile), running them (deploy/compose).
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

REPOSITORY: Final = Path(__file__).resolve().parent.parent
TARGETS: Final = ("node", "api", "worker", "exchange")
ENGINES: Final = ("docker", "podman", "buildah")


class Origin(NamedTuple):
    """What images are made of.

    Attributes:
        sha: the commit; `-dirty` behind it when files differ from it.
        version: of a commit that has a tag such as v0.2.0, without the v; else empty.
        branch: as a tag may be written; empty on no branch.
    """

    sha: str
    version: str
    branch: str

    @property
    def tags(self) -> tuple[str, ...]:
        """All names of these images, the most telling first."""
        return tuple(filter(None, (self.version, f"sha-{self.sha}", self.branch)))


def origin(folder: Path = REPOSITORY) -> Origin:
    """Of the checkout as it is now."""
    dirty = "-dirty" if _git(folder, "status", "--porcelain") else ""
    sha = _git(folder, "rev-parse", "--short=12", "HEAD")
    tag = "" if dirty else _git(folder, "tag", "--points-at", "HEAD", "v*").partition("\n")[0]
    branch = _git(folder, "branch", "--show-current")
    return Origin(
        sha=f"{sha}{dirty}", version=tag.removeprefix("v"),
        branch=re.sub(r"[^A-Za-z0-9_.-]+", "-", branch).strip("-.")[:100],
    )  # fmt: skip


def commands(
    engine: str, made_of: Origin, registry: str, base_image: str, *, push: bool
) -> list[list[str]]:
    """What is run, in order: the builds, then what is pushed.

    Args:
        base_image: by tag and digest; empty for the Dockerfile's own.
    """
    built_at = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"VERSION": made_of.tags[0], "GIT_SHA": made_of.sha, "BUILD_TIME": built_at}
    if base_image:
        given["BASE_IMAGE"] = base_image
    arguments = [word for item in given.items() for word in ("--build-arg", "=".join(item))]
    builds, pushes = [], []
    for target in TARGETS:
        names = [f"{registry}/holdfast-{target}:{tag}" for tag in made_of.tags]
        tags = [word for name in names for word in ("--tag", name)]
        # Podman writes its own format unless told, and that one has no health checks.
        form = [] if engine == "docker" else ["--format", "docker"]
        builds.append([
            engine, "build", *form, "--file", "deploy/docker/Dockerfile", "--target", target,
            *arguments, *tags, ".",
        ])  # fmt: skip
        pushes += [[engine, "push", name] for name in names]
    return [*builds, *(pushes if push else [])]


def main(words: Sequence[str] | None = None) -> int:
    """Build and push; 0 when all of it worked, 2 without an engine."""
    parser = argparse.ArgumentParser(prog="python -m scripts.images", description=__doc__)
    parser.add_argument("--registry", default="localhost", help="ghcr.io/NAME, an ECR's address, …")
    parser.add_argument("--base-image", default="", help="Another than the Dockerfile's.")
    parser.add_argument("--push", action="store_true", help="After signing in with the engine.")
    parser.add_argument("--print", action="store_true", help="Show the commands, and run none.")
    given = parser.parse_args(words)
    engine = next(filter(shutil.which, ENGINES), None)
    if engine is None and not given.print:
        print(f"seen: none of {', '.join(ENGINES)}; expected: one; do: apt-get install podman",
              file=sys.stderr)  # fmt: skip
        return 2
    made_of = origin()
    planned = commands(
        engine or ENGINES[0], made_of, given.registry, given.base_image, push=given.push
    )
    for command in planned:
        print(" ".join(command), flush=True)
        if not given.print and subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
            return 1
    return 0


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
