"""What every fact is made like.

Not here: the facts (fact, guard).
"""

from __future__ import annotations

import msgspec


class Fact(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", gc=False
):
    """Base of all facts; immutable, and readable for as long as a journal lives.

    No fact can be part of a cycle, so the garbage collector need not follow them (`gc=False`).
    """
