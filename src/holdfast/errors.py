"""Every error the platform raises, sorted by what the caller must do next.

Lives here: one root and its kinds. Programmer mistakes stay built-ins and crash to a safe state.
"""

from __future__ import annotations


class PlatformError(Exception):
    """Root of all errors that are part of a contract.

    The text says `seen: ...; expected: ...; do: ...`, so that the command line can lay it out.
    """


class RetryableError(PlatformError):
    """A read failed, or something is *known not sent*; an order then needs a new attempt."""


class OutcomeUnknownError(PlatformError):
    """The request may have been executed: never send it again, hand it to the resolver."""


class RejectedError(PlatformError):
    """The venue or the risk gate refused.

    Attributes:
        code: the venue's numeric code or the name of the risk rule, as text.
        reason: one sentence for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class FencedError(PlatformError):
    """Another writer owns this journal stream now: stop sending, at once."""


class CorruptionError(PlatformError):
    """The journal or the state contradicts itself: halt, keep the evidence, ask a person."""


class ConfigError(PlatformError):
    """The configuration, or the command line, cannot work: refuse to start."""


class UnreachableError(PlatformError):
    """A dependency (store, exchange, port) does not answer."""


EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FENCED = 3
EXIT_UNREACHABLE = 4


def exit_code(error: BaseException) -> int:
    """The process exit code that `contracts` promises for this error."""
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    if isinstance(error, FencedError):
        return EXIT_FENCED
    if isinstance(error, UnreachableError | RetryableError):
        return EXIT_UNREACHABLE
    return EXIT_FAILED
