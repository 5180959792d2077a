"""What `botwire doctor` tells of a store on PostgreSQL; it only looks, and makes no tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg

from botwire_core.errors import SchemaTooNewError
from botwire_core.records import record
from botwire_core.stores.sql.records import record_checksum
from botwire_postgres.database import Database
from botwire_postgres.faults import fault
from botwire_postgres.schema import SCHEMA_VERSION, check_schema_name, qualified

__all__ = ["PostgresHealth", "look"]

Every = Callable[[str, tuple[Any, ...]], list[Any]]

_NOT_THERE: Final = "not there yet: the first write makes it"
_COUNTED: Final = 1_000_000  # rows; of more, the server's estimate is told
_SPACES: Final = """WITH RECURSIVE seen(space) AS (
    (SELECT min({column}) FROM {table}) UNION ALL
    SELECT (SELECT min({column}) FROM {table} WHERE {column} > seen.space) FROM seen WHERE seen.space IS NOT NULL)
    SELECT count(*) FROM seen WHERE space IS NOT NULL AND NOT EXISTS (SELECT 1 FROM spaces WHERE id = seen.space)"""
_ORPHANS: Final = {
    "versions": _SPACES.format(table="versions", column="space"),
    "log numbers": _SPACES.format(table="log_floors", column="space"),
    "snapshots": "SELECT count(*) FROM snapshots WHERE space NOT IN (SELECT id FROM spaces)",
    "merges": """SELECT count(*) FROM merges
        WHERE source NOT IN (SELECT id FROM spaces) OR target NOT IN (SELECT id FROM spaces)""",
    "forks": """SELECT count(*) FROM spaces
        WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM spaces)""",
}
"""How many records belong to a space that is not there; of tables with many rows, how many such spaces there are."""
_CHECKED: Final[dict[str, tuple[str, tuple[Any, ...]]]] = {
    "namespaces": (
        "SELECT created, expires, parent, forked_at, checksum, id FROM spaces WHERE id > ?1 ORDER BY id LIMIT 1000",
        (-1,),
    ),
    "snapshots": (
        """SELECT space, revision, label, created, expires, checksum, space, label FROM snapshots
        WHERE (space, label) > (?1, ?2) ORDER BY space, label LIMIT 1000""",
        (-1, ""),
    ),
    "merges": (
        """SELECT target, source, keys, revision, checksum, source, target, keys FROM merges
        WHERE (source, target, keys) > (?1, ?2, ?3) ORDER BY source, target, keys LIMIT 1000""",
        (-1, -1, ""),
    ),
}
"""What has a checksum: the next thousand of them, and where the first begin."""
_TABLES: Final = """FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ?1 AND c.relkind = 'r'"""


@record
class PostgresHealth:
    """The state of a store on PostgreSQL; `integrity` is "ok" or says what is wrong."""

    place: str
    """Host and database."""
    schema: str
    server_version: str
    schema_version: int
    """0 where there are no tables yet."""
    synchronous_replication: str
    """"off", or which standbys a commit waits for."""
    page_checksums: str
    """Whether PostgreSQL finds out about a page that the disk has changed: "on" or "off"."""
    bytes: int
    """Size of the tables and their indexes."""
    namespaces: int
    versions: int
    """How many rows, or the server's estimate where there are more than a million."""
    integrity: str


def look(database: Database) -> PostgresHealth:
    """Look at the tables of a store, all of one moment, over a connection of its own.

    Raises:
        StoreUnavailableError: the database cannot be reached, or the user may not look.
        StoreBusyError: it took longer than the timeout.
        SchemaTooNewError: a newer BotWire made the tables, and says that this one cannot work with them.
    """
    colour = database.blocking()
    deadline = time.monotonic() + database.timeout
    try:
        link = colour.connect(database.timeout)
        try:
            database.watchdog.watch(link, deadline)
            colour.do(link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return _examine(database.place, database.schema, lambda sql, values: colour.every(link, sql, values))
        finally:
            database.watchdog.done(link)
            link.pgconn.finish()
    except psycopg.Error as error:
        raise fault(error, database.place) from error


def _examine(place: str, schema: str, every: Every) -> PostgresHealth:
    """What is to be told, by a function that gives the rows of a statement."""

    def ask(sql: str, *values: Any) -> Any:
        return every(qualified(sql, schema), values)[0][0]

    standbys = ask("SHOW synchronous_standby_names")
    waits = standbys and ask("SHOW synchronous_commit") not in ("off", "local")
    known = place, schema, ask("SHOW server_version")
    replication = f"on: {standbys}" if waits else "off"
    checksums = ask("SHOW data_checksums")
    if ask("SELECT to_regclass(?1)", f'"{check_schema_name(schema)}".about') is None:
        return PostgresHealth(*known, 0, replication, checksums, 0, 0, 0, _NOT_THERE)
    about = dict(every(qualified("SELECT name, value FROM about", schema), ()))
    if about.get("compatible_from", 0) > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"the schema {schema!r} has version {about.get('schema_version')}, this BotWire knows {SCHEMA_VERSION}",
            hint="install the newest version: pip install --upgrade botwire",
        )
    versions = ask(f"SELECT c.reltuples::bigint {_TABLES} AND c.relname = 'versions'", schema)
    if versions < _COUNTED:
        versions = ask("SELECT count(*) FROM versions")
    wrong = list(_wrong(schema, every))
    return PostgresHealth(
        *known,
        about.get("schema_version", 0),
        replication,
        checksums,
        int(ask(f"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint {_TABLES}", schema)),
        ask("SELECT count(*) FROM spaces WHERE name IS NOT NULL AND left(name, 1) <> '.'"),
        versions,
        "; ".join(wrong) or "ok",
    )


def _wrong(schema: str, every: Every) -> Iterator[str]:
    """What does not fit together, in words."""
    for what, sql in _ORPHANS.items():
        count = every(qualified(sql, schema), ())[0][0]
        if count:
            yield f"{what} of {count} namespaces that are not there"
    for what, (sql, start) in _CHECKED.items():
        count = sum(record_checksum(*row) != check for *row, check in _rows(schema, every, sql, start))
        if count:
            yield f"{count} of the {what} are not as they were written"


def _rows(schema: str, every: Every, sql: str, after: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """What a statement selects up to the checksum, page by page; behind it stands where the next page begins."""
    while found := every(qualified(sql, schema), after):
        place = len(found[0]) - len(after)
        for row in found:
            yield row[:place]
        after = found[-1][place:]
