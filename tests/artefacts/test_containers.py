"""An image, built for real: what it is made of, and what is in it.

It takes minutes, so it is run when it is asked for. Not here: names of images (test_images), all of
them run as the compose files say (test_stack).
"""

from __future__ import annotations

import json

import pytest

from tests.support.containers import BASE, MADE_OF, Engine, make

MOST_MB = 450
"""What may stand on the base image: 170 MB of it are Polars."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    found = Engine()
    make(found, BASE, tmp_path_factory.mktemp("base"))
    found.build("node", "localhost/holdfast-node:test", MADE_OF)
    return found


@pytest.mark.slow
def test_an_image_is_small_and_nobody_in_particular(engine: Engine) -> None:
    added_mb = engine.size_mb("holdfast-node:test") - engine.size_mb(BASE)
    assert added_mb <= MOST_MB
    asked = ("run", "--rm", "--network", "none", "--no-healthcheck")
    told = json.loads(engine.run(*asked, "holdfast-node:test", "--version", "--json"))
    assert (told["release"], told["git_sha"]) == ("0.0.1-test", "0123456789ab")
    assert told["build_time"] == "2026-01-31T12:00:00Z"
    inside = "id -u; command -v gcc pip uv node; find / -xdev -perm -4000 -user 10001 2>&-; true"
    assert engine.run(*asked, "--entrypoint", "sh", "holdfast-node:test", "-c", inside) == "10001"
