"""What may be let in while a secret is rotated: whichever side of the rotation went first.

Not here: remembering (source), who lets in (the rooms that sign in somewhere).
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.errors import ConfigError
from holdfast.secrets import Secret, Stage, current, invalidate


def candidates(reference: str, *, purpose: str) -> Iterator[Secret]:
    """Each value to try, in order: the one remembered, the current one asked for anew, the one
    before it. Ask for the next only when one was refused; what was tried already is left out.

    Each step blocks for who keeps the secret.

    Args:
        purpose: what it is for, in the record of accesses.

    Raises:
        ConfigError, RetryableError: as `holdfast.secrets.resolve`; that there is no version before
            only ends it.
    """
    tried = [current(reference, purpose=purpose).secret]
    yield tried[0]
    invalidate(reference)
    for stage in Stage:
        try:
            found = current(reference, stage=stage, purpose=purpose).secret
        except ConfigError:
            if stage is Stage.PREVIOUS:
                return
            raise
        if found not in tried:
            tried.append(found)
            yield found
