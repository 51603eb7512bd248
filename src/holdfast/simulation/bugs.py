"""Planted bugs, to prove that the checker can fail."""
from __future__ import annotations


def plant(name: str) -> None:
    raise NotImplementedError
