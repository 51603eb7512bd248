"""Errors to a tracker that speaks Sentry's protocol, where `SENTRY_DSN` names one.

What the log has at level `error` goes there as well, masked by the same nets, with the frames of an
exception and never the values in them. Not here: what is an error (who logs it).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final

from holdfast.telemetry.log import masked, on_error

VARIABLE: Final = "SENTRY_DSN"
END_S: Final = 1.0

# Of a line: what Sentry has places of its own for, or nobody looks for.
_OWN_PLACE: Final = frozenset({"event", "level", "logger", "timestamp", "exc_info", "exception"})
_TAGS: Final = ("action", "service", "node", "account", "epoch", "bot", "request")


def is_installed() -> bool:
    """Whether the extra `sentry` is there; nothing of it is imported."""
    return find_spec("sentry_sdk") is not None


def begin(dsn: str, *, release: str, environment: str) -> None:
    """Report errors of this process from here on, in a thread; call it after a fork.

    Raises:
        ImportError: the extra `sentry` is not installed.
        ValueError: that is no address of a tracker.
    """
    import sentry_sdk  # noqa: PLC0415 - an extra, and a tenth of a second
    from sentry_sdk.utils import BadDsn, event_from_exception  # noqa: PLC0415

    try:
        sentry_sdk.init(
            dsn, release=f"holdfast@{release}", environment=environment or "production",
            default_integrations=False, auto_enabling_integrations=False,  # nothing is patched
            include_local_variables=False, include_source_context=False,
            max_breadcrumbs=0, before_send=_masked_event,
            shutdown_timeout=END_S,
        )  # fmt: skip
    except BadDsn as error:
        raise ValueError(type(error).__name__) from None  # its text has the address, with the key
    options = sentry_sdk.get_client().options

    def report(line: Mapping[str, Any]) -> None:
        error = line.get("exc_info")
        made: Any = event_from_exception(error, client_options=options)[0] if error else {}
        made |= {
            "message": str(line.get("event", "")),
            "level": "error",
            "logger": str(line.get("logger", "")),
            "tags": {name: str(line[name]) for name in _TAGS if line.get(name) is not None},
            "extra": {name: value for name, value in line.items() if name not in _OWN_PLACE},
        }
        sentry_sdk.capture_event(made)

    on_error(report)


def stop() -> None:
    """Send what waits, for at most `END_S`."""
    import sentry_sdk  # noqa: PLC0415 - an extra

    ending = threading.Thread(target=sentry_sdk.flush, args=(END_S,), daemon=True)
    ending.start()
    ending.join(END_S)


def _masked_event(event: Any, _hint: Any) -> Any:
    """The last thing that happens to an event here: every text in it passes the nets."""
    return {key: masked(str(key), value) for key, value in event.items()}
