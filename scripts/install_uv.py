"""Installs the pinned `uv` into `.tools/` of the checkout, with nothing but Python itself.

Lives here: the ways to get pip on a bare machine. Not here: what uv then installs (uv.lock).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

UV_VERSION = "0.13.8"
TOOLS = Path(__file__).resolve().parent.parent / ".tools"

# Debian ships `venv` without `ensurepip` unless python3-venv is installed, and often no pip either.
# pip's own wheel can be run as a program, so this one file, pinned by its hash, stands in for both.
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_WHEEL_URL = (
    "https://files.pythonhosted.org/packages/07/25/"
    f"ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/{PIP_WHEEL}"
)
PIP_WHEEL_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
DOWNLOAD_TIMEOUT_S = 60.0


def main() -> int:
    """Install uv; 0 when `.tools/bin/uv` then works, 4 when it cannot be fetched."""
    print(f"Installing uv {UV_VERSION} into {TOOLS.name}/ (once) ...", file=sys.stderr, flush=True)
    try:
        pip = _pip_of_new_environment() or _pip_from_wheel()
        _install(pip)
    except (OSError, subprocess.CalledProcessError) as error:
        print(
            f"uv {UV_VERSION} could not be installed: {error}\n"
            "expected: a connection to pypi.org and files.pythonhosted.org\n"
            "do: check the network or HTTPS_PROXY, or install uv yourself "
            "(https://docs.astral.sh/uv/), then run make again",
            file=sys.stderr,
        )
        return 4
    return 0


def _pip_of_new_environment() -> list[str] | None:
    """The pip command of a fresh environment in `.tools/`, or None where Python lacks ensurepip."""
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(TOOLS)], capture_output=True, check=False
    )
    return [str(TOOLS / "bin" / "python"), "-m", "pip"] if made.returncode == 0 else None


def _pip_from_wheel() -> list[str]:
    """The pip command made of an environment without pip and the pinned wheel.

    Raises:
        OSError: the wheel cannot be fetched, or is not the pinned one.
    """
    subprocess.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(TOOLS)], check=True
    )
    with urllib.request.urlopen(PIP_WHEEL_URL, timeout=DOWNLOAD_TIMEOUT_S) as reply:
        wheel = reply.read()
    seen = hashlib.sha256(wheel).hexdigest()
    if seen != PIP_WHEEL_SHA256:
        raise OSError(f"{PIP_WHEEL_URL} has sha256 {seen}, expected {PIP_WHEEL_SHA256}")
    path = Path(tempfile.mkdtemp(dir=TOOLS)) / PIP_WHEEL
    path.write_bytes(wheel)
    return [str(TOOLS / "bin" / "python"), str(path / "pip")]


def _install(pip: list[str]) -> None:
    """Run `pip` for uv; it lands in the environment that `pip` belongs to."""
    subprocess.run(
        [*pip, "install", "--quiet", "--only-binary", ":all:", f"uv=={UV_VERSION}"],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )


if __name__ == "__main__":
    sys.exit(main())
