"""The log of versions of the embedded store: rows in commit order, and the one index by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import apsw

from botwire_core.errors import StoreFullError
from botwire_core.names import end_of_prefix
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sql.records import bounds
from botwire_core.stores.sql.retention import SqlRetention
from botwire_core.stores.sqlite.connections import Connections
from botwire_core.stores.sqlite.rows import COLUMNS, INSERT, checksum, outer_checksum, row_from
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.statements import MAX_LEVELS, list_level, newest_in_view

__all__ = ["VersionLog"]

_SPACES: Final = f"""SELECT s.id, s.name, s.created, s.expires, s.parent, s.forked_at, s.head, s.floor, s.forgotten,
    s.pruned, s.keep_versions, s.keep_deleted, s.checksum, v.revision, v.updated
    FROM spaces s LEFT JOIN versions v ON v.id = (
        SELECT id FROM versions WHERE id >= s.id << {ROW_BITS} AND id < (s.id + 1) << {ROW_BITS}
        ORDER BY id DESC LIMIT 1
    )"""
_PAGE = 64  # rows of families, each of which may be of 16 MiB


class VersionLog(SqlRetention):
    """Rows by space and key, and by space in commit order."""

    SPACES = _SPACES
    COLUMNS = COLUMNS
    BY_KEY = " INDEXED BY versions_by_key"
    IS_LOG_ROW = "substr(key, -19) NOT GLOB '*[^0-9]*'"

    _connections: Connections
    _made_space = False
    """Whether a space was made since the outermost block began, which a part of it may have to forget."""

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        return self._connections.current().execute(sql, values)

    def one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        return self.execute(sql, values).fetchone()

    def every(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return self.execute(sql, values).fetchall()

    def row_of(self, columns: tuple[Any, ...]) -> Row:
        return row_from(columns)

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        self._made_space = True
        return super().create(name, parent, expires)

    def recreate(self, space: Space, log_floors: Mapping[bytes, int]) -> Space:
        self._made_space = True
        return super().recreate(space, log_floors)

    def drop_rows(self, space: int, above: int) -> None:
        self.execute(
            "DELETE FROM versions WHERE id >= ?1 AND id < ?2 AND revision > ?3",
            (space << ROW_BITS, (space + 1) << ROW_BITS, above),
        )

    def insert(self, space: Space, rows: Iterable[Row], revision: int) -> None:
        id = self._last_row(space.id)
        execute = self._connections.current().execute
        before = "SELECT revision FROM versions WHERE space = ? AND key = ? ORDER BY revision DESC LIMIT 1"
        for row in rows:
            id += 1
            if id >> ROW_BITS != space.id:  # the next id is the next space's
                raise StoreFullError(
                    f"{space.name!r} was written {1 << ROW_BITS:,} times, which is all that its numbers allow",
                    hint="fork it, and go on in the fork",
                )
            gone = -row.updated if row.codec == TOMBSTONE else row.expires
            previous = None if row.version == 1 else execute(before, (space.id, row.key)).fetchone()
            execute(INSERT, _columns(id, space.id, row, revision, gone, previous[0] if previous else 0))
            if row.version % self.PRUNE_EVERY == 0:  # in passing, and seldom
                self.prune(space, row.key, row.version)

    def insert_as_they_are(self, space: Space, rows: Iterable[tuple[Row, int]]) -> int:
        first = self._last_row(space.id)
        id = first
        execute = self._connections.current().execute
        for row, previous in rows:
            id += 1
            # A row that expired and was swept has no value either, and still is no delete.
            gone = -row.updated if row.codec == TOMBSTONE and row.expires is None else row.expires
            execute(INSERT, _columns(id, space.id, row, row.revision, gone, previous))
        return id - first

    def _last_row(self, space: int) -> int:
        first = space << ROW_BITS
        found = self.one(
            "SELECT max(coalesce((SELECT id FROM versions WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1), ?1),"
            " ?1 + last_row) FROM spaces WHERE id = ?3",
            (first, first + (1 << ROW_BITS), space),
        )
        return int(found[0])

    def keep_counters(self, space: int) -> None:
        self.execute(
            "UPDATE spaces SET last_row = max(last_row, ?1 - ?2), head = max(head, forked_at, coalesce("
            "(SELECT revision FROM versions WHERE id >= ?2 AND id <= ?1 ORDER BY id DESC LIMIT 1), 0)) WHERE id = ?3",
            (self._last_row(space), space << ROW_BITS, space),
        )

    # --- the newest rows ------------------------------------------------------------------------------------

    def newest_row(self, view: View, key: str) -> Row | None:
        while view:
            part, view = view[:MAX_LEVELS], view[MAX_LEVELS:]
            columns = self.one(newest_in_view(len(part)), (key, *bounds(part)))
            if columns is not None:
                return row_from(columns)
        return None

    def level_page(
        self, columns: str, level: Level, prefix: str, after: str | None, reverse: bool, limit: int
    ) -> list[tuple[Any, ...]]:
        """The columns of the newest row of at most so many keys of one level, in key order."""
        space, upto = bounds((level,))
        end = end_of_prefix(prefix) if prefix else None
        sql = list_level(columns, reverse, bool(prefix), end is not None, after is not None)
        return self.every(sql, (space, upto, prefix, end, after, limit))

    # --- commit order ---------------------------------------------------------------------------------------------

    def level_rows(self, level: Level, after: int) -> Iterator[Row]:
        for columns in self._level_log(COLUMNS, level, after):
            yield row_from(columns)

    def level_keys(self, level: Level, after: int) -> set[str]:
        if not self.whole(level):
            level = Level(level.space)  # the newest row of a key stays, so it names what was pruned below
        return {columns[1] for columns in self._level_log("id, key", level, after)}

    def rows_and_previous(self, level: Level) -> Iterator[tuple[Row, int]]:
        space, upto = bounds((level,))
        first, end = space << ROW_BITS, (space + 1) << ROW_BITS
        while True:
            found = self.every(
                f"SELECT {COLUMNS}, previous FROM versions WHERE id >= ? AND id < ? AND revision <= ?"
                " ORDER BY id LIMIT ?",
                (first, end, upto, _PAGE),
            )
            for *columns, previous in found:
                yield row_from(tuple(columns)), previous
            if len(found) < _PAGE:
                return
            first = found[-1][0] + 1

    def _level_log(self, columns: str, level: Level, after: int) -> Iterator[tuple[Any, ...]]:
        space, upto = bounds((level,))
        first = self._first_row(space, "revision", after)
        end = (space + 1) << ROW_BITS
        while True:
            found = self.every(
                f"SELECT {columns} FROM versions WHERE id >= ? AND id < ? AND revision <= ? ORDER BY id LIMIT 1000",
                (first, end, upto),
            )
            yield from found
            if len(found) < 1000:
                return
            first = found[-1][0] + 1

    def _first_row(self, space: int, column: str, above: int) -> int:
        """The first row id of a space whose revision, or time, is above a bound; both rise with the ids."""
        assert column in ("revision", "updated")
        low, high = space << ROW_BITS, (space + 1) << ROW_BITS
        sql = f"SELECT id, {column} FROM versions WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"
        found = self.one(sql, (low, high))
        if found is None or found[1] > above:
            return low
        last = self._last_row(space)
        high = min(high, last + 1)
        while low < high:
            middle = (low + high) // 2
            found = self.one(sql, (middle, high))
            if found is None or found[1] > above:
                high = middle
            else:
                low = found[0] + 1
        return low

    def count_rows(self, space: int, since: int) -> int:
        """How many rows other than deletes a space has from a time on (microseconds)."""
        first = self._first_row(space, "updated", since - 1)
        found = self.one(
            # By the time of their end, since a sweep makes what has expired look like a delete.
            "SELECT count(*) FROM versions WHERE id >= ? AND id < ? AND (gone IS NULL OR gone > 0) AND updated >= ?",
            (first, (space + 1) << ROW_BITS, since),
        )
        return int(found[0])

    def revision_at(self, level: Level, moment: int) -> int | None:
        space, upto = bounds((level,))
        first, end = space << ROW_BITS, (space + 1) << ROW_BITS
        found = self.one(
            "SELECT updated, revision FROM versions WHERE id >= ? AND id < ? ORDER BY id LIMIT 1", (first, end)
        )
        if found is None or found[0] > moment or found[1] > upto:
            return None
        # The revision before the first later row that is left: what stood between has left no row that differs.
        later = self.one(
            "SELECT revision FROM versions WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            (self._first_row(space, "updated", moment), end),
        )
        if later is not None:
            return min(int(later[0]) - 1, upto)
        head = self.one(
            "SELECT max(s.head, coalesce((SELECT revision FROM versions WHERE id >= ?1 AND id < ?2 ORDER BY id DESC"
            " LIMIT 1), 0)) FROM spaces s WHERE id = ?3",
            (first, end, space),
        )
        return min(int(head[0]), upto)


def _columns(id: int, space: int, row: Row, revision: int, gone: int | None, previous: int) -> tuple[Any, ...]:
    """What `INSERT` binds for a row."""
    inner = checksum(space, row.key.encode(), revision, row.codec, gone, row.data)
    outer = outer_checksum(id, row.version, row.created, row.updated, row.author)
    return (
        *(id, space, row.key, revision, row.version, row.codec, gone, inner),
        *(row.created, row.updated, row.author, outer, row.data, previous),
    )
