"""A letter by SMTP: encrypted unless the server is on this machine.

Not here: what is in it (daily_page).
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final

import msgspec

from holdfast.config.jobs import Mail
from holdfast.errors import ConfigError, PlatformError, RejectedError, RetryableError
from holdfast.secrets.candidates import candidates

_TIMEOUT_S: Final = 30.0


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent.

    Attributes:
        images: PNG, by the content id that the page names them by.
        message_id: the same for the same letter, without the domain.
    """

    subject: str
    text: str
    html: str
    images: Mapping[str, bytes]
    message_id: str


def send(letter: Letter, mail: Mail) -> None:
    """Hand it to the server for all of its recipients, or to none. Blocks.

    Raises:
        ConfigError: the server does not let us in.
        RejectedError: it refuses the letter, or a recipient.
        RetryableError: it does not answer now, or says to come again.
    """
    with _told(mail), _let_in(mail) as server:
        refused = server.send_message(_message(letter, mail))
        if refused:
            raise RejectedError(
                "recipient", f"seen: {', '.join(sorted(refused))} refused; expected: all taken"
            )


@contextmanager
def _let_in(mail: Mail) -> Iterator[smtplib.SMTP]:
    """Signed in where there is a user, with one password after the other while they are refused."""
    refusal: smtplib.SMTPAuthenticationError | None = None
    for password in _passwords(mail):
        with _connected(mail) as server:  # some hang up on who was refused
            if mail.user:
                try:
                    server.login(mail.user, password)
                except smtplib.SMTPAuthenticationError as error:
                    refusal = error
                    continue
            yield server
            return
    assert refusal is not None  # noqa: S101 - one password is always tried
    raise refusal


def _passwords(mail: Mail) -> Iterator[str]:
    if mail.password is None:
        yield ""
        return
    for password in candidates(mail.password, purpose="mail"):
        yield password.reveal()


def _message(letter: Letter, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(letter.subject.split())
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{letter.message_id}@{mail.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    page = message.get_payload()[1]  # type: ignore[index]
    for name, picture in letter.images.items():
        page.add_related(picture, "image", "png", cid=f"<{name}>")  # type: ignore[union-attr]
    return message


@contextmanager
def _connected(mail: Mail) -> Iterator[smtplib.SMTP]:
    context = ssl.create_default_context()
    if mail.tls == "implicit":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            mail.host, mail.port, timeout=_TIMEOUT_S, context=context
        )
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=_TIMEOUT_S)
    with server:
        if mail.tls == "starttls":
            server.starttls(context=context)
        yield server


@contextmanager
def _told(mail: Mail) -> Iterator[None]:
    where = f"{mail.host}:{mail.port}"
    try:
        yield
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError,
            ssl.SSLCertVerificationError) as error:  # fmt: skip
        raise ConfigError(
            f"seen: the mail server {where} does not let us in ({_said(error)}); expected: a user "
            "and a way of encryption that it knows; do: correct `[jobs.mail]`"
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(where, error, [code for code, _ in error.recipients.values()]) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(where, error, [error.smtp_code]) from error
    except (smtplib.SMTPException, OSError) as error:
        raise RetryableError(
            f"seen: the mail server {where} does not answer ({_said(error)}); expected: an answer; "
            "do: look whether it runs"
        ) from error


def _refusal(where: str, error: Exception, codes: list[int]) -> PlatformError:
    told = f"seen: the mail server {where} says {_said(error)}; expected: that it takes the mail"
    if all(400 <= code < 500 for code in codes):
        return RetryableError(told)
    return RejectedError("mail", told)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
