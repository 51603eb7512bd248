"""What this program was built from, as its image says: told by `--version`, health and metrics.

Not here: writing it into an image (deploy/docker/Dockerfile).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

import msgspec

from holdfast import __version__


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """Where a program comes from; outside an image all but `version` and `python` are empty.

    Attributes:
        version: of the package.
        release: what its image was called, such as `0.2.0` or `main-3f2a91c`.
        build_time: of the image, ISO 8601 in UTC.
        git_sha: the commit it was made of.
        python: that runs it.
    """

    version: str
    release: str
    build_time: str
    git_sha: str
    python: str


def build_of(environ: Mapping[str, str] = os.environ) -> Build:
    """The build that runs here."""
    return Build(
        version=__version__,
        release=environ.get("HOLDFAST_RELEASE", ""),
        build_time=environ.get("HOLDFAST_BUILD_TIME", ""),
        git_sha=environ.get("HOLDFAST_GIT_SHA", ""),
        python=platform.python_version(),
    )
