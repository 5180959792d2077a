"""The log of versions of the embedded store: writing rows, and looking for them through a lineage."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from botwire_core.errors import RevisionPrunedError, StoreFullError
from botwire_core.names import LOG_DIGITS, end_of_prefix
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sqlite.rows import COLUMNS, INSERT, checksum, outer_checksum, row_from
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.spaces import SpaceRecords
from botwire_core.stores.sqlite.statements import MAX_LEVELS, bounds, list_level, newest_in_view

__all__ = ["VersionLog"]

T = TypeVar("T")
_PAGE = 256


class VersionLog(SpaceRecords):
    """Rows by space and key, and by space in commit order."""

    def prune(self, space: Space, key: str, version: int) -> None:
        """Remove old versions of a key that are no longer kept, now that it has come to this one."""
        raise NotImplementedError

    def log_floor(self, space: int, log: str) -> int:
        """The highest number of a log whose row was forgotten or erased, -1 where none was."""
        raise NotImplementedError

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
            inner = checksum(space.id, row.key.encode(), revision, row.codec, gone, row.data)
            outer = outer_checksum(id, row.version, row.created, row.updated, row.author)
            previous = None if row.version == 1 else execute(before, (space.id, row.key)).fetchone()
            execute(
                INSERT,
                (
                    *(id, space.id, row.key, revision, row.version, row.codec, gone, inner),
                    *(row.created, row.updated, row.author, outer, row.data, previous[0] if previous else 0),
                ),
            )
            if row.version % 16 == 0:  # in passing, and seldom: the look at old versions costs more than a write
                self.prune(space, row.key, row.version)

    def _last_row(self, space: int) -> int:
        first = space << ROW_BITS
        found = self.one(
            "SELECT max(coalesce((SELECT id FROM versions WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1), ?1),"
            " ?1 + last_row) FROM spaces WHERE id = ?3",
            (first, first + (1 << ROW_BITS), space),
        )
        return int(found[0])

    # --- the newest rows ------------------------------------------------------------------------------------

    def newest_row(self, view: View, key: str) -> Row | None:
        while view:
            part, view = view[:MAX_LEVELS], view[MAX_LEVELS:]
            columns = self.one(newest_in_view(len(part)), (key, *bounds(part)))
            if columns is not None:
                return row_from(columns)
        return None

    def newest_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        rows = self.newest_columns(COLUMNS, lambda columns: columns[2], view, prefix, after, reverse)
        return map(row_from, rows)

    def newest_columns(
        self,
        columns: str,
        key_of: Callable[[tuple[Any, ...]], str],
        view: View,
        prefix: str,
        after: str | None,
        reverse: bool,
        page: int = _PAGE,
    ) -> Iterator[tuple[Any, ...]]:
        """The columns of the newest row of each key with a prefix, in key order; the nearest level decides."""
        if len(view) == 1:
            yield from self._level_columns(columns, key_of, view[0], prefix, after, reverse, page)
            return

        def tagged(depth: int, level: Level) -> Iterator[tuple[str, int, tuple[Any, ...]]]:
            sign = -depth if reverse else depth  # the nearest first, whichever way the keys go
            for found in self._level_columns(columns, key_of, level, prefix, after, reverse, page):
                yield key_of(found), sign, found

        last: str | None = None
        levels = (tagged(depth, level) for depth, level in enumerate(view))
        for key, _, found in heapq.merge(*levels, key=lambda one: one[:2], reverse=reverse):
            if key != last:
                last = key
                yield found

    def _level_columns(
        self,
        columns: str,
        key_of: Callable[[tuple[Any, ...]], str],
        level: Level,
        prefix: str,
        after: str | None,
        reverse: bool,
        page: int,
    ) -> Iterator[tuple[Any, ...]]:
        # By pages: a statement that somebody stops reading half-way would pin the write-ahead log.
        while True:
            found = self.level_page(columns, level, prefix, after, reverse, page)
            yield from found
            if len(found) < page:
                return
            after = key_of(found[-1])

    def level_page(
        self, columns: str, level: Level, prefix: str, after: str | None, reverse: bool, limit: int
    ) -> list[tuple[Any, ...]]:
        """The columns of the newest row of at most so many keys of one level, in key order."""
        space, upto = bounds((level,))
        end = end_of_prefix(prefix) if prefix else None
        sql = list_level(columns, reverse, bool(prefix), end is not None, after is not None)
        return self.every(sql, (space, upto, prefix, end, after, limit))

    def last_log_number(self, view: View, log: str) -> int:
        last = -1
        low, high = f"{log}/{'0' * LOG_DIGITS}", f"{log}/{'9' * LOG_DIGITS}"
        for level in view:
            space, upto = bounds((level,))
            found = self.one(
                "SELECT key FROM versions INDEXED BY versions_by_key WHERE space = ?1 AND key >= ?2 AND key <= ?3"
                " AND length(key) = ?4 AND substr(key, -19) NOT GLOB '*[^0-9]*' AND revision <= ?5"
                " ORDER BY key DESC LIMIT 1",
                (space, low, high, len(low), upto),
            )
            if found is not None:
                last = max(last, int(found[0][-LOG_DIGITS:]))
            last = max(last, self.log_floor(space, log))
        return last

    # --- the past ---------------------------------------------------------------------------------------------

    def key_rows(self, view: View, key: str) -> Iterator[Row]:
        for level in view:
            rows = self.every(
                f"SELECT {COLUMNS} FROM versions WHERE space = ? AND revision <= ? AND key = ? ORDER BY revision DESC",
                (*bounds((level,)), key),
            )
            yield from map(row_from, rows)

    def past_row(self, view: View, key: str) -> Row | None:
        self._check_key_kept(view[0], key)
        return self.newest_row(view, key)

    def past_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        if self._whole(view[0]):
            yield from self.newest_rows(view, prefix, after, reverse)
            return
        self.check_kept(view, prefix)
        yield from self.newest_rows(view, prefix, after, reverse)

    def check_kept(self, view: View, prefix: str = "") -> None:
        level = view[0]
        if self._whole(level):
            return
        self._check_not_forgotten(level)
        everything = Level(level.space)
        for (key,) in list(self._level_columns("key", lambda one: str(one[0]), everything, prefix, None, False, _PAGE)):
            self._check_key_kept(level, key)

    def _whole(self, level: Level) -> bool:
        """Whether nothing that a level needs can have been pruned, without a look at its rows."""
        if level.upto is None:
            return True
        pruned, forgotten = self.one("SELECT pruned, forgotten FROM spaces WHERE id = ?", (level.space,))
        return level.upto >= max(pruned, forgotten) or self.pinned(level.space, level.upto, level.upto + 1)

    def _check_not_forgotten(self, level: Level) -> None:
        forgotten = self.forgotten(level)
        if level.upto is not None and level.upto < forgotten:
            # What forgot them may have come after all that a fork, whose past this is, has of it.
            first_whole = self.one(
                "SELECT min(revision) FROM (SELECT forked_at AS revision FROM spaces WHERE parent = ?1"
                " UNION ALL SELECT revision FROM snapshots WHERE space = ?1 AND (expires IS NULL OR expires > ?3))"
                " WHERE revision >= ?2",
                (level.space, level.upto, self._now()),
            )[0]
            raise self.pruned(level.upto, forgotten if first_whole is None else min(forgotten, first_whole))

    def _check_key_kept(self, level: Level, key: str) -> None:
        """Raise the `RevisionPrunedError` if the row of a key that stood at the end of a level is gone."""
        if level.upto is None or self._whole(level):
            return
        before = self.one(
            "SELECT revision FROM versions WHERE space = ? AND key = ? AND revision <= ?"
            " ORDER BY revision DESC LIMIT 1",
            (level.space, key, level.upto),
        )
        after = self.one(
            "SELECT revision, previous FROM versions WHERE space = ? AND key = ? AND revision > ?"
            " ORDER BY revision LIMIT 1",
            (level.space, key, level.upto),
        )
        if before is None:
            self._check_not_forgotten(level)  # a key that came again may have been there before
        if after is None or after[1] == (before[0] if before else 0):
            return
        # Rows are missing in between. What a fork or snapshot protects at or after the moment shows that none of
        # them had come by then.
        if self.pinned(level.space, level.upto, after[0]):
            return
        raise RevisionPrunedError(
            f"{key!r} as it stood at revision {level.upto} is no longer kept",
            hint=f"revision {after[0]} is the oldest that is; a snapshot keeps one as long as you need it",
            oldest=after[0],
        )

    def pinned(self, space: int, first: int, end: int) -> bool:
        """Whether a fork, a snapshot or a merge protects a revision from `first` to below `end`."""
        found = self.one(
            "SELECT EXISTS (SELECT 1 FROM spaces WHERE parent = ?1 AND forked_at >= ?2 AND forked_at < ?3)"
            " OR EXISTS (SELECT 1 FROM snapshots WHERE space = ?1 AND revision >= ?2 AND revision < ?3"
            " AND (expires IS NULL OR expires > ?4))"
            " OR EXISTS (SELECT 1 FROM merges WHERE source = ?1 AND revision >= ?2 AND revision < ?3)",
            (space, first, end, self._now()),
        )
        return bool(found[0])

    # --- commit order ---------------------------------------------------------------------------------------------

    def level_rows(self, level: Level, after: int) -> Iterator[Row]:
        for columns in self._level_log(COLUMNS, level, after):
            yield row_from(columns)

    def level_keys(self, level: Level, after: int) -> set[str]:
        if not self._whole(level):
            level = Level(level.space)  # the newest row of a key stays, so it names what was pruned below
        return {columns[1] for columns in self._level_log("id, key", level, after)}

    def sizes(self, space: Space) -> Iterator[tuple[str, int, int | None, int]]:
        after: tuple[str, int] = ("", -1)
        while True:
            found = self.every(
                "SELECT key, revision, gone, length(value) FROM versions INDEXED BY versions_by_key"
                " WHERE space = ? AND (key, revision) > (?, ?) ORDER BY key, revision LIMIT 1000",
                (space.id, *after),
            )
            for key, revision, gone, size in found:
                yield key, revision, gone if gone is not None and gone > 0 else None, size
            if len(found) < 1000:
                return
            after = found[-1][:2]

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
