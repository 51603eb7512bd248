"""A container engine, and a base image made of Debian's packages, for tests that build for real.

Not here: what is built (deploy/docker/Dockerfile).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
BASE = "localhost/holdfast-test-base:1"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_NAMED = {"SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"}


class Engine:
    """Podman as root, with whichever runtime this machine's control groups let it use."""

    def __init__(self) -> None:
        if os.environ.get("HOLDFAST_TEST_IMAGES") != "1":
            pytest.skip("takes minutes; to run this: HOLDFAST_TEST_IMAGES=1 .venv/bin/pytest -n0 "
                        "tests/artefacts/test_containers.py")  # fmt: skip
        lacking = [one for one in ("podman", "runc", "debootstrap") if shutil.which(one) is None]
        if lacking or os.geteuid() != 0:
            pytest.skip("no engine here; to run this, as root: apt-get install podman runc "
                        "debootstrap")  # fmt: skip
        self._podman = [
            "podman", "--runtime", str(shutil.which("runc")), "--cgroup-manager", "cgroupfs",
        ]  # fmt: skip

    def run(self, *words: str, timeout_s: float = 120) -> str:
        """What podman says on stdout; AssertionError with all of it when it fails."""
        ran = subprocess.run(
            [*self._podman, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False,
            timeout=timeout_s,
        )  # fmt: skip
        said = f"{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        assert ran.returncode == 0, f"podman {' '.join(words)}\n{said}"
        return ran.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether there is such an image."""
        command = [*self._podman, "image", "exists", image]
        return subprocess.run(command, check=False).returncode == 0

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
            [*self._podman, "logs", name], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return said.stdout

    @contextmanager
    def running(
        self, image: str, name: str, folder: Path, *words: str, **environ: str
    ) -> Iterator[None]:
        """As `deploy/compose/prod.yml` runs it, but in this machine's network and as pid 1."""
        settings = [word for item in environ.items() for word in ("--env", "=".join(item))]
        self.run(
            "run", "--detach", "--name", name, "--hostname", name, "--uts", "private",
            "--network", "host", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges",
            "--user", "10001:10001", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096",
            "--volume", f"{folder}:/var/lib/holdfast", *settings, image, *words,
        )  # fmt: skip
        try:
            yield
        finally:
            self.run("rm", "--force", "--time", "0", name)

    def stop(self, name: str, within_s: int) -> int:
        """SIGTERM, and what it ended with; killed after `within_s`, which is 137."""
        self.run("stop", "--time", str(within_s), name)
        found: list[dict[str, Any]] = json.loads(self.run("inspect", name))
        return int(found[0]["State"]["ExitCode"])


def make_base(engine: Engine, folder: Path) -> None:
    """Debian with Python and nothing else, once: no registry of images is needed."""
    if engine.has(BASE):
        return
    root = folder / "base"
    subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates",
         "bookworm", str(root)],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    if _CERTIFICATES.exists():  # the authorities that this machine trusts
        inside = root / _CERTIFICATES.relative_to("/")
        inside.unlink(missing_ok=True)
        shutil.copyfile(_CERTIFICATES, inside)
    archive = folder / "base.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    changes = [word for name in sorted(_NAMED) for word in ("-c", f"ENV {name}={_CERTIFICATES}")]
    engine.run("import", *changes, str(archive), BASE, timeout_s=600)
