"""Families in the embedded store: what was kept elsewhere is kept here, number by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Level, Space
from botwire_core.stores.sqlite.retention import Retainer
from botwire_core.stores.sqlite.rows import (
    COLUMNS,
    INSERT,
    checksum,
    log_floor_from,
    outer_checksum,
    record_checksum,
    row_from,
)
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.statements import bounds

__all__ = ["FamilyTables"]

_PAGE = 64  # rows, each of which may be of 16 MiB


class FamilyTables(Retainer):
    """Row ids are new and checksums with them; the links between the versions of a key stay, so holes stay too."""

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

    def log_floors(self, space: Space) -> dict[bytes, int]:
        rows = self.every("SELECT log, number FROM log_floors WHERE space = ?", (space.id,))
        return dict(log_floor_from(log, number) for log, number in rows)

    def recreate(self, space: Space, log_floors: Mapping[bytes, int]) -> Space:
        self._made_space = True
        if space.name is not None:
            self.make_room(space.name)
        parent = space.lineage[1] if len(space.lineage) > 1 else None
        origin = space.created, space.expires, parent.space if parent else None, space.forked_at
        (id,) = self.one(
            "INSERT INTO spaces (name, created, expires, parent, forked_at, head, floor, forgotten, pruned,"
            " keep_versions, keep_deleted, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                *(space.name, *origin),
                *(space.head, space.floor, space.forgotten, space.pruned),
                *(space.retention.versions, float(space.retention.deleted_for)),
                record_checksum(*origin),
            ),
        )
        for log, number in log_floors.items():
            self.execute("INSERT INTO log_floors (space, log, number) VALUES (?, ?, ?)", (id, log, str(number)))
        return self.space(id)

    def insert_as_they_are(self, space: Space, rows: Iterable[tuple[Row, int]]) -> int:
        first = self._last_row(space.id)
        id = first
        execute = self._connections.current().execute
        for row, previous in rows:
            id += 1
            # A row that expired and was swept has no value either, and still is no delete.
            gone = -row.updated if row.codec == TOMBSTONE and row.expires is None else row.expires
            inner = checksum(space.id, row.key.encode(), row.revision, row.codec, gone, row.data)
            outer = outer_checksum(id, row.version, row.created, row.updated, row.author)
            execute(
                INSERT,
                (
                    *(id, space.id, row.key, row.revision, row.version, row.codec, gone, inner),
                    *(row.created, row.updated, row.author, outer, row.data, previous),
                ),
            )
        return id - first
