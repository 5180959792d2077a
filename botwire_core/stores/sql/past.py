"""Looking through a lineage, now and in the past, and telling when a past is no longer there."""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from botwire_core import protocol as p
from botwire_core.errors import RevisionPrunedError
from botwire_core.names import LOG_DIGITS, check_namespace
from botwire_core.results import Stats
from botwire_core.stores.rows import Row
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sql.records import SqlRecords, bounds

__all__ = ["SqlPast"]

_PAGE = 256
_DAY = 86_400_000_000  # microseconds


class SqlPast(SqlRecords):
    """Rows by key, level by level; the nearest level that has one decides."""

    COLUMNS: ClassVar[str]
    """What `row_of` takes, in this order; the key is the third."""
    BY_KEY: ClassVar[str] = ""
    """What makes sure that rows are looked up by their key, where the database could take it into its head not to."""

    IS_LOG_ROW: ClassVar[str]
    """Whether the last 19 characters of a key are digits."""

    @abstractmethod
    def row_of(self, columns: tuple[Any, ...]) -> Row:
        """The row in these columns."""

    @abstractmethod
    def level_page(
        self, columns: str, level: Level, prefix: str, after: str | None, reverse: bool, limit: int
    ) -> list[tuple[Any, ...]]:
        """The columns of the newest row of at most so many keys of one level, in key order.

        Beside those of the table there is `size`, the bytes of the value.
        """

    @abstractmethod
    def count_rows(self, space: int, since: int) -> int:
        """How many rows other than deletes a space has from a time on (microseconds)."""

    # --- the newest rows ------------------------------------------------------------------------------------

    def newest_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        return map(self.row_of, self.newest_columns(self.COLUMNS, _third, view, prefix, after, reverse))

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
        # By pages: a statement that somebody stops reading half-way would pin what it looks at.
        while True:
            found = self.level_page(columns, level, prefix, after, reverse, page)
            yield from found
            if len(found) < page:
                return
            after = key_of(found[-1])

    def sizes(self, space: Space) -> Iterator[tuple[str, int, int | None, int]]:
        after: tuple[str, int] = ("", -1)
        while True:
            found = self.every(
                f"SELECT key, revision, gone, length(value) FROM versions{self.BY_KEY}"
                " WHERE space = ?1 AND (key, revision) > (?2, ?3) ORDER BY key, revision LIMIT 1000",
                (space.id, *after),
            )
            for key, revision, gone, size in found:
                yield key, revision, gone if gone is not None and gone > 0 else None, size
            if len(found) < 1000:
                return
            after = found[-1][:2]

    def _get_stats(self, op: p.GetStats) -> Stats:
        space = self.find(check_namespace(op.namespace))
        if space is None:
            return super()._get_stats(op)
        now = self._now()
        keys = size = 0
        for _, gone, length in self.newest_columns("key, gone, size", _first, space.lineage, "", None, False, 1000):
            if gone is None or gone > now:
                keys += 1
                size += length
        today = self.count_rows(space.id, now - now % _DAY)
        return Stats(
            op.namespace, keys, size, space.head, self.count_forks(space), len(self.list_snapshots(space)), today
        )

    def last_log_number(self, view: View, log: str) -> int:
        last = -1
        low, high = f"{log}/{'0' * LOG_DIGITS}", f"{log}/{'9' * LOG_DIGITS}"
        for level in view:
            space, upto = bounds((level,))
            found = self.one(
                f"SELECT key FROM versions{self.BY_KEY} WHERE space = ?1 AND key >= ?2 AND key <= ?3"
                # Plus nothing: an index by revision must not be taken for the better one.
                f" AND length(key) = ?4 AND {self.IS_LOG_ROW} AND revision + 0 <= ?5 ORDER BY key DESC LIMIT 1",
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
                f"SELECT {self.COLUMNS} FROM versions WHERE space = ?1 AND revision <= ?2 AND key = ?3"
                " ORDER BY revision DESC",
                (*bounds((level,)), key),
            )
            yield from map(self.row_of, rows)

    def past_row(self, view: View, key: str) -> Row | None:
        self._check_key_kept(view[0], key)
        return self.newest_row(view, key)

    def past_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        if not self.whole(view[0]):
            self.check_kept(view, prefix)
        yield from self.newest_rows(view, prefix, after, reverse)

    def check_kept(self, view: View, prefix: str = "") -> None:
        level = view[0]
        if self.whole(level):
            return
        self._check_not_forgotten(level)
        everything = Level(level.space)
        for (key,) in list(self._level_columns("key", _first, everything, prefix, None, False, _PAGE)):
            self._check_key_kept(level, key)

    def whole(self, level: Level) -> bool:
        """Whether nothing that a level needs can have been pruned, without a look at its rows."""
        if level.upto is None:
            return True
        pruned, forgotten = self.one("SELECT pruned, forgotten FROM spaces WHERE id = ?1", (level.space,))
        return level.upto >= max(pruned, forgotten) or self.pinned(level.space, level.upto, level.upto + 1)

    def forgotten(self, level: Level) -> int:
        revision = int(self.one("SELECT forgotten FROM spaces WHERE id = ?1", (level.space,))[0])
        if level.upto is not None and level.upto < revision and self.pinned(level.space, level.upto, level.upto + 1):
            return 0
        return revision

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

    def _check_not_forgotten(self, level: Level) -> None:
        forgotten = self.forgotten(level)
        if level.upto is not None and level.upto < forgotten:
            # What forgot them may have come after all that a fork, whose past this is, has of it.
            first_whole = self.one(
                "SELECT min(revision) FROM (SELECT forked_at AS revision FROM spaces WHERE parent = ?1"
                " UNION ALL SELECT revision FROM snapshots WHERE space = ?1 AND (expires IS NULL OR expires > ?3))"
                " AS protected WHERE revision >= ?2",
                (level.space, level.upto, self._now()),
            )[0]
            raise self.pruned(level.upto, forgotten if first_whole is None else min(forgotten, first_whole))

    def _check_key_kept(self, level: Level, key: str) -> None:
        """Raise the `RevisionPrunedError` if the row of a key that stood at the end of a level is gone."""
        if level.upto is None or self.whole(level):
            return
        before = self.one(
            "SELECT revision FROM versions WHERE space = ?1 AND key = ?2 AND revision <= ?3"
            " ORDER BY revision DESC LIMIT 1",
            (level.space, key, level.upto),
        )
        after = self.one(
            "SELECT revision, previous FROM versions WHERE space = ?1 AND key = ?2 AND revision > ?3"
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


def _first(columns: tuple[Any, ...]) -> str:
    return str(columns[0])


def _third(columns: tuple[Any, ...]) -> str:
    return columns[2]  # type: ignore[no-any-return]
