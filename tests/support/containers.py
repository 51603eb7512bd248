"""A container engine, and images made of Debian's packages, for tests that build and run for real.

No registry of images is needed. Not here: what is built on them (deploy/docker/Dockerfile).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.waiting import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
BASE = "localhost/holdfast-test-base:1"
"""Python alone, as Debian 12 has it."""
STORES = "localhost/holdfast-test-stores:1"
"""PostgreSQL and Redis as user 999, as the images that `prod.yml` names have it."""
EDGE = "localhost/holdfast-test-edge:1"
"""nginx; of testing, for our configuration asks for 1.27.3."""
MADE_OF = {"VERSION": "0.0.1-test", "GIT_SHA": "0123456789ab", "BUILD_TIME": "2026-01-31T12:00:00Z"}
"""What tests' images are told; one set, so that one test's layers are the other's."""
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_SETTINGS = Path(__file__).parent / "stack_files" / "containers.conf"
_NAMED = ("NODE_EXTRA_CA_CERTS", "PIP_CERT", "SSL_CERT_FILE")
_BIN = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class _Debian(NamedTuple):
    """What an image consists of: packages of a suite, and what is done to them and said of them."""

    suite: str
    packages: tuple[str, ...]
    changes: tuple[str, ...]
    prepare: Callable[[Path], None]


class Engine:
    """Podman as root, with whichever runtime this machine's control groups let it use."""

    def __init__(self) -> None:
        if os.environ.get("HOLDFAST_TEST_IMAGES") != "1":
            pytest.skip("takes minutes; to run this: HOLDFAST_TEST_IMAGES=1 .venv/bin/pytest -n0 "
                        "tests/artefacts/test_containers.py tests/artefacts/test_stack.py")
        wanted = ("podman", "runc", "catatonit", "debootstrap")
        lacking = [one for one in wanted if shutil.which(one) is None]
        if lacking or os.geteuid() != 0:
            pytest.skip(f"no engine here; to run this, as root: apt-get install {' '.join(wanted)}")
        self.environ = {**os.environ, "CONTAINERS_CONF": str(_SETTINGS)}

    def run(self, *words: str, timeout_s: float = 120) -> str:
        """What podman says on stdout; AssertionError with all of it when it fails."""
        ran = subprocess.run(
            ["podman", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False,
            env=self.environ, timeout=timeout_s,
        )  # fmt: skip
        said = f"{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        assert ran.returncode == 0, f"podman {' '.join(words)}\n{said}"
        return ran.stdout.strip()

    def succeeds(self, *words: str) -> bool:
        """Whether podman says yes."""
        command = ["podman", *words]
        ran = subprocess.run(command, check=False, env=self.environ, capture_output=True)
        return ran.returncode == 0

    def has(self, image: str) -> bool:
        """Whether there is such an image."""
        return self.succeeds("image", "exists", image)

    def build(self, target: str, tag: str, arguments: Mapping[str, str]) -> None:
        """One target of the Dockerfile, on the base of this machine."""
        given = {"BASE_IMAGE": BASE, **arguments}
        words = [word for item in given.items() for word in ("--build-arg", "=".join(item))]
        self.run(
            "build", "--format", "docker", "--network", "host", "--target", target, "--tag", tag,
            "--file", "deploy/docker/Dockerfile", *words, ".", timeout_s=1800,
        )  # fmt: skip

    def size_mb(self, image: str) -> float:
        """Of all its layers, unpacked."""
        return float(self.run("image", "inspect", "--format", "{{.Size}}", image)) / 1e6

    def logs(self, name: str) -> str:
        """What a container said, on stdout and stderr."""
        said = subprocess.run(
            ["podman", "logs", name], check=False, text=True, env=self.environ,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return said.stdout

    def stop(self, name: str, within_s: int) -> int:
        """SIGTERM, and what it ended with; killed after `within_s`, which is 137."""
        self.run("stop", "--time", str(within_s), name)
        found: list[dict[str, Any]] = json.loads(self.run("inspect", name))
        return int(found[0]["State"]["ExitCode"])


def make(engine: Engine, image: str, folder: Path) -> None:
    """One of the images above, once for this machine."""
    if engine.has(image):
        return
    made_of = _IMAGES[image]
    root = folder / "root"
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(made_of.packages)}",
         made_of.suite, str(root), "http://deb.debian.org/debian",
         "/usr/share/debootstrap/scripts/sid"],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    made_of.prepare(root)
    archive = folder / "root.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    changes = [word for each in made_of.changes for word in ("--change", f"ENV {each}")]
    engine.run("import", *changes, str(archive), image, timeout_s=600)
    archive.unlink()
    shutil.rmtree(root)


def until(holds: Callable[[], bool], what: Callable[[], str]) -> float:
    """Seconds until it held; AssertionError with `what` when it does not in time."""
    began_s = time.monotonic()
    while not holds():
        assert time.monotonic() - began_s < PATIENCE_S, what()
        time.sleep(0.2)
    return time.monotonic() - began_s


def _trust_as_we_do(root: Path) -> None:
    if _CERTIFICATES.exists():
        inside = root / _CERTIFICATES.relative_to("/")
        inside.unlink(missing_ok=True)
        shutil.copyfile(_CERTIFICATES, inside)


def _be_user_999(root: Path) -> None:
    for name in ("passwd", "group"):
        path = root / "etc" / name
        lines = path.read_text(encoding="utf-8").splitlines()
        of_others = [line for line in lines if not line.startswith("postgres:")]
        more = "999::/var/lib/postgresql:/bin/sh" if name == "passwd" else ""
        path.write_text("\n".join([*of_others, f"postgres:x:999:{more}", ""]), encoding="utf-8")
    shutil.rmtree(root / "var/lib/postgresql")
    for place in ("var/lib/postgresql", "data"):
        (root / place).mkdir()
        os.chown(root / place, 999, 999)


def _tell_errors(root: Path) -> None:
    log = root / "var/log/nginx/error.log"
    log.unlink(missing_ok=True)
    log.symlink_to("/dev/stderr")


_IMAGES = {
    BASE: _Debian(
        "bookworm", ("python3", "python3-venv", "ca-certificates"),
        tuple(f"{name}={_CERTIFICATES}" for name in _NAMED), _trust_as_we_do,
    ),
    STORES: _Debian(
        "trixie", ("postgresql-17", "redis-server"),
        (f"PATH=/usr/lib/postgresql/17/bin:{_BIN}", "PGHOST=/tmp"), _be_user_999,
    ),
    EDGE: _Debian("forky", ("nginx-light", "wget"), (f"PATH={_BIN}",), _tell_errors),
}  # fmt: skip
