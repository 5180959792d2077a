"""The tables of the store on PostgreSQL: writing rows, finding them by commit order, and locking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Final

import psycopg

from botwire_core.names import LOG_DIGITS, end_of_prefix
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.rows import TOMBSTONE, Row, StaleRead
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sql.records import HIGHEST, bounds
from botwire_core.stores.sql.retention import SqlRetention
from botwire_postgres.database import Database
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


class PostgresTables(SqlRetention):
    """Whoever writes to a namespace locks its record first, so there is one writer for each, in any process."""

    SPACES = SPACES
    COLUMNS = COLUMNS
    NOT_PURGED = (
        "the write-ahead log and its archives, standbys that lag, and backups",
        "exports made elsewhere",
    )

    _database: Database

    # --- statements and transactions ----------------------------------------------------------------------------

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        return self._database.do(sql, values)

    def one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        rows = self._database.every(sql, values)
        return rows[0] if rows else None

    def every(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return self._database.every(sql, values)

    def do_many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement with each of these values, in an exclusive block."""
        if len(rows) == 1:
            self.execute(sql, rows[0])
        else:
            self._database.do_many(sql, rows)

    def reserved(self, namespace: str) -> ReservedRows:
        return TableRows(self, namespace)

    def exclusive(self) -> AbstractContextManager[None]:
        return self._database.transaction("write")

    def consistent(self) -> AbstractContextManager[None]:
        return self._database.transaction("read")

    def find(self, name: str) -> Space | None:
        self._lock([name])
        space = super().find(name)
        run = self._database.current()
        while space is not None and run is not None and run.writes and name not in run.locked:
            self._lock([name])  # somebody has made it since it was looked for
            space = super().find(name)
        return space

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        space = super().create(name, parent, expires)
        run = self._database.current()
        assert run is not None
        run.locked.add(name)  # nobody else sees it yet
        return space

    def _lock(self, names: Iterable[str]) -> None:
        """Lock the records of names in a transaction that writes, all of them in one order."""
        run = self._database.current()
        if run is None or not run.writes:
            return
        unlocked = sorted(set(names) - run.locked)
        found: list[Any] = []
        if len(unlocked) == 1:
            found = self.every("SELECT name FROM spaces WHERE name = ?1 FOR UPDATE", (unlocked[0],))
        elif unlocked:
            found = self.every("SELECT name FROM spaces WHERE name = ANY(?1) ORDER BY name FOR UPDATE", (unlocked,))
        run.locked.update(name for (name,) in found)

    def locked(self) -> Set[str]:
        """The names whose records are locked until the transaction ends."""
        run = self._database.current()
        return set() if run is None else run.locked

    def _lock_spaces(self, ids: list[int]) -> set[int]:
        """Lock the records of spaces, those without a name too, in one order, and give those that are there."""
        return {id for (id,) in self.every("SELECT id FROM spaces WHERE id = ANY(?1) ORDER BY id FOR UPDATE", (ids,))}

    def check_kept(self, view: View, prefix: str = "") -> None:
        run = self._database.current()
        if run is not None and run.writes:
            # What is found to be kept is about to be protected, in an ancestor that somebody else may prune meanwhile.
            self._lock_spaces([view[0].space])
        super().check_kept(view, prefix)

    def discard(self, space: Space) -> None:
        # Two last forks of one space that go at once would each take the other one for there still.
        if space.id not in self._lock_spaces([level.space for level in space.lineage]):
            raise StaleRead(space.name or "")  # it had expired, and somebody else has discarded it
        super().discard(space)

    def _reached_from(self, space: Space) -> list[Space]:
        # A fork that is made while we wait for a lock belongs to them too.
        known: list[int] = []
        while True:
            reached = super()._reached_from(space)
            ids = sorted(one.id for one in reached)
            if ids == known:
                return reached
            self._lock_spaces(ids)
            known = ids

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

    def last_log_number(self, view: View, log: str) -> int:
        last = -1
        low, high = f"{log}/{'0' * LOG_DIGITS}", f"{log}/{'9' * LOG_DIGITS}"
        for level in view:
            space, upto = bounds((level,))
            found = self.one(
                "SELECT key FROM versions WHERE space = ?1 AND key >= ?2 AND key <= ?3 AND length(key) = ?4"
                " AND right(key, 19) ~ '^[0-9]+$' AND revision + 0 <= ?5 ORDER BY key DESC LIMIT 1",
                (space, low, high, len(low), upto),
            )
            if found is not None:
                last = max(last, int(found[0][-LOG_DIGITS:]))
            last = max(last, self.log_floor(space, log))
        return last

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
