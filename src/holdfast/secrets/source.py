"""Secrets by reference, from whoever keeps them, and remembered for some minutes.

Lives here: the cache, and what is noted of every access. Not here: the providers, and who a secret
is for.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from holdfast.errors import ConfigError, PlatformError, RetryableError
from holdfast.secrets.port import Provider, Stage
from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Secret, Version
from holdfast.telemetry.log import get_logger, hide

log = get_logger("secrets.source")

TTL_S: Final = 300.0
JITTER: Final = 0.1
"""Part of the time by which it differs, so that a fleet does not ask in the same moment."""

STALE_S: Final = 3600.0
"""How old a secret may be that is used because its provider does not answer."""

AGAIN_S: Final = 10.0
"""Before a provider that did not answer is asked again, while there is an old value."""


class _Kept(msgspec.Struct):
    """What is remembered: a version, since when, and until when it is not asked for again."""

    version: Version
    fetched_s: float
    fresh_until_s: float


class SecretSource:
    """Answers references. For threads: one of them asks a provider, the others wait for it.

    Args:
        providers: by scheme.
        mono_s: a clock that nobody can set.
        ttl_s: for how long a value is remembered, about.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        mono_s: Callable[[], float] = time.monotonic,
        ttl_s: float = TTL_S,
        stale_s: float = STALE_S,
    ) -> None:
        self._providers = providers
        self._mono_s = mono_s
        self._ttl_s = ttl_s
        self._stale_s = stale_s
        self._kept: dict[tuple[Reference, Stage], _Kept] = {}
        self._flights: dict[tuple[Reference, Stage], threading.Lock] = {}
        self._noted: dict[tuple[Reference, Stage, str], tuple[tuple[object, ...], float]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def get(
        self, reference: Reference, *, stage: Stage = Stage.CURRENT, purpose: str = ""
    ) -> Version:
        """The secret that is referred to, in one version; a member of it where a key is named.

        Blocks for a provider, if it is not remembered. What is returned is masked in logs from
        here on.

        Args:
            purpose: what it is for, in the record of accesses.

        Raises:
            ConfigError: there is none, or it may not be read.
            RetryableError: its provider does not answer, and what is remembered is too old.
        """
        try:
            whole, how = self._whole(reference.whole, stage)
            found = _member(reference, whole)
        except PlatformError as error:
            self._note(reference, stage, purpose, None, type(error).__name__)
            raise
        hide(found.secret.reveal())
        if how != "remembered":
            self._note(reference, stage, purpose, found, how)
        return found

    def invalidate(self, reference: Reference | None = None) -> None:
        """Ask for it anew the next time, in every version; None means all of them."""
        with self._lock:
            self._generation += 1
            if reference is None:
                self._kept.clear()
            else:
                for stage in Stage:
                    self._kept.pop((reference.whole, stage), None)

    def _whole(self, reference: Reference, stage: Stage) -> tuple[Version, str]:
        provider = self._providers.get(reference.scheme)
        if provider is None:
            raise ConfigError(
                f"seen: {reference}; expected: a reference to one of "
                f"{', '.join(sorted(self._providers))}; do: correct it"
            )
        if not reference.is_remote:  # as quick as remembering, and a file may change at any time
            return provider.fetch(reference, stage), "read"
        asked = (reference, stage)
        known = self._fresh(asked)
        if known is not None:
            return known, "remembered"
        with self._lock:
            flight = self._flights.setdefault(asked, threading.Lock())
        with flight:
            known = self._fresh(asked)  # another thread may have asked meanwhile
            return (known, "remembered") if known is not None else self._fetched(provider, asked)

    def _fresh(self, asked: tuple[Reference, Stage]) -> Version | None:
        with self._lock:
            kept = self._kept.get(asked)
            if kept is None or self._mono_s() >= kept.fresh_until_s:
                return None
            return kept.version

    def _fetched(
        self, provider: Provider, asked: tuple[Reference, Stage]
    ) -> tuple[Version, str]:
        generation = self._generation
        try:
            version = provider.fetch(*asked)
        except RetryableError as error:
            return self._stale(asked, error), "stale"
        except ConfigError:
            with self._lock:
                self._kept.pop(asked, None)  # who may not read it any more has no old one either
            raise
        now_s = self._mono_s()
        fresh_s = self._ttl_s * random.uniform(1 - JITTER, 1 + JITTER)
        with self._lock:
            if self._generation == generation:  # else it may be from before a rotation
                self._kept[asked] = _Kept(version, now_s, now_s + fresh_s)
        return version, "read"

    def _stale(self, asked: tuple[Reference, Stage], error: RetryableError) -> Version:
        now_s = self._mono_s()
        with self._lock:
            kept = self._kept.get(asked)
            if kept is None or now_s - kept.fetched_s > self._stale_s:
                raise error
            kept.fresh_until_s = now_s + AGAIN_S
        log.warning(
            "a secret's provider does not answer; an old value is used", action="secret_stale",
            reference=str(asked[0]), age_s=round(now_s - kept.fetched_s), why=str(error),
        )  # fmt: skip
        return kept.version

    def _note(
        self, reference: Reference, stage: Stage, purpose: str, found: Version | None, outcome: str
    ) -> None:
        """The record of accesses: never what it is, only which, for what, and how it went.

        What is on this machine is read at every connection that is tried, many times a second while
        a server is away: the same again is noted when it would be asked for anew of a provider.
        """
        version, created_s = (found.version, found.created_s) if found else ("", None)
        if not reference.is_remote and self._is_noted(
            (reference, stage, purpose), (outcome, created_s)
        ):
            return
        log.info(
            "secret access", action="secret_access", reference=str(reference), stage=str(stage),
            of_version=version, purpose=purpose, outcome=outcome,
        )  # fmt: skip

    def _is_noted(self, asked: tuple[Reference, Stage, str], found: tuple[object, ...]) -> bool:
        now_s = self._mono_s()
        with self._lock:
            before, until_s = self._noted.get(asked, ((), now_s))
            if before == found and now_s < until_s:
                return True
            self._noted[asked] = found, now_s + self._ttl_s
        return False


def _member(reference: Reference, whole: Version) -> Version:
    """The member of a JSON object that a reference names, or all of a secret that is text."""
    found = _picked(reference, whole.secret)
    if isinstance(found, str):
        # Raised here, where no variable holds the value: reports of errors may show those.
        raise ConfigError(
            f"seen: {reference} {found}; expected: a secret that is text; do: correct the "
            "reference, or write it there"
        )
    return Version(found, whole.version, whole.created_s)


def _picked(reference: Reference, whole: Secret) -> Secret | str:
    """The part that is meant, or what is wrong with it."""
    text = whole.reveal()
    # A KV engine has only objects: one with the member `value` stands for its text.
    key = reference.key or ("value" if reference.scheme == "vault" else "")
    if key:
        try:
            members = msgspec.json.decode(text, type=dict[str, object])
        except msgspec.DecodeError:
            return "names a member of what is no JSON object"
        member = members.get(key)
        if not isinstance(member, str):
            return f"has no member {key!r} that is text (after #)"
        text = member
    return Secret(text.strip()) if text.strip() else "is empty"
