"""The records of the embedded store: spaces, snapshots and merge points."""

from __future__ import annotations

from typing import Any, Final

import apsw

from botwire_core.clock import from_microseconds
from botwire_core.errors import InvalidValueError
from botwire_core.results import Retention, Revision
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.sqlite.connections import Connections
from botwire_core.stores.sqlite.rows import damaged, record_checksum
from botwire_core.stores.sqlite.schema import ROW_BITS

__all__ = ["SpaceRecords"]

_SPACES: Final = f"""SELECT s.id, s.name, s.created, s.expires, s.parent, s.forked_at, s.head, s.floor, s.forgotten,
    s.pruned, s.keep_versions, s.keep_deleted, s.checksum, v.revision, v.updated
    FROM spaces s LEFT JOIN versions v ON v.id = (
        SELECT id FROM versions WHERE id >= s.id << {ROW_BITS} AND id < (s.id + 1) << {ROW_BITS}
        ORDER BY id DESC LIMIT 1
    )"""
_LINEAGES_KEPT = 20_000


class SpaceRecords(HistoryStoreBase):
    """Spaces are never renumbered and a lineage never changes, so it is looked up once."""

    _connections: Connections
    _lineages: dict[int, View]
    _made_space = False
    """Whether a space was made since the outermost block began, which a part of it may have to forget."""

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        """Run a statement on the connection of this thread."""
        return self._connections.current().execute(sql, values)

    def one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        """The first row of a statement, as a tuple of what its SQL says; None where there is none."""
        return self.execute(sql, values).fetchone()

    def every(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Every row of a statement, each a tuple of what its SQL says; no cursor stays open."""
        return self.execute(sql, values).fetchall()

    def find(self, name: str) -> Space | None:
        columns = self.one(_SPACES + " WHERE s.name = ?", (name,))
        if columns is None:
            return None
        if columns[0] in self._lineages:
            space = self._space(columns)
        else:
            with self.consistent():  # a drop takes a space and ancestors with it: look at all or none of them
                columns = self.one(_SPACES + " WHERE s.name = ?", (name,))
                if columns is None:
                    return None
                space = self._space(columns)
        return space if space.expires is None or space.expires > self._now() else None

    def find_all(self, prefix: str) -> list[Space]:
        now = self._now()
        rows = self.every(
            _SPACES + " WHERE s.name >= ?1 AND substr(s.name, 1, length(?1)) = ?1 ORDER BY s.name", (prefix,)
        )
        return [space for space in map(self._space, rows) if space.expires is None or space.expires > now]

    def descendants(self, space: Space) -> list[Space]:
        rows = self.every(
            "WITH RECURSIVE below(id) AS (SELECT id FROM spaces WHERE parent = ?1"
            " UNION SELECT s.id FROM spaces s JOIN below ON s.parent = below.id)"
            f" {_SPACES} WHERE s.id IN below ORDER BY s.id",
            (space.id,),
        )
        return [self._space(columns) for columns in rows]

    def ancestors(self, space: Space) -> list[Space]:
        return [self.space(level.space) for level in space.lineage[1:]]

    def count_forks(self, space: Space) -> int:
        found = self.one(
            "SELECT count(*) FROM spaces WHERE parent = ? AND name IS NOT NULL AND (expires IS NULL OR expires > ?)",
            (space.id, self._now()),
        )
        return int(found[0])

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        self._made_space = True
        self.make_room(name)
        floor, forked_at = 0, 0
        if parent is not None:
            forked_at = parent.upto or 0
            floor = int(self.one("SELECT floor FROM spaces WHERE id = ?", (parent.space,))[0])
        origin = self._now(), expires, parent.space if parent else None, forked_at
        self.execute(
            "INSERT INTO spaces (name, created, expires, parent, forked_at, floor, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, *origin, floor, record_checksum(*origin)),
        )
        return self._space(self.one(_SPACES + " WHERE s.name = ?", (name,)))

    def make_room(self, name: str) -> None:
        """Let an expired space of a name give way to a new one."""
        there = self.one(_SPACES + " WHERE s.name = ?", (name,))
        if there is not None:
            self.discard(self._space(there))

    def space(self, id: int) -> Space:
        """The space of an id that is known to be there."""
        return self._space(self.one(_SPACES + " WHERE s.id = ?", (id,)))

    def space_of(self, id: int) -> Space | None:
        columns = self.one(_SPACES + " WHERE s.id = ?", (id,))
        return None if columns is None else self._space(columns)

    def discard(self, space: Space) -> None:
        self.execute("UPDATE spaces SET name = NULL WHERE id = ?", (space.id,))
        self.execute("DELETE FROM snapshots WHERE space = ?", (space.id,))
        self.execute("DELETE FROM merges WHERE target = ?1 OR source = ?1", (space.id,))
        # Its forks still look at rows up to where they start; without forks nobody does, nor at what only it needed.
        last: int | None = space.id
        while last is not None:
            named, parent, needed = self.one(
                "SELECT name IS NOT NULL, parent, (SELECT max(forked_at) FROM spaces WHERE parent = s.id)"
                " FROM spaces s WHERE id = ?",
                (last,),
            )
            if named:
                break
            self.execute(
                "DELETE FROM versions WHERE id >= ? AND id < ? AND revision > ?",
                (last << ROW_BITS, (last + 1) << ROW_BITS, -1 if needed is None else needed),
            )
            if needed is not None:
                break
            self.execute("DELETE FROM log_floors WHERE space = ?", (last,))
            self.execute("DELETE FROM spaces WHERE id = ?", (last,))
            last = parent

    def set_retention(self, space: Space, retention: Retention) -> None:
        self.execute(
            "UPDATE spaces SET keep_versions = ?, keep_deleted = ? WHERE id = ?",
            (retention.versions, float(retention.deleted_for), space.id),
        )

    def forgotten(self, level: Level) -> int:
        revision = int(self.one("SELECT forgotten FROM spaces WHERE id = ?", (level.space,))[0])
        if level.upto is not None and level.upto < revision and self.pinned(level.space, level.upto, level.upto + 1):
            return 0
        return revision

    def pinned(self, space: int, first: int, end: int) -> bool:
        """Whether a fork, a snapshot or a merge protects a revision from `first` to below `end`."""
        raise NotImplementedError

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
                    "SELECT created, expires, parent, forked_at, checksum FROM spaces WHERE id = ?", (space,)
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
                self.lineage(id),
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
            " WHERE space = ? AND (expires IS NULL OR expires > ?) ORDER BY revision, label",
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
            "INSERT OR REPLACE INTO snapshots (space, revision, label, created, expires, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (space.id, number, label, now, expires, record_checksum(space.id, number, label, now, expires)),
        )
        return Revision(number, label, from_microseconds(now), None if expires is None else from_microseconds(expires))

    def remove_snapshot(self, space: Space, label: str) -> bool:
        there = any(one.label == label for one in self.list_snapshots(space))
        self.execute("DELETE FROM snapshots WHERE space = ? AND label = ?", (space.id, label))
        return there

    def merge_point(self, target: Space, source: int, keys: str) -> int | None:
        found = self.one(
            "SELECT source, keys, revision, checksum FROM merges WHERE source = ? AND target = ? AND keys = ?",
            (source, target.id, keys),
        )
        return None if found is None else self._merge_point(target, found)[2]

    def add_merge_point(self, target: Space, source: int, keys: str, revision: int) -> None:
        self.execute(
            "INSERT OR REPLACE INTO merges (target, source, keys, revision, checksum) VALUES (?, ?, ?, ?, ?)",
            (target.id, source, keys, revision, record_checksum(target.id, source, keys, revision)),
        )

    def merge_points(self, target: Space) -> list[tuple[int, str, int]]:
        rows = self.every("SELECT source, keys, revision, checksum FROM merges WHERE target = ?", (target.id,))
        return [self._merge_point(target, columns) for columns in rows]

    @staticmethod
    def _merge_point(target: Space, columns: tuple[int, str, int, int]) -> tuple[int, str, int]:
        source, keys, revision, check = columns
        if record_checksum(target.id, source, keys, revision) != check:
            raise damaged(f"a merge into {target.name!r}")
        return source, keys, revision
