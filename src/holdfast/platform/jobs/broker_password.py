"""The password of Celery's broker by reference, whichever version is taken.

Celery opens connections by itself, so that who sees one refused says so. Not here: Celery
(celery_runner), connections of our own (cluster.redis_connect).
"""

from __future__ import annotations

from itertools import islice

from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as NotConnectedError

from holdfast.errors import PlatformError
from holdfast.secrets.candidates import candidates


class BrokerPassword(CredentialProvider):
    """Asked for each connection, by any thread.

    Args:
        username: empty for the server's default user.
    """

    def __init__(self, reference: str, username: str = "") -> None:
        self._reference = reference
        self._username = username
        self._refused = 0

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """What the driver asks; blocks for who keeps the secret.

        Raises:
            redis.exceptions.ConnectionError: there is none now.
        """
        try:
            trying = candidates(self._reference, purpose="the broker's password")
            found = next(islice(trying, self._refused, None), None)
            if found is None:  # there is no other: from the beginning
                self._refused = 0
                found = next(candidates(self._reference, purpose="the broker's password"))
        except PlatformError as error:  # users of Redis know what to do without it
            raise NotConnectedError(str(error)) from error
        password = found.reveal()
        return (self._username, password) if self._username else (password,)

    def look(self, error: BaseException | None) -> None:
        """A connection was made, or could not be: the next one tries another where it was refused.

        Args:
            error: that it could not be made for, with its causes; None when it was.
        """
        if error is None:
            self._refused = 0
        while error is not None:
            if isinstance(error, AuthenticationError):
                self._refused += 1
                return
            error = error.__cause__ or error.__context__
