"""What a kind of job is: a plain function of a typed input, and how its tries are bounded.

Functions are named here, not imported: who only asks for jobs pays for none of their imports. Not
here: the functions (app.jobs).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, get_type_hints

import msgspec

from holdfast.platform.jobs.port import JobState


class EndedPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a job, after its end.

    Attributes:
        input, result: JSON; the result is `null` unless the part is done.
    """

    id: str
    state: JobState
    input: msgspec.Raw
    result: msgspec.Raw
    error: str = ""


class Part(msgspec.Struct, frozen=True):
    """One of the jobs that a job is split into.

    Attributes:
        given: JSON of the kind's input.
    """

    kind: str
    given: msgspec.Raw


class Work(Protocol):
    """What a job's function is given beside its input.

    Attributes:
        folder: of this attempt alone, and there; what is written into it are the job's files.
        config_file: of the installation; None for its default.
        parts: all of them, in their order, of a job that was split.
    """

    @property
    def folder(self) -> Path: ...
    @property
    def config_file(self) -> Path | None: ...
    @property
    def parts(self) -> Sequence[EndedPart]: ...

    def tell(self, progress: float, note: str = "") -> None:
        """Say how far it is, from 0 to 1; as often as it likes."""
        ...


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of job.

    Attributes:
        name: what it is asked for by.
        takes: the shape of its input.
        run: `module:function` of (takes, Work), which returns what JSON can hold.
        split: `module:function` of (takes, Work) that returns its parts, when workers are to
            share it; `run` then puts together what the parts came to.
        attempts: so many tries may end without a result. A try that says no is not repeated.
        most_s: one try may take so long.
        is_public: users may ask for it.
    """

    name: str
    takes: type[msgspec.Struct]
    run: str
    split: str = ""
    attempts: int = 3
    most_s: float = 3600.0
    is_public: bool = True


Kinds = Mapping[str, Kind]


def function_at(target: str) -> tuple[Callable[[Any, Work], Any], type[Any]]:
    """The function that a `module:function` names, and the type of its first argument."""
    module, _, name = target.partition(":")
    function: Callable[[Any, Work], Any] = getattr(importlib.import_module(module), name)
    given = next(iter(get_type_hints(function).values()))
    return function, given
