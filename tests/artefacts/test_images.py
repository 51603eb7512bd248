"""How images are named, and what is in the Dockerfile. Building one is in test_containers.

Not here: hadolint, which `make verify` runs.
"""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from holdfast.cli.verbs import VERBS
from scripts.images import TARGETS, Origin, commands, main, origin

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.cd"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    git("init", "--initial-branch", "feature/new thing"[:11])
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--message", "one")
    git("tag", "v1.2.3")
    return tmp_path


def test_images_are_named_by_commit_version_and_branch_and_never_only_latest(
    checkout: Path,
) -> None:
    found = origin(checkout)
    assert re.fullmatch(r"[0-9a-f]{12}", found.sha)
    assert found.tags == ("1.2.3", f"sha-{found.sha}", "feature-new")
    (checkout / "file").write_text("two")
    dirty = origin(checkout)
    assert dirty.version == ""
    assert dirty.tags[0] == f"sha-{found.sha}-dirty"


def test_all_targets_are_built_before_any_is_pushed() -> None:
    made_of = Origin("0123456789ab", "1.2.3", "main")
    planned = commands("docker", made_of, "ghcr.io/me", "base:1", push=True)
    assert [command[1] for command in planned] == ["build"] * 4 + ["push"] * 12
    for target, command in zip(TARGETS, planned, strict=False):
        assert command[command.index("--target") + 1] == target
        assert f"ghcr.io/me/holdfast-{target}:sha-0123456789ab" in command
        assert {"BASE_IMAGE=base:1", "VERSION=1.2.3", "GIT_SHA=0123456789ab"} <= set(command)
    assert not any("latest" in word for command in planned for word in command)


def test_the_base_is_one_by_its_digest_whoever_builds() -> None:
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.search(r":3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}$", base)
    development = (REPOSITORY / "deploy" / "compose" / "dev.yml").read_text(encoding="utf-8")
    assert f"BASE_IMAGE: ${{BASE_IMAGE:-{base}}}" in development
    planned = commands("docker", Origin("0", "", "main"), "localhost", "", push=False)
    assert not any("BASE_IMAGE" in word for command in planned for word in command)


def test_what_would_be_run_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print", "--registry", "1.dkr.ecr.eu-west-1.amazonaws.com"]) == 0
    assert "1.dkr.ecr.eu-west-1.amazonaws.com/holdfast-node:sha-" in capsys.readouterr().out


def test_dependencies_are_installed_before_any_source() -> None:
    assert DOCKERFILE.index("--no-install-project") < DOCKERFILE.index("COPY src src")
    assert DOCKERFILE.index("uv.lock") < DOCKERFILE.index("COPY src src")
    assert "--mount" not in DOCKERFILE  # an engine without BuildKit builds it as well


def test_every_target_that_runs_is_nobody_has_a_health_check_and_calls_a_verb() -> None:
    stages = dict(
        re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.DOTALL | re.MULTILINE)
    )
    assert "USER 10001:10001" in stages["runtime"]
    for target in TARGETS:
        (verb,) = re.findall(r'^CMD \["(\w+)"', stages[target], re.MULTILINE)
        assert verb in {one.name for one in VERBS}
        assert "HEALTHCHECK" in stages[target]
        assert "holdfast.healthcheck" in stages[target]
        assert "USER" not in stages[target]


def test_no_source_is_kept_from_a_build() -> None:
    """What is left out by its name alone is left out of the package as well."""
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    named_out = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "src", "dashboard", "scripts"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    lost = [
        path for path in listed
        if any(fnmatch(part, name) for part in path.split("/") for name in named_out)
    ]  # fmt: skip
    assert lost == []
    assert "deploy/compose/secrets" in lines
