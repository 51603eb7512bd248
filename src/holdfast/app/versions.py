"""What must hold of the nodes before a database is made final for this version, or goes back.

Not here: what either does (journal.upgrade), rolling nodes over.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast import __version__
from holdfast.app.live.members import Node, nodes
from holdfast.app.live.opening import database_of
from holdfast.config import Config
from holdfast.errors import ConfigError
from holdfast.journal.database import Database
from holdfast.journal.version import Stored, require_current


def finalize(config: Config) -> Stored:
    """Let this version write what older ones cannot read; what the database says of itself now.

    Raises:
        ConfigError: a node of another version lives, or the database is of another schema.
        RetryableError: the database, or who lives, cannot be read.
    """
    _require_nodes(config, lambda node: node.version == __version__, f"only nodes of {__version__}")
    database = database_of(config)
    database.finalize()
    return _told(database)


def downgrade(config: Config) -> Stored:
    """Undo this version's migration; what the database says of itself now.

    Raises: as `finalize`; ConfigError where a node of this version lives, or it is final.
    """
    _require_nodes(config, lambda node: node.version != __version__, f"no node of {__version__}")
    database = database_of(config)
    database.downgrade()
    found = database.version()
    assert found is not None, "it was current a moment ago"  # noqa: S101
    return found


def _require_nodes(config: Config, may_live: Callable[[Node], bool], expected: str) -> None:
    # Who did not renew for a whole lease leads no more; a shorter look may miss who is only slow.
    members = nodes(config, config.cluster.timing.ttl_s)
    others = [node for node in members if node.is_live and not may_live(node)]
    if others:
        seen = ", ".join(f"{node.name} ({node.version})" for node in others)
        raise ConfigError(f"seen: running {seen}; expected: {expected}; do: roll the others first")


def _told(database: Database) -> Stored:
    return require_current(database.name, database.version())
