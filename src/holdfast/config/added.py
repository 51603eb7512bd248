"""Accounts that a command added: kept beside the journal, on the same footing as those of a file.

Each is on the exchange of an account in the file, so that nobody who may add one can say where the
secrets that it refers to are sent. Not here: where they are kept (platform.accounts).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from holdfast.config import Account, Config, Name, ReconcilePolicy, SecretReference
from holdfast.errors import ConfigError


class AddedAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange account that is in no file.

    Attributes:
        like: an account of the file; this one is on the same exchange.
        api_key, api_secret: references, which every node resolves for itself.
        reconcile: about what others did on this account.
    """

    name: Name
    like: Name
    api_key: SecretReference
    api_secret: SecretReference
    reconcile: ReconcilePolicy = ReconcilePolicy.HALT


class Joined(NamedTuple):
    """A configuration with accounts that were added, and why others of them were left out."""

    config: Config
    refused: dict[str, str]


def joined(config: Config, added: Iterable[AddedAccount]) -> Joined:
    """The configuration of a file with all of them that go with it; the file's own come first."""
    now, refused = config, dict[str, str]()
    for one in added:
        try:
            now = _with(now, one, config)
        except ConfigError as error:
            refused[one.name] = str(error)
    return Joined(now, refused)


def require_addable(config: Config, there: Iterable[AddedAccount], added: AddedAccount) -> None:
    """See that one more goes with the configuration and those that were added before.

    Raises:
        ConfigError: it does not; the text says why.
    """
    _with(joined(config, there).config, added, config)


def _with(now: Config, added: AddedAccount, file: Config) -> Config:
    like = next((one for one in file.all_accounts if one.name == added.like), None)
    if like is None:
        known = ", ".join(one.name for one in file.all_accounts)
        raise _refused(f"on the exchange of {added.like!r}", f"that of one of {known}", added.name)
    try:
        account = Account(
            name=added.name, venue=like.venue, api_key=added.api_key,
            api_secret=added.api_secret, reconcile=added.reconcile,
        )  # fmt: skip
        return msgspec.structs.replace(
            now,
            account=Account(),
            accounts=(*now.all_accounts, account),
            # Where there was one account, a bot need not say that it is on it.
            bots=tuple(
                msgspec.structs.replace(bot, account=now.account_of(bot.name)) for bot in now.bots
            ),
        )
    except ValueError as error:
        seen, _, expected = str(error).partition(", expected ")
        raise _refused(seen, expected, added.name) from error


def _refused(seen: str, expected: str, name: str) -> ConfigError:
    return ConfigError(
        f"seen: account {name}: {seen}; expected: {expected}; do: add it otherwise, or change the "
        "configuration of the nodes"
    )
