"""Ports on loopback that are kept for a test, so that nobody else is given them meanwhile.

A port that is only looked up and then let go may belong to another process a moment later.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nobody listens on, nor can as long as the context lasts."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port for a server that comes and goes; while it is away, connections are refused.

    The server must bind with SO_REUSEADDR, as asyncio's servers do.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
