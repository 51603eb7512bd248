"""The variables that deployments set: what each does here, or why it does nothing.

Not here: reading them (the other modules of this room).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Effect(StrEnum):
    """What becomes of a variable that is set."""

    SETS = "sets"  # wins over the file
    READ = "read"  # has no place in the file
    NONE = "none"  # does nothing, and that is said
    REFUSED = "refused"  # would change what is traded: nothing starts
    ELSEWHERE = "elsewhere"  # of images, scripts and pipelines; programs leave it alone


class Variable(NamedTuple):
    """One of them.

    Attributes:
        what: the setting that it sets, or what it is for, or what there is instead.
    """

    name: str
    effect: Effect
    what: str


_KEY: Final = "accounts refer to it unless told otherwise"
_PAGES: Final = "the dashboard asks the API that serves it"
_IMAGE: Final = "the image's build and where it is pushed"
_SERVER: Final = "the PostgreSQL image, at its first start"
_BACKUP: Final = "the backup container"

VARIABLES: Final = tuple(
    Variable(*row)
    for row in (
        ("DATABASE_URL", Effect.SETS, "database_url"),
        ("DB_URL", Effect.SETS, "database_url"),
        ("DB_HOST", Effect.SETS, "database_url"),
        ("DB_PORT", Effect.SETS, "database_url"),
        ("DB_NAME", Effect.SETS, "database_url"),
        ("DB_USER", Effect.SETS, "database_url"),
        ("DB_PASSWORD", Effect.SETS, "database_url"),
        ("DATABASE_REPLICA_URL", Effect.SETS, "database_replica_url"),
        ("LOG_LEVEL", Effect.SETS, "log_level"),
        ("LOG_FORMAT", Effect.SETS, "log_format"),
        ("LOG_FILE", Effect.SETS, "log_file"),
        ("PORT", Effect.SETS, "api.port"),
        ("METRICS_PORT", Effect.SETS, "api.metrics_port"),
        ("REDIS_URL", Effect.READ, "api.redis_url refers to it unless told otherwise"),
        ("BINANCE_API_KEY", Effect.READ, _KEY),
        ("BINANCE_API_SECRET", Effect.READ, _KEY),
        ("JWT_SECRET", Effect.READ, "encrypts what signs access tokens"),
        ("IDENTITY_KEY", Effect.READ, "encrypts secrets of second factors in the database"),
        ("GOOGLE_CLIENT_ID", Effect.READ, "signing in by Google, or by OIDC_ISSUER"),
        ("REACT_APP_GOOGLE_CLIENT_ID", Effect.READ, "another name of GOOGLE_CLIENT_ID"),
        ("GOOGLE_CLIENT_SECRET", Effect.READ, "with GOOGLE_CLIENT_ID"),
        ("OIDC_ISSUER", Effect.READ, "who says who somebody is, instead of Google"),
        ("ENVIRONMENT", Effect.READ, "what people call this installation; switches nothing"),
        ("ENV", Effect.READ, "another name of ENVIRONMENT"),
        ("DEBUG", Effect.READ, "more in the API's log, unless LOG_LEVEL is set"),
        ("HOLDFAST_DEBUG", Effect.READ, "tracebacks of the command line"),
        ("SENTRY_DSN", Effect.READ, "errors go to that tracker as well (extra `sentry`)"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", Effect.READ, "traces go to that collector (extra `otel`)"),
        ("DATADOG_API_KEY", Effect.NONE, "its agent has the key, and asks METRICS_PORT"),
        ("ENABLE_PROFILING", Effect.READ, "lets `holdfast profile` look into processes"),
        ("NODE_ENV", Effect.NONE, "the dashboard's build comes with the package"),
        ("VITE_API_URL", Effect.NONE, _PAGES),
        ("REACT_APP_API_URL", Effect.NONE, _PAGES),
        ("CAPITAL_ALLOCATION", Effect.REFUSED, "`limits.max_position_notional` of a bot"),
        ("STRATEGY", Effect.REFUSED, "`strategy` of a bot"),
        ("EXCHANGE_NAME", Effect.REFUSED, "`venue` of the account"),
        ("CLOUD_PROVIDER", Effect.ELSEWHERE, "infrastructure as code"),
        ("AWS_REGION", Effect.ELSEWHERE, "the cloud's own clients"),
        ("ECR_REGISTRY", Effect.ELSEWHERE, _IMAGE),
        ("ECR_REPOSITORY", Effect.ELSEWHERE, _IMAGE),
        ("REGISTRY", Effect.ELSEWHERE, _IMAGE),
        ("IMAGE_NAME", Effect.ELSEWHERE, _IMAGE),
        ("IMAGE_TAG", Effect.ELSEWHERE, _IMAGE),
        ("DEPLOYMENT_STRATEGY", Effect.ELSEWHERE, "how a release is rolled out"),
        ("POSTGRES_DB", Effect.ELSEWHERE, _SERVER),
        ("POSTGRES_USER", Effect.ELSEWHERE, _SERVER),
        ("POSTGRES_PASSWORD", Effect.ELSEWHERE, _SERVER),
        ("POSTGRES_PASSWORD_FILE", Effect.ELSEWHERE, _SERVER),
        ("POSTGRES_HOST", Effect.ELSEWHERE, _BACKUP),
        ("SCHEDULE", Effect.ELSEWHERE, _BACKUP),
        ("BACKUP_KEEP_DAYS", Effect.ELSEWHERE, _BACKUP),
        ("BACKUP_KEEP_WEEKS", Effect.ELSEWHERE, _BACKUP),
        ("BACKUP_KEEP_MONTHS", Effect.ELSEWHERE, _BACKUP),
        ("HEALTHCHECK_PORT", Effect.ELSEWHERE, _BACKUP),
    )
)
"""All that are known, in the order in which they are told."""

_BY_NAME: Final = {variable.name: variable for variable in VARIABLES}
_ALIKE: Final = 0.87
_SHORTEST: Final = 6
"""A shorter name is like too many others."""


def with_effect(effect: Effect, environ: Mapping[str, str] = os.environ) -> Iterator[Variable]:
    """Those that are set, by themselves or by the file that `NAME_FILE` names."""
    for one in VARIABLES:
        if one.effect is effect and (environ.get(one.name) or environ.get(f"{one.name}_FILE")):
            yield one


def sets(setting: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Names of the variables that set `setting` now; empty when none does."""
    return tuple(one.name for one in with_effect(Effect.SETS, environ) if one.what == setting)


def misnamed(
    environ: Mapping[str, str] = os.environ, others: Iterator[str] | tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Variables that are set, that nobody knows, and that look like a known one; with its name.

    Args:
        others: names that the configuration refers to, such as an account's own `env:MY_KEY`.
    """
    known = {name for name, one in _BY_NAME.items() if one.effect is not Effect.ELSEWHERE}
    spoken_of = {*_BY_NAME, *others}
    for name in sorted(environ):
        if name.removesuffix("_FILE") in spoken_of or len(name) < _SHORTEST:
            continue
        bare = name.upper().removeprefix("HOLDFAST_")
        close = [bare] if bare in known else difflib.get_close_matches(bare, known, 1, _ALIKE)
        if close:
            yield name, close[0]
