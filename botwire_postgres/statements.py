"""The SQL that looks through a lineage, by its depth, and that of the ops which take one statement."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = [
    "COLUMNS",
    "INSERT",
    "INSERT_AS_IT_IS",
    "MAX_LEVELS",
    "SPACES",
    "get_from_space",
    "get_many_from_space",
    "list_level",
    "newest_in_view",
    "set_in_space",
]

MAX_LEVELS: Final = 50
"""Levels looked at in one statement."""

COLUMNS: Final = "space, revision, key, version, codec, gone, created, updated, author, value"
"""What a row is made of, in this order."""

SPACES: Final = """SELECT s.id, s.name, s.created, s.expires, s.parent, s.forked_at, s.head, s.floor, s.forgotten,
    s.pruned, s.keep_versions, s.keep_deleted, s.checksum, v.revision, v.updated
    FROM spaces s LEFT JOIN LATERAL (
        SELECT revision, updated FROM versions WHERE space = s.id ORDER BY revision DESC, place DESC LIMIT 1
    ) v ON true"""

INSERT: Final = """INSERT INTO versions
    (space, revision, place, key, version, codec, gone, created, updated, author, value, previous)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, coalesce((
        SELECT revision FROM versions WHERE space = ?1 AND key = ?4 ORDER BY revision DESC LIMIT 1), 0))"""

INSERT_AS_IT_IS: Final = """INSERT INTO versions
    (space, revision, place, key, version, codec, gone, created, updated, author, value, previous)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"""

_FOUND: Final = "space, revision, version, codec, gone, created, updated, author, value"


def _first_of(columns: str, key: str, first: int, ancestors: int) -> str:
    """The newest row of a key in the first of a space `s` and so many ancestors (from ?first) that has one."""
    own = f"SELECT {columns} FROM versions WHERE space = s.id AND key = {key} ORDER BY revision DESC LIMIT 1"
    if not ancestors:
        return own
    looks = [f"(SELECT 0 AS depth, {own[7:]})"]
    looks += [
        f"(SELECT {depth} AS depth, {columns} FROM versions WHERE space = ?{place} AND key = {key}"
        f" AND revision <= ?{place + 1} ORDER BY revision DESC LIMIT 1)"
        for depth, place in enumerate(range(first, first + 2 * ancestors, 2), 1)
    ]
    return f"SELECT {columns} FROM ({' UNION ALL '.join(looks)}) AS found ORDER BY depth LIMIT 1"


@lru_cache(maxsize=MAX_LEVELS + 1)
def get_from_space(columns: str, ancestors: int) -> str:
    """Columns of the row of a key (?3) in a space (?1) with so many ancestors (from ?4), while it has its name (?2).

    One row, of nothing where the key has none; no row where the name has gone to another space.
    """
    named = ", ".join(f"v.{column}" for column in columns.split(", "))
    return (
        f"SELECT {named} FROM spaces s LEFT JOIN LATERAL ({_first_of(columns, '?3', 4, ancestors)}) v ON true"
        " WHERE s.id = ?1 AND s.name = ?2"
    )


@lru_cache(maxsize=MAX_LEVELS + 1)
def get_many_from_space(columns: str, ancestors: int) -> str:
    """The same for many keys (?3), each with its place among them first."""
    named = ", ".join(f"v.{column}" for column in columns.split(", "))
    return (
        f"SELECT k.place, {named} FROM spaces s CROSS JOIN unnest(?3::text[]) WITH ORDINALITY AS k(key, place)"
        f" LEFT JOIN LATERAL ({_first_of(columns, 'k.key', 4, ancestors)}) v ON true WHERE s.id = ?1 AND s.name = ?2"
    )


@lru_cache(maxsize=MAX_LEVELS + 1)
def set_in_space(ancestors: int) -> str:
    """A set in one statement, of a key (?3) in a space (?1) with so many ancestors (from ?9), that has its name (?2).

    It locks the record of the space, and gives the version, revision and times that it wrote; no row where the name
    has gone. If somebody else held the lock, it does not see what was written meanwhile: then its revision is taken,
    which is an error.
    """
    found = _first_of(_FOUND, "?3", 9, ancestors)
    return (
        "INSERT INTO versions"
        " (space, revision, place, key, version, codec, gone, created, updated, author, value, previous)"
        " SELECT s.id, greatest(l.revision, s.head, s.forked_at, s.pruned) + 1, 0, ?3,"
        " coalesce(v.version, s.floor) + 1, ?4::bigint, ?5::bigint,"
        " CASE WHEN v.version IS NULL OR v.codec = 0 OR v.gone <= ?6 THEN greatest(?6, l.updated, s.created)"
        " ELSE v.created END, greatest(?6, l.updated, s.created), ?7::text,"
        " ?8::bytea, CASE WHEN v.space = s.id THEN v.revision ELSE 0 END"
        " FROM (SELECT id, head, forked_at, floor, pruned, created FROM spaces"
        " WHERE id = ?1 AND name = ?2 FOR UPDATE) AS s"
        " LEFT JOIN LATERAL (SELECT revision, updated FROM versions WHERE space = s.id"
        " ORDER BY revision DESC, place DESC LIMIT 1) l ON true"
        f" LEFT JOIN LATERAL ({found}) v ON true RETURNING version, revision, created, updated, gone"
    )


@lru_cache(maxsize=MAX_LEVELS + 1)
def newest_in_view(levels: int) -> str:
    """The newest row of a key (?1) in the first of so many levels (from ?2) that has one."""
    looks = [
        f"(SELECT {depth} AS depth, {COLUMNS} FROM versions WHERE space = ?{place} AND key = ?1"
        f" AND revision <= ?{place + 1} ORDER BY revision DESC LIMIT 1)"
        for depth, place in enumerate(range(2, 2 + 2 * levels, 2))
    ]
    return f"SELECT {COLUMNS} FROM ({' UNION ALL '.join(looks)}) AS found ORDER BY depth LIMIT 1"


@lru_cache(maxsize=64)
def list_level(columns: str, reverse: bool, start: bool, end: bool, after: bool, named: bool) -> str:
    """The newest row up to revision ?2 of each key of space ?1, in the order of keys; at most ?3 rows.

    Then come the first key, the one where it ends, and the one to go on beyond, as far as there are any. `named`: none
    where the space has been dropped meanwhile; what only its forks need of it is older than what stood there.
    """
    # Plus nothing: the other index, by revision, would be taken for the better one, and read the whole namespace.
    conditions = ["space = ?1", "revision + 0 <= ?2"]
    number = 4
    for given, condition in ((start, "key >="), (end, "key <"), (after, "key <" if reverse else "key >")):
        if given:
            conditions.append(f"{condition} ?{number}")
            number += 1
    if named:
        conditions.append("EXISTS (SELECT 1 FROM spaces WHERE id = ?1 AND name IS NOT NULL)")
    selected = columns.replace("size", "length(value)")
    order = "DESC" if reverse else "ASC"
    return (
        f"SELECT DISTINCT ON (key) {selected} FROM versions WHERE {' AND '.join(conditions)}"
        f" ORDER BY key {order}, revision DESC LIMIT ?3"
    )
