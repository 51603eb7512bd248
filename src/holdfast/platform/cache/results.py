"""`cache_result`: a function that answers from the cache while its last answer is young enough.

Never for orders, fills, positions or balances: whoever acts on those must see them as they are, and
what would answer with them is refused where it is written. Not here: where answers are kept.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from typing import Any, Final, ParamSpec, TypeVar, get_args, get_type_hints

import msgspec

from holdfast import __version__
from holdfast.platform.cache.port import Cache
from holdfast.telemetry.log import get_logger

P = ParamSpec("P")
T = TypeVar("T")

EXPIRY_S: Final = 300.0

_NEVER: Final = ("order", "fill", "position", "balance", "holding", "attempt")
_encoder: Final = msgspec.json.Encoder(order="sorted", decimal_format="string")

log = get_logger("platform.cache")


def cache_result(
    cache: Callable[[], Cache], expiry_s: float = EXPIRY_S
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Have an async function's answers kept under its name, its arguments and this version.

    The arguments must be what JSON can hold, and the answer's type must be declared: it comes back
    as that type. Two callers may both compute an answer that is not there.

    Args:
        cache: asked at each call.
        expiry_s: for how long an answer may be old, > 0.

    Raises:
        TypeError: the function is not async, declares no answer, or answers with orders, fills,
            positions or balances; when it is called, an argument that JSON cannot hold.
        ValueError: `expiry_s`.
    """
    if expiry_s <= 0:
        raise ValueError(f"expiry_s is {expiry_s}, expected more than zero")

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        answer = _answer_of(function)
        signature = inspect.signature(function)
        name = f"{function.__module__}.{function.__qualname__}"

        @functools.wraps(function)
        async def cached(*args: P.args, **kwargs: P.kwargs) -> T:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            key = key_of(name, bound.arguments)
            kept = await cache().get(key)
            if kept is not None:
                try:
                    found: T = msgspec.json.decode(kept, type=answer)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    log.warning("an answer in the cache is none of ours", action="cache_damaged",
                                function=name, why=str(error))  # fmt: skip
                else:
                    return found
            made = await function(*args, **kwargs)
            await cache().put(key, _encoder.encode(made), expiry_s)
            return made

        return cached

    return wrap


def key_of(name: str, arguments: dict[str, Any]) -> str:
    """The same for the same words in every process: canonical JSON, digested."""
    body = _encoder.encode([name, __version__, arguments])
    return f"{name}:{sha256(body).hexdigest()}"


def _answer_of(function: Callable[..., Any]) -> Any:
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__qualname__} is not async, expected an async function")
    hints = get_type_hints(function)
    if "return" not in hints:
        raise TypeError(f"{function.__qualname__} declares no answer, expected its type")
    for kind in _kinds_in(hints["return"], set()):
        if any(word in kind.__name__.lower() for word in _NEVER):
            raise TypeError(
                f"{function.__qualname__} answers with {kind.__name__}, expected nothing of orders "
                "or balances: they are never cached"
            )
    return hints["return"]


def _kinds_in(kind: Any, seen: set[Any]) -> Iterator[type]:
    """Every class that an answer of this type can hold."""
    if kind in seen:
        return
    seen.add(kind)
    for inner in get_args(kind):
        if not isinstance(inner, str | int | bool | None):
            yield from _kinds_in(inner, seen)
    if isinstance(kind, type):
        yield kind
        if issubclass(kind, msgspec.Struct):
            for field in get_type_hints(kind).values():
                yield from _kinds_in(field, seen)
