"""A connection for everything that is no commit: short statements, one at a time.

Not here: commits (journal.postgres_line), long reads (journal.postgres_read).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg

from holdfast.journal.postgres_connect import (
    Connection,
    ReadOnlyError,
    connect,
    raise_translated,
)

T = TypeVar("T")

_REFUSED = (ReadOnlyError, psycopg.errors.ReadOnlySqlTransaction)


class Side:
    """A connection for everything but commits: one user at a time, opened when it is needed."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def run(self, function: Callable[[Connection], T]) -> T:
        """Run what may be run twice: a connection that was lost since, or takes no writes any more,
        is replaced.
        """
        with self._lock:
            was_open = self._connection is not None
            try:
                return self._run(function)
            except psycopg.OperationalError as error:
                if not (was_open and self._connection is None):
                    raise_translated(self._name, error)
            except _REFUSED:
                if not was_open:
                    raise
            except psycopg.Error as error:
                raise_translated(self._name, error)
            try:
                return self._run(function)
            except psycopg.Error as error:
                raise_translated(self._name, error)

    def _run(self, function: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = connect(self._url, idles=False)
        is_refused = False
        try:
            return function(self._connection)
        except _REFUSED:
            is_refused = True
            raise
        finally:
            if is_refused or self._connection.broken:
                self._connection.close()
                self._connection = None

    def close(self) -> None:
        """Release the connection; may be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
