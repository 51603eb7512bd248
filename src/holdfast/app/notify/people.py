"""Users as those who are told: what each may hear of, as of now.

Not here: signing in (platform.identity).
"""

from __future__ import annotations

from holdfast.platform.identity import users
from holdfast.platform.identity.values import Principal, User
from holdfast.platform.port import Look


def principal_of(user: User, chat_id: str = "") -> Principal:
    """A user with all that his role lets him do; by `chat_id` where he asks for something."""
    return Principal(
        user_id=user.user_id, name=user.name, role=user.role, scopes=user.role.scopes,
        grants=user.grants, chat_id=chat_id,
    )  # fmt: skip


def everybody(look: Look) -> dict[str, Principal]:
    """Those who are not shut out, by id."""
    return {
        user.user_id: principal_of(user) for user in users.everybody(look) if not user.disabled
    }


def named(look: Look, name: str) -> User:
    """The user of this name.

    Raises:
        AbsentError.
    """
    row = users.by_name(look, name)
    return users.shown(look, row if row is not None else users.required(look, name))


def by_id(look: Look, user_id: str) -> User | None:
    """The user of this id; None where there is none, or he is shut out."""
    row = users.by_id(look, user_id)
    return None if row is None or row.disabled else users.shown(look, row)
