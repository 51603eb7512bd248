"""What is known against the images of this commit: trivy's word on each that an engine here has.

Not here: building them (scripts.images), what counts (deploy/docker/trivy.yaml).
"""

from __future__ import annotations

import shutil
from typing import Final

from scripts.images import ENGINES, TARGETS, origin
from scripts.verify.runner import FaultError, SkippedError, Tree, faults

_CONFIG: Final = "deploy/docker/trivy.yaml"
_FOUND: Final = "Total:"
"""In every report that has something; what trivy could not do is told without."""


def scan(tree: Tree) -> None:
    """Scan them all.

    Raises:
        FaultError: something is known against one.
        SkippedError: there is no trivy, no image, or no answer.
    """
    (config,) = tree.some(_CONFIG)
    if not tree.asks_network:
        raise SkippedError("it asks what is known by now; to run this: make verify")
    if shutil.which("trivy") is None:
        raise SkippedError("no trivy here; to run this: install it (https://trivy.dev)")
    found = []
    for image in _built(tree):
        try:
            tree.run("trivy", "image", "--config", config, image)
        except FaultError as error:
            said = str(error)
            if _FOUND not in said:
                raise SkippedError(f"trivy cannot tell: {said.splitlines()[-1]}") from error
            found.append(f"{image}\n{said}")
    faults(found)


def _built(tree: Tree) -> list[str]:
    engine = next(filter(shutil.which, ENGINES), None)
    tags = origin(tree.root).tags
    names = [f"localhost/holdfast-{target}:{tags[0]}" for target in TARGETS]
    try:
        built = [name for name in names if engine and tree.run(engine, "images", "-q", name)]
    except FaultError as error:
        raise SkippedError(f"{engine} does not answer: {str(error).splitlines()[-1]}") from error
    if not built:
        raise SkippedError("no image of this commit here; to run this: python -m scripts.images")
    return built
