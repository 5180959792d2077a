"""The SQL that looks through a lineage, by its depth.

Levels are bound values, so that 10,000 forks of one depth share one prepared statement. The first level with a row
of the key decides, which is a `coalesce` of one index look-up each; measured, a get at depth 8 costs 1.3 times one
at depth 0, against 2.1 for a walk up the lineage in Python at depth 2 already.
"""

from __future__ import annotations

from functools import lru_cache

from botwire_core.stores.sqlite.rows import COLUMNS
from botwire_core.stores.sqlite.schema import ROW_BITS

__all__ = [
    "MAX_LEVELS",
    "get_entry_in_space",
    "get_in_space",
    "list_level",
    "newest_in_view",
    "sample_keys",
    "search_level",
    "state_of_space",
]

MAX_LEVELS = 100
"""Levels looked at in one statement; SQLite takes at most 127 arguments of a function."""

_OWN = "(SELECT id FROM versions WHERE space = ?1 AND key = ?2 ORDER BY revision DESC LIMIT 1)"


@lru_cache(maxsize=MAX_LEVELS + 1)
def get_in_space(ancestors: int) -> str:
    """What a get needs, of a key (?2) in a space (?1) with so many ancestors (from ?4), while it has its name (?3).

    The join makes sure, in the same snapshot, that the name has not gone to another space; that costs next to nothing.
    """
    looks = [_OWN, *(_look(4 + 2 * i) for i in range(ancestors))]
    return (
        "SELECT v.space, v.revision, v.codec, v.gone, v.checksum, v.value FROM spaces s"
        f" LEFT JOIN versions v ON v.id = {_first_of(looks)} WHERE s.id = ?1 AND s.name = ?3"
    )


@lru_cache(maxsize=MAX_LEVELS + 1)
def get_entry_in_space(ancestors: int) -> str:
    """What `get_in_space` gives, and then the columns that make an entry of it; bound as that is."""
    return get_in_space(ancestors).replace(
        " FROM", ", v.id, v.version, v.created, v.updated, v.author, v.outer_checksum FROM", 1
    )


@lru_cache(maxsize=MAX_LEVELS + 1)
def state_of_space(ancestors: int) -> str:
    """What a set needs to know: of a space (?1) its last row, and of a key (?2) the newest row; bound as for a get."""
    looks = [_OWN, *(_look(4 + 2 * i) for i in range(ancestors))]
    return (
        f"SELECT s.floor, max(coalesce(l.id, 0), (?1 << {ROW_BITS}) + s.last_row),"
        " max(coalesce(l.revision, 0), s.head, s.forked_at), coalesce(l.updated, s.created),"
        " v.space, v.revision, v.version, v.codec, v.gone, v.created"
        " FROM spaces s LEFT JOIN versions l ON l.id = ("
        f"SELECT id FROM versions WHERE id >= ?1 << {ROW_BITS} AND id < (?1 + 1) << {ROW_BITS}"
        " ORDER BY id DESC LIMIT 1"
        f") LEFT JOIN versions v ON v.id = {_first_of(looks)} WHERE s.id = ?1 AND s.name = ?3"
    )


@lru_cache(maxsize=MAX_LEVELS + 1)
def newest_in_view(levels: int) -> str:
    """The newest row of a key (?1) in the first of so many levels (from ?2) that has one."""
    return f"SELECT {COLUMNS} FROM versions WHERE id = {_first_of([_look(2 + 2 * i, '?1') for i in range(levels)])}"


@lru_cache(maxsize=64)
def list_level(columns: str, reverse: bool, start: bool, end: bool, after: bool) -> str:
    """The newest row up to revision ?2 of each key of space ?1, from ?3, below ?4, and beyond ?5; at most ?6 rows."""
    conditions = ["space = ?1", "revision <= ?2"]
    if start:
        conditions.append("key >= ?3")
    if end:
        conditions.append("key < ?4")
    if after:
        conditions.append(f"key {'<' if reverse else '>'} ?5")
    order = "DESC" if reverse else "ASC"
    newest = (
        f"SELECT id, key, gone, max(revision) AS revision FROM versions INDEXED BY versions_by_key"
        f" WHERE {' AND '.join(conditions)} GROUP BY key ORDER BY key {order} LIMIT ?6"
    )
    if columns == "key, gone":
        return f"SELECT key, gone FROM ({newest})"
    named = ", ".join("length(v.value)" if name == "size" else f"v.{name}" for name in columns.split(", "))
    return f"SELECT {named} FROM ({newest}) AS h CROSS JOIN versions AS v ON v.id = h.id ORDER BY h.key {order}"


@lru_cache(maxsize=64)
def sample_keys(start: bool, end: bool) -> str:
    """How many rows, and how many keys, the first ?4 rows of space ?1 from ?2 to below ?3 are."""
    return (
        "SELECT count(*), count(DISTINCT key) FROM (SELECT key FROM versions INDEXED BY versions_by_key"
        f" WHERE {_range('', start, end)} LIMIT ?4)"
    )


@lru_cache(maxsize=256)
def search_level(start: bool, end: bool, tests: tuple[tuple[str, int], ...], scan: bool, exact: bool) -> str:
    """The ids of rows of space ?1, with keys from ?2 to below ?3, that stand at ?4 and maybe match.

    ?6 rows after the first ?5, newest first, those of one time in the order of their keys; if not `exact`, the commits
    of one time are known apart, which spares most of the look. `scan` reads the rows as they lie, not by their keys. A
    test is a condition on a member of a JSON object, and in how many places the member may be; it binds a path for
    each place, and then what its condition compares with, from ?7 on.
    """
    number = 7
    wanted = []
    for condition, places in tests:
        bound = number + places
        holds = [_COMPARE[condition].format(_member(place), bound, bound + 1) for place in range(number, bound)]
        wanted.append(f"({' OR '.join(holds)})")
        number = bound + _BOUND[condition]
    # CASE holds the order, which AND does not: only JSON may be looked into.
    matching = f" AND CASE WHEN v.codec IN (1, 2) THEN {' AND '.join(wanted)} ELSE 0 END" if wanted else ""
    page = "LIMIT ?6 OFFSET ?5"
    if scan:
        order = "v.updated DESC, v.key" if exact else "v.id DESC"
        return (
            f"SELECT v.id FROM versions AS v NOT INDEXED WHERE v.id >= ?1 << {ROW_BITS} AND v.id < (?1 + 1) <<"
            f" {ROW_BITS} AND {_range('v.', start, end)} AND {_STANDING.format('v')}{matching} AND NOT EXISTS (SELECT 1"
            f" FROM versions AS n WHERE n.space = ?1 AND n.key = v.key AND n.revision > v.revision) ORDER BY {order}"
            f" {page}"
        )
    newest = (
        "SELECT id, key, gone, max(revision) AS revision FROM versions INDEXED BY versions_by_key"
        f" WHERE {_range('', start, end)} GROUP BY key"
    )
    if not exact:
        return f"SELECT h.id FROM ({newest}) AS h WHERE {_STANDING.format('h')} ORDER BY h.revision DESC, h.key {page}"
    return (
        f"SELECT h.id FROM ({newest}) AS h CROSS JOIN versions AS v ON v.id = h.id"
        f" WHERE {_STANDING.format('h')}{matching} ORDER BY v.updated DESC, h.key {page}"
    )


_STANDING = "({0}.gone IS NULL OR ({0}.gone > 0 AND {0}.gone > ?4))"
_COMPARE = {
    "null": "{0} IS NULL",
    "equal": "{0} = ?{1}",
    "between": "{0} BETWEEN ?{1} AND ?{2}",
    "least": "{0} >= ?{1}",
    "most": "{0} <= ?{1}",
}
_BOUND = {"null": 0, "equal": 1, "between": 2, "least": 1, "most": 1}


def _range(table: str, start: bool, end: bool) -> str:
    bounds = [f"{table}space = ?1"]
    if start:
        bounds.append(f"{table}key >= ?2")
    if end:
        bounds.append(f"{table}key < ?3")
    return " AND ".join(bounds)


def _member(place: int) -> str:
    return f"json_extract(CAST(v.value AS TEXT), ?{place})"


def _look(first: int, key: str = "?2") -> str:
    return (
        f"(SELECT id FROM versions WHERE space = ?{first} AND key = {key} AND revision <= ?{first + 1}"
        " ORDER BY revision DESC LIMIT 1)"
    )


def _first_of(looks: list[str]) -> str:
    return looks[0] if len(looks) == 1 else f"coalesce({', '.join(looks)})"
