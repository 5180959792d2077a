"""The records beside the rows: spaces, snapshots, merge points, and the highest numbers of logs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from zlib import crc32

from botwire_core.clock import from_microseconds
from botwire_core.errors import InvalidValueError, StoreCorruptError
from botwire_core.names import end_of_prefix, log_of
from botwire_core.results import Retention, Revision
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.rows import StaleRead, log_digest
from botwire_core.stores.spaces import Level, Space, View

__all__ = ["HIGHEST", "SqlRecords", "bounds", "damaged", "record_checksum"]

HIGHEST = 2**62
"""A revision, or a number of rows, that nothing comes to."""
_LINEAGES_KEPT = 20_000
_PARENT = 4
"""The place of the parent among the columns of a space."""


class SqlRecords(HistoryStoreBase):
    """Spaces are never renumbered and a lineage never changes, so it is looked up once."""

    SPACES: ClassVar[str]
    """Selects from `spaces s` what `_space` takes, with the revision and the time of the last row of each."""

    _lineages: dict[int, View]

    @abstractmethod
    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> object:
        """Run a statement that gives no rows."""

    @abstractmethod
    def one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        """The first row of a statement, as a tuple of what its SQL says; None where there is none."""

    @abstractmethod
    def every(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Every row of a statement, each a tuple of what its SQL says; nothing stays open."""

    @abstractmethod
    def drop_rows(self, space: int, above: int) -> None:
        """Remove the rows of a space with a revision above one; -1 for all of them."""

    # --- spaces -----------------------------------------------------------------------------------------

    def find(self, name: str) -> Space | None:
        columns = self.one(self.SPACES + " WHERE s.name = ?1", (name,))
        if columns is None:
            return None
        if columns[_PARENT] is None or columns[0] in self._lineages:
            space = self._space(columns)
        else:
            with self.consistent():  # a drop takes a space and ancestors with it: look at all or none of them
                columns = self.one(self.SPACES + " WHERE s.name = ?1", (name,))
                if columns is None:
                    return None
                space = self._space(columns)
        return space if space.expires is None or space.expires > self._now() else None

    def find_all(self, prefix: str) -> list[Space]:
        now = self._now()
        end = end_of_prefix(prefix) if prefix else None
        if end is None:
            rows = self.every(self.SPACES + " WHERE s.name >= ?1 ORDER BY s.name", (prefix,))
        else:
            rows = self.every(self.SPACES + " WHERE s.name >= ?1 AND s.name < ?2 ORDER BY s.name", (prefix, end))
        return [space for space in map(self._space, rows) if space.expires is None or space.expires > now]

    def descendants(self, space: Space) -> list[Space]:
        rows = self.every(
            "WITH RECURSIVE below(id) AS (SELECT id FROM spaces WHERE parent = ?1"
            " UNION SELECT s.id FROM spaces s JOIN below ON s.parent = below.id)"
            f" {self.SPACES} WHERE s.id IN (SELECT id FROM below) ORDER BY s.id",
            (space.id,),
        )
        return [self._space(columns) for columns in rows]

    def ancestors(self, space: Space) -> list[Space]:
        return [self.space(level.space) for level in space.lineage[1:]]

    def count_forks(self, space: Space) -> int:
        found = self.one(
            "SELECT count(*) FROM spaces WHERE parent = ?1 AND name IS NOT NULL AND (expires IS NULL OR expires > ?2)",
            (space.id, self._now()),
        )
        return int(found[0])

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        self.make_room(name)
        floor, forked_at = 0, 0
        if parent is not None:
            forked_at = parent.upto or 0
            floor = int(self.one("SELECT floor FROM spaces WHERE id = ?1", (parent.space,))[0])
        origin = self._now(), expires, parent.space if parent else None, forked_at
        (id,) = self.one(
            "INSERT INTO spaces (name, created, expires, parent, forked_at, floor, checksum)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            (name, *origin, floor, record_checksum(*origin)),
        )
        return self.space(id)

    def recreate(self, space: Space, log_floors: Mapping[bytes, int]) -> Space:
        if space.name is not None:
            self.make_room(space.name)
        parent = space.lineage[1] if len(space.lineage) > 1 else None
        origin = space.created, space.expires, parent.space if parent else None, space.forked_at
        (id,) = self.one(
            "INSERT INTO spaces (name, created, expires, parent, forked_at, head, floor, forgotten, pruned,"
            " keep_versions, keep_deleted, checksum)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING id",
            (
                *(space.name, *origin),
                *(space.head, space.floor, space.forgotten, space.pruned),
                *(space.retention.versions, float(space.retention.deleted_for)),
                record_checksum(*origin),
            ),
        )
        for log, number in log_floors.items():
            self.execute("INSERT INTO log_floors (space, log, number) VALUES (?1, ?2, ?3)", (id, log, str(number)))
        return self.space(id)

    def make_room(self, name: str) -> None:
        """Let an expired space of a name give way to a new one.

        Raises:
            StaleRead: somebody else has made one meanwhile.
        """
        columns = self.one(self.SPACES + " WHERE s.name = ?1", (name,))
        if columns is not None:
            there = self._space(columns)
            if there.expires is None or there.expires > self._now():
                raise StaleRead(name)
            self.discard(there)

    def space(self, id: int) -> Space:
        """The space of an id that is known to be there."""
        return self._space(self.one(self.SPACES + " WHERE s.id = ?1", (id,)))

    def space_of(self, id: int) -> Space | None:
        columns = self.one(self.SPACES + " WHERE s.id = ?1", (id,))
        return None if columns is None else self._space(columns)

    def discard(self, space: Space) -> None:
        self.execute("UPDATE spaces SET name = NULL WHERE id = ?1", (space.id,))
        self.execute("DELETE FROM snapshots WHERE space = ?1", (space.id,))
        self.execute("DELETE FROM merges WHERE target = ?1 OR source = ?1", (space.id,))
        # Its forks still look at rows up to where they start; without forks nobody does, nor at what only it needed.
        last: int | None = space.id
        while last is not None:
            named, parent, needed = self.one(
                "SELECT name IS NOT NULL, parent, (SELECT max(forked_at) FROM spaces WHERE parent = s.id)"
                " FROM spaces s WHERE id = ?1",
                (last,),
            )
            if named:
                break
            self.drop_rows(last, -1 if needed is None else needed)
            if needed is not None:
                break
            self.execute("DELETE FROM log_floors WHERE space = ?1", (last,))
            self.execute("DELETE FROM merges WHERE source = ?1", (last,))  # of a moment before its forks
            self.execute("DELETE FROM spaces WHERE id = ?1", (last,))
            last = parent

    def set_retention(self, space: Space, retention: Retention) -> None:
        self.execute(
            "UPDATE spaces SET keep_versions = ?1, keep_deleted = ?2 WHERE id = ?3",
            (retention.versions, float(retention.deleted_for), space.id),
        )

    def lineage(self, id: int) -> View:
        """The space of an id and its ancestors."""
        known = self._lineages.get(id)
        if known is None:
            levels: list[Level] = []
            space: int | None = id
            upto: int | None = None
            while space is not None:
                levels.append(Level(space, upto))
                origin = self.one(
                    "SELECT created, expires, parent, forked_at, checksum FROM spaces WHERE id = ?1", (space,)
                )
                if origin is None or record_checksum(*origin[:4]) != origin[4]:
                    raise damaged(f"the lineage of space {id}")
                _, _, space, upto, _ = origin
            known = tuple(levels)
            if len(self._lineages) > _LINEAGES_KEPT:
                self._lineages.clear()
            self._lineages[id] = known
        return known

    def _space(self, columns: tuple[Any, ...]) -> Space:
        id, name, created, expires, parent, forked_at, head, floor, forgotten, pruned = columns[:10]
        versions, deleted, check, revision, updated = columns[10:]
        if record_checksum(created, expires, parent, forked_at) != check:
            raise damaged(f"the record of {name!r}")
        try:
            return Space(
                id,
                name,
                created,
                (Level(id),) if parent is None else self.lineage(id),
                max(revision or 0, head, forked_at),
                max(updated or 0, created),
                expires,
                floor,
                forgotten,
                Retention(versions, deleted),
                pruned,
            )
        except (InvalidValueError, TypeError) as error:  # what changes has no checksum
            raise damaged(f"the record of {name!r}") from error

    # --- snapshots and merge points ---------------------------------------------------------------------

    def list_snapshots(self, space: Space) -> list[Revision]:
        rows = self.every(
            "SELECT revision, label, created, expires, checksum FROM snapshots"
            " WHERE space = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY revision, label",
            (space.id, self._now()),
        )
        for *snapshot, check in rows:
            if record_checksum(space.id, *snapshot) != check:
                raise damaged(f"a snapshot of {space.name!r}")
        return [
            Revision(
                revision,
                label,
                from_microseconds(created),
                None if expires is None else from_microseconds(expires),
            )
            for revision, label, created, expires, _ in rows
        ]

    def add_snapshot(
        self, space: Space, label: str, number: int, expires: int | None, created: int | None = None
    ) -> Revision:
        now = self._now() if created is None else created
        self.execute(
            "INSERT INTO snapshots (space, revision, label, created, expires, checksum)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (space, label) DO UPDATE SET revision = excluded.revision,"
            " created = excluded.created, expires = excluded.expires, checksum = excluded.checksum",
            (space.id, number, label, now, expires, record_checksum(space.id, number, label, now, expires)),
        )
        return Revision(number, label, from_microseconds(now), None if expires is None else from_microseconds(expires))

    def remove_snapshot(self, space: Space, label: str) -> bool:
        there = any(one.label == label for one in self.list_snapshots(space))
        self.execute("DELETE FROM snapshots WHERE space = ?1 AND label = ?2", (space.id, label))
        return there

    def merge_point(self, target: Space, source: int, keys: str) -> int | None:
        found = self.one(
            "SELECT source, keys, revision, checksum FROM merges WHERE source = ?1 AND target = ?2 AND keys = ?3",
            (source, target.id, keys),
        )
        return None if found is None else self._merge_point(target, found)[2]

    def add_merge_point(self, target: Space, source: int, keys: str, revision: int) -> None:
        self.execute(
            "INSERT INTO merges (target, source, keys, revision, checksum) VALUES (?1, ?2, ?3, ?4, ?5)"
            " ON CONFLICT (source, target, keys) DO UPDATE SET revision = excluded.revision,"
            " checksum = excluded.checksum",
            (target.id, source, keys, revision, record_checksum(target.id, source, keys, revision)),
        )

    def merge_points(self, target: Space) -> list[tuple[int, str, int]]:
        rows = self.every("SELECT source, keys, revision, checksum FROM merges WHERE target = ?1", (target.id,))
        return [self._merge_point(target, columns) for columns in rows]

    @staticmethod
    def _merge_point(target: Space, columns: tuple[int, str, int, int]) -> tuple[int, str, int]:
        source, keys, revision, check = columns
        if record_checksum(target.id, source, keys, revision) != check:
            raise damaged(f"a merge into {target.name!r}")
        return source, keys, revision

    # --- logs ---------------------------------------------------------------------------------------------

    def log_floors(self, space: Space) -> dict[bytes, int]:
        rows = self.every("SELECT log, number FROM log_floors WHERE space = ?1", (space.id,))
        return dict(_log_floor(log, number) for log, number in rows)

    def log_floor(self, space: int, log: str) -> int:
        """The highest number of a log whose row was forgotten or erased, -1 where none was."""
        found = self.one("SELECT log, number FROM log_floors WHERE space = ?1 AND log = ?2", (space, log_digest(log)))
        return -1 if found is None else _log_floor(*found)[1]

    def note_log_row(self, space: int, key: str) -> None:
        """Remember the number of a row that goes, if its key is that of a row of a log."""
        place = log_of(key)
        if place is not None and place[1] > self.log_floor(space, place[0]):
            self.execute(
                "INSERT INTO log_floors (space, log, number) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (space, log) DO UPDATE SET number = excluded.number",
                (space, log_digest(place[0]), str(place[1])),
            )


def bounds(view: View) -> tuple[int, ...]:
    """The bound values of the levels of a view: space and last revision of each."""
    return tuple(value for level in view for value in (level.space, HIGHEST if level.upto is None else level.upto))


def record_checksum(*columns: int | str | None) -> int:
    """The checksum of a record of a table other than `versions`."""
    return crc32("\0".join(f"{type(column).__name__} {column}" for column in columns).encode())


def damaged(what: str) -> StoreCorruptError:
    """The error for a record that is not as it was written."""
    return StoreCorruptError(f"{what} is damaged", hint="restore it from a backup; see `botwire doctor`")


def _log_floor(log: object, number: object) -> tuple[bytes, int]:
    if isinstance(log, bytes) and isinstance(number, str) and number.isascii() and number.isdecimal():
        return log, int(number)
    raise damaged("the highest number of a log")  # a flipped bit can make a column of another type
