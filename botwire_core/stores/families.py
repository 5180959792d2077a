"""The ops that carry a whole family: a namespace with its past and its forks, out of one store and into another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from botwire_core import protocol as p
from botwire_core.clock import to_microseconds
from botwire_core.errors import ConflictError, InvalidValueError
from botwire_core.names import check_namespace
from botwire_core.records import replace
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.spaces import Level, Space

if TYPE_CHECKING:
    from botwire_core.family import FamilyMember, FamilyPart, FamilyRow

__all__ = ["FamilyOps"]

_PAGE_ROWS = 1000
_PAGE_BYTES = 4 * 1024 * 1024


class FamilyOps(HistoryPrimitives):
    """`ExportFamily` and `ImportFamily`. The modules of the format are loaded by them alone."""

    # --- export ---------------------------------------------------------------------------------------------

    def _export_family(self, op: p.ExportFamily) -> int:
        from botwire_core.family import FamilyEnd

        space = self.find(check_namespace(op.namespace))
        if space is None:
            raise InvalidValueError(f"there is no namespace {op.namespace!r}", hint="check its name and the store")
        spaces = self._family_of(space)
        members = self._members(spaces)
        op.write(members)
        count = 0
        for member, one in zip(members, spaces, strict=True):
            for page in self._pages(member.number, Level(one.id, one.head)):
                op.write(page)
                count += len(page)
        op.write([FamilyEnd(len(members), count)])
        return count

    def _family_of(self, space: Space) -> list[Space]:
        """The members of a family, parents first: what nobody sees has no name, and ends where its last fork starts."""
        now = self._now()
        needed: dict[int, int] = {}
        below: list[Space] = []
        # Ids are never used twice, and a fork is made after its parent: so they rise from parent to fork.
        for one in sorted(self.descendants(space), key=lambda one: one.id, reverse=True):
            if one.name is None or (one.expires is not None and one.expires <= now):
                if one.id not in needed:
                    continue
                one = _nameless(one, needed[one.id])
            below.append(one)
            parent = one.lineage[1]
            needed[parent.space] = max(needed.get(parent.space, 0), parent.upto or 0)
        ends = {level.space: level.upto or 0 for level in space.lineage[1:]}
        above = [_nameless(one, ends[one.id]) for one in self.ancestors(space)]
        return [*reversed(above), space, *reversed(below)]

    def _members(self, spaces: list[Space]) -> list[FamilyMember]:
        from botwire_core.family import FamilyMember, FamilySnapshot, MergePoint

        numbers = {space.id: number for number, space in enumerate(spaces, 1)}
        heads = {space.id: space.head for space in spaces}
        members = []
        for space in spaces:
            snapshots: tuple[FamilySnapshot, ...] = ()
            merges: tuple[MergePoint, ...] = ()
            if space.name is not None:
                snapshots = tuple(
                    FamilySnapshot(
                        one.label or "",
                        one.number,
                        to_microseconds(one.created_at) if one.created_at else 0,
                        to_microseconds(one.expires_at) if one.expires_at else None,
                    )
                    for one in self.list_snapshots(space)
                )
                merges = tuple(
                    sorted(
                        (
                            MergePoint(numbers[source], keys, min(revision, heads[source]))
                            for source, keys, revision in self.merge_points(space)
                            if source in numbers
                        ),
                        key=lambda one: (one.source, one.keys),
                    )
                )
            members.append(
                FamilyMember(
                    numbers[space.id],
                    space.name,
                    numbers[space.lineage[1].space] if len(space.lineage) > 1 else None,
                    space.forked_at,
                    space.head,
                    space.created,
                    space.expires,
                    space.floor,
                    space.forgotten,
                    space.pruned,
                    space.retention,
                    snapshots,
                    merges,
                    tuple(sorted(self.log_floors(space).items())),
                )
            )
        return members

    def _pages(self, member: int, level: Level) -> Iterator[list[FamilyRow]]:
        from botwire_core.family import FamilyRow

        now = self._now()
        page: list[FamilyRow] = []
        size = 0
        for row, previous in self.rows_and_previous(level):
            page.append(FamilyRow(member, _without_expired(row, now), previous))
            size += len(row.data)
            if len(page) >= _PAGE_ROWS or size >= _PAGE_BYTES:
                yield page
                page, size = [], 0
        if page:
            yield page

    # --- import ---------------------------------------------------------------------------------------------

    def _import_family(self, op: p.ImportFamily) -> int:
        from botwire_core.family import check_family

        check_namespace(op.namespace)
        count = 0
        with self.exclusive():
            now = self._now()
            members: list[FamilyMember] = []
            spaces: list[Space] = []
            for number, parts in groupby(check_family(op.parts), key=_row_of):
                if number:
                    count += self.insert_as_they_are(spaces[number - 1], self._rows(parts, now))
                    continue
                for part in parts:
                    self._recreate(op.namespace, part, members, spaces, now)
            for member, space in zip(members, spaces, strict=True):
                self._add_records(member, space, spaces, now)
            # What has expired on the way goes as it would have gone where it was: last the parents.
            for member, space in reversed(list(zip(members, spaces, strict=True))):
                if member.name is not None and space.name is None:
                    self.discard(space)
        return count

    def _recreate(
        self, namespace: str, part: FamilyPart, members: list[FamilyMember], spaces: list[Space], now: int
    ) -> None:
        from botwire_core.family import FamilyMember

        if not isinstance(part, FamilyMember):
            return
        name = part.name
        if name is not None and all(one.name is None for one in members):
            name = namespace
        if part.expires is not None and part.expires <= now:
            name = None
        if name is not None and self.find(name) is not None:
            raise ConflictError(
                f"there is a namespace {name!r} already",
                hint="import into another store, or drop() that one first"
                if name != namespace
                else "import by another name, or drop() that one first",
            )
        above = () if part.parent is None else (Level(spaces[part.parent - 1].id, part.forked_at),)
        space = Space(
            0,
            name,
            part.created,
            (Level(0), *above),
            part.head,
            part.created,
            None if name is None else part.expires,
            part.floor,
            part.forgotten,
            part.retention,
            part.pruned,
        )
        members.append(part)
        spaces.append(self.recreate(space, dict(part.log_floors)))

    def _rows(self, parts: Iterable[FamilyPart], now: int) -> Iterator[tuple[Row, int]]:
        for part in parts:
            row = _without_expired(part.row, now)  # type: ignore[union-attr]  # grouped by _row_of
            self._check_payload(row.payload)
            yield row, part.previous  # type: ignore[union-attr]

    def _add_records(self, member: FamilyMember, space: Space, spaces: list[Space], now: int) -> None:
        if space.name is None:
            return
        for one in member.snapshots:
            if one.expires is None or one.expires > now:
                self.add_snapshot(space, one.label, one.revision, one.expires, one.created)
        for merge in member.merges:
            self.add_merge_point(space, spaces[merge.source - 1].id, merge.keys, merge.revision)

    RUNNERS: ClassVar[dict[type, str]] = {p.ExportFamily: "_export_family", p.ImportFamily: "_import_family"}


def _nameless(space: Space, head: int) -> Space:
    return replace(
        space,
        name=None,
        head=head,
        expires=None,
        forgotten=min(space.forgotten, head),
        pruned=min(space.pruned, head),
    )


def _without_expired(row: Row, now: int) -> Row:
    return replace(row, codec=TOMBSTONE, data=b"") if row.expires is not None and row.expires <= now else row


def _row_of(part: FamilyPart) -> int:
    """The member whose row a part is, 0 where it is none."""
    from botwire_core.family import FamilyRow

    return part.member if isinstance(part, FamilyRow) else 0
