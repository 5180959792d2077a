"""The tables of the store on PostgreSQL: writing rows, and finding them by key and by commit order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import psycopg

from botwire_core.names import end_of_prefix
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sql.records import HIGHEST, bounds
from botwire_postgres.locking import LockedSpaces
from botwire_postgres.reserved import TableRows
from botwire_postgres.statements import (
    COLUMNS,
    INSERT,
    INSERT_AS_IT_IS,
    MAX_LEVELS,
    SPACES,
    list_level,
    newest_in_view,
)

__all__ = ["PostgresTables"]

_PAGE: Final = 1000
_FAMILY_PAGE: Final = 64  # rows, each of which may be of 16 MiB


class PostgresTables(LockedSpaces):
    """Rows by space and key, and by space in commit order."""

    SPACES = SPACES
    COLUMNS = COLUMNS
    IS_LOG_ROW = "right(key, 19) ~ '^[0-9]+$'"
    NOT_PURGED = (
        "the write-ahead log and its archives, standbys that lag, and backups",
        "exports made elsewhere",
    )

    def reserved(self, namespace: str) -> ReservedRows:
        return TableRows(self, namespace)

    # --- writing ------------------------------------------------------------------------------------------------

    def insert(self, space: Space, rows: Iterable[Row], revision: int) -> None:
        run = self._database.current()
        assert run is not None
        place = run.places.get((space.id, revision), 0)
        made = []
        old: list[Row] = []
        for row in rows:
            gone = -row.updated if row.codec == TOMBSTONE else row.expires
            made.append(_columns(space.id, revision, place, row, gone))
            place += 1
            if row.version % self.PRUNE_EVERY == 0:
                old.append(row)
        run.places[space.id, revision] = place
        if made:
            run.written = row
            self.do_many(INSERT, made)
        for row in old:
            self.prune(space, row.key, row.version)

    def insert_as_they_are(self, space: Space, rows: Iterable[tuple[Row, int]]) -> int:
        count, last, place = 0, -1, 0
        source = iter(rows)
        while page := list(islice(source, _FAMILY_PAGE)):
            made = []
            for row, previous in page:
                place = place + 1 if row.revision == last else 0
                last = row.revision
                # A row that expired and was swept has no value either, and still is no delete.
                gone = -row.updated if row.codec == TOMBSTONE and row.expires is None else row.expires
                made.append((*_columns(space.id, row.revision, place, row, gone), previous))
            self.do_many(INSERT_AS_IT_IS, made)
            count += len(made)
        return count

    def drop_rows(self, space: int, above: int) -> None:
        self.execute("DELETE FROM versions WHERE space = ?1 AND revision > ?2", (space, above))

    def keep_counters(self, space: int) -> None:
        self.execute(
            "UPDATE spaces SET head = greatest(head, forked_at, (SELECT revision FROM versions WHERE space = ?1"
            " ORDER BY revision DESC, place DESC LIMIT 1)) WHERE id = ?1",
            (space,),
        )

    def just_written(self) -> Row | None:
        run = self._database.current()
        return None if run is None else run.written

    def after_purge(self) -> None:
        for table in ("VACUUM versions", "VACUUM reserved"):
            try:
                self.execute(table)
            except (psycopg.errors.SyntaxError, psycopg.errors.FeatureNotSupported):
                return  # what only speaks PostgreSQL's protocol clears away old rows by itself

    # --- the newest rows ------------------------------------------------------------------------------------------

    def row_of(self, columns: tuple[Any, ...]) -> Row:
        _, revision, key, version, codec, gone, created, updated, author, value = columns
        expires = gone if gone is not None and gone > 0 else None
        return Row(key, version, revision, codec, value, created, updated, expires, author)

    def newest_row(self, view: View, key: str) -> Row | None:
        while view:
            part, view = view[:MAX_LEVELS], view[MAX_LEVELS:]
            columns = self.one(newest_in_view(len(part)), (key, *bounds(part)))
            if columns is not None:
                return self.row_of(columns)
        return None

    def level_page(
        self,
        columns: str,
        level: Level,
        prefix: str,
        after: str | None,
        reverse: bool,
        limit: int,
        *,
        named: bool = False,
    ) -> list[tuple[Any, ...]]:
        end = end_of_prefix(prefix) if prefix else None
        given = [one for one in (prefix or None, end, after) if one is not None]
        sql = list_level(columns, reverse, bool(prefix), end is not None, after is not None, named)
        return self.every(sql, (*bounds((level,)), limit, *given))

    # --- commit order -----------------------------------------------------------------------------------------------

    def level_rows(self, level: Level, after: int) -> Iterator[Row]:
        for columns in self._level_log(COLUMNS, level, after, _PAGE):
            yield self.row_of(columns[: len(columns) - 1])

    def rows_and_previous(self, level: Level) -> Iterator[tuple[Row, int]]:
        for columns in self._level_log(COLUMNS + ", previous", level, 0, _FAMILY_PAGE):
            yield self.row_of(columns[: len(columns) - 2]), columns[-2]

    def _level_log(self, columns: str, level: Level, after: int, page: int) -> Iterator[tuple[Any, ...]]:
        """The columns of the rows of a level with a revision above one, in commit order, and the place of each."""
        space, upto = bounds((level,))
        reached = after, HIGHEST
        while True:
            found = self.every(
                f"SELECT {columns}, place FROM versions WHERE space = ?1 AND (revision, place) > (?2, ?3)"
                " AND revision <= ?4 ORDER BY revision, place LIMIT ?5",
                (space, *reached, upto, page),
            )
            yield from found
            if len(found) < page:
                return
            reached = found[-1][1], found[-1][-1]

    def level_keys(self, level: Level, after: int) -> set[str]:
        if not self.whole(level):
            level = Level(level.space)  # the newest row of a key stays, so it names what was pruned below
        space, upto = bounds((level,))
        found = self.every(
            "SELECT DISTINCT key FROM versions WHERE space = ?1 AND revision > ?2 AND revision <= ?3",
            (space, after, upto),
        )
        return {key for (key,) in found}

    def count_changed(self, spaces: list[Space]) -> dict[int, int]:
        found = self.every(
            "SELECT space, count(DISTINCT key) FROM versions WHERE space = ANY(?1) GROUP BY space",
            ([space.id for space in spaces],),
        )
        return dict(found)

    def count_rows(self, space: int, since: int) -> int:
        found = self.one(
            # By the time of their end, since a sweep makes what has expired look like a delete.
            "SELECT count(*) FROM versions WHERE space = ?1 AND revision >= ?2 AND (gone IS NULL OR gone > 0)",
            (space, self._first_after(space, since - 1)),
        )
        return int(found[0])

    def revision_at(self, level: Level, moment: int) -> int | None:
        space, upto = bounds((level,))
        first = self.one(
            "SELECT updated, revision FROM versions WHERE space = ?1 ORDER BY revision, place LIMIT 1", (space,)
        )
        if first is None or first[0] > moment or first[1] > upto:
            return None
        # The revision before the first later row that is left: what stood between has left no row that differs.
        later = self._first_after(space, moment)
        if later < HIGHEST:
            return min(later - 1, upto)
        return min(self.space(space).head, upto)

    def _first_after(self, space: int, moment: int) -> int:
        """The revision of the first row that was written after a moment; both rise together."""
        sql = (
            "SELECT revision, updated FROM versions WHERE space = ?1 AND revision >= ?2"
            " ORDER BY revision, place LIMIT 1"
        )
        last = self.one(
            "SELECT revision, updated FROM versions WHERE space = ?1 ORDER BY revision DESC, place DESC LIMIT 1",
            (space,),
        )
        if last is None or last[1] <= moment:
            return HIGHEST
        low, high = 0, int(last[0])
        while low < high:
            middle = (low + high) // 2
            revision, updated = self.one(sql, (space, middle))
            if updated > moment:
                high = middle
            else:
                low = revision + 1
        return int(self.one(sql, (space, low))[0])


def _columns(space: int, revision: int, place: int, row: Row, gone: int | None) -> tuple[Any, ...]:
    """What `INSERT` binds for a row."""
    return (
        *(space, revision, place, row.key, row.version, row.codec, gone),
        *(row.created, row.updated, row.author, row.data),
    )
