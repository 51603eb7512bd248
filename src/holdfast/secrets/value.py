"""A secret's value, and what is known of the version that it is of.

Not here: where secrets are kept (the providers of this room).
"""

from __future__ import annotations

import hmac
from typing import NoReturn

import msgspec


class Secret:
    """A secret's value, which shows itself only to who asks by name.

    It can be neither copied into a pickle nor shown by `repr`, `str` or a format.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value; never log or format what this returns."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        """In the same time whatever the values are."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would tell two values apart

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: hand its reference on, and resolve it there")


class Version(msgspec.Struct, frozen=True):
    """A secret as one version of it holds it, whole.

    Attributes:
        version: as its provider calls it; empty where there are no versions.
        created_s: UTC seconds since the epoch; None where nobody knows.
    """

    secret: Secret
    version: str = ""
    created_s: float | None = None
