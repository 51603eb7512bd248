"""A real SMTP server on this machine that keeps what it is sent, or refuses it.

Not here: what is sent.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "desk", "hunter2-of-the-desk"


class Mailbox:
    """What was received, and what is to be said instead.

    Attributes:
        refuses: an SMTP reply to everything, such as `451 later`.
    """

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuses = ""
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Called by the server with a letter."""
        if self.refuses:
            return self.refuses
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        return "250 OK"


@contextmanager
def mailbox(*, asks_password: bool = False) -> Iterator[Mailbox]:
    """A server on a free port of 127.0.0.1."""
    made = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        made.port = free.getsockname()[1]
    controller = Controller(
        made, hostname="127.0.0.1", port=made.port, auth_required=asks_password,
        auth_require_tls=False, authenticator=_authenticate,
    )  # fmt: skip
    with warnings.catch_warnings():
        # A password without encryption is what a server on this machine may ask for.
        warnings.filterwarnings("ignore", "Requiring AUTH", UserWarning)
        controller.start()
        try:
            yield made
        finally:
            controller.stop()


def _authenticate(_s: Any, _session: Any, _envelope: Any, _how: str, given: Any) -> AuthResult:
    is_right = given == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=is_right)
