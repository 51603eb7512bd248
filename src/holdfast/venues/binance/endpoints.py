"""Where the exchange is, and how long it is waited for.

Not here: reading them from a configuration (app).
"""

from __future__ import annotations

import msgspec


class Endpoints(msgspec.Struct, frozen=True):
    """Where the exchange is. The defaults are the public one.

    Attributes:
        rest_url: scheme, host and port, without a path.
        ws_api_url, stream_url: complete WebSocket addresses.
    """

    rest_url: str = "https://api.binance.com"
    ws_api_url: str = "wss://ws-api.binance.com:443/ws-api/v3"
    stream_url: str = "wss://stream.binance.com:9443/stream"


class Patience(msgspec.Struct, frozen=True):
    """How long to wait for replies.

    Attributes:
        reply_margin_s: for an order or cancel, on top of its own window.
        read_s: for a question, all together.
        read_window_ms: recvWindow of a signed question.
    """

    reply_margin_s: float = 1.0
    read_s: float = 5.0
    read_window_ms: int = 5_000
