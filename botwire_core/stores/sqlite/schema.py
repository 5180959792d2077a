"""The tables of the embedded store, and the check of a file before anything touches it.

`versions` is the log of versions. Its row ids are `space << 32 | n`, so that the table itself is the list of changes
of each space in commit order, and one more index, by key, is all that reads need. `gone` says when a row stops to
stand: NULL never, a positive number when it expires, a negative one when it was deleted (microseconds); it is part of
the index, so that keys are listed without a look at the table.
"""

from __future__ import annotations

from typing import Final

import apsw

from botwire_core.errors import SchemaTooNewError, StoreCorruptError

__all__ = ["APPLICATION_ID", "ROW_BITS", "SCHEMA_VERSION", "check_schema", "is_new", "migrate"]

APPLICATION_ID: Final = 0x426F5769
"""The letters BoWi: tells our files from others (https://sqlite.org/fileformat2.html, offset 68)."""
SCHEMA_VERSION: Final = 1
ROW_BITS: Final = 32

_TABLES: Final = (
    """CREATE TABLE spaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT UNIQUE,
    created INTEGER NOT NULL,
    expires INTEGER,
    parent INTEGER,
    forked_at INTEGER NOT NULL DEFAULT 0,
    head INTEGER NOT NULL DEFAULT 0,
    last_row INTEGER NOT NULL DEFAULT 0,
    floor INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0,
    pruned INTEGER NOT NULL DEFAULT 0,
    keep_versions INTEGER NOT NULL DEFAULT 64,
    keep_deleted REAL NOT NULL DEFAULT 2592000.0,
    checksum INTEGER NOT NULL
) STRICT""",
    "CREATE INDEX spaces_by_parent ON spaces (parent, forked_at) WHERE parent IS NOT NULL",
    "CREATE INDEX spaces_by_expiry ON spaces (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE versions (
    id INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    version INTEGER NOT NULL,
    codec INTEGER NOT NULL,
    gone INTEGER,
    checksum INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    author TEXT,
    outer_checksum INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT""",
    "CREATE UNIQUE INDEX versions_by_key ON versions (space, key, revision, gone)",
    "CREATE INDEX versions_by_end ON versions (gone) WHERE gone IS NOT NULL",
    """CREATE TABLE snapshots (
    space INTEGER NOT NULL,
    label TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (space, label)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE merges (
    target INTEGER NOT NULL,
    source INTEGER NOT NULL,
    keys TEXT NOT NULL,
    revision INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (source, target, keys)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE log_floors (
    space INTEGER NOT NULL,
    log BLOB NOT NULL,
    number TEXT NOT NULL,
    PRIMARY KEY (space, log)
) STRICT, WITHOUT ROWID""",
)

_MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {0: _TABLES}
"""What brings a file from a schema version to the next."""


def is_new(connection: apsw.Connection) -> bool:
    """Whether the file is empty; reads only."""
    return _pragma(connection, "user_version") == 0 and _count(connection) == 0


def check_schema(connection: apsw.Connection, path: str) -> int:
    """The schema version of a file that is ours or empty; reads only.

    Raises:
        SchemaTooNewError: a newer BotWire wrote it.
        StoreCorruptError: it belongs to another program, or its tables are not as we made them.
    """
    if is_new(connection):
        if _pragma(connection, "application_id") not in (0, APPLICATION_ID):
            raise _foreign(path)
        return 0
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise _foreign(path)
    version = _pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"{path} has schema version {version}, this BotWire knows {SCHEMA_VERSION}",
            hint="install the newest version: pip install --upgrade botwire",
        )
    # A trigger or view that somebody planted would run with our rights.
    found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    found -= {"CREATE TABLE sqlite_sequence(name,seq)"}
    if version == SCHEMA_VERSION and found != set(_TABLES):
        raise StoreCorruptError(
            f"the tables in {path} are not as BotWire makes them", hint="restore the file from a backup"
        )
    return version


def migrate(connection: apsw.Connection, path: str) -> None:
    """Bring the file to the newest schema, in one transaction; several processes may try at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(check_schema(connection, path), SCHEMA_VERSION):
            for statement in _MIGRATIONS[version]:
                connection.execute(statement)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", SCHEMA_VERSION)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _foreign(path: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"{path} is a SQLite file of another program", hint="give BotWire a path of its own: sqlite:///another.db"
    )


def _pragma(connection: apsw.Connection, name: str) -> int:
    return int(connection.pragma(name))


def _count(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_schema").get)
