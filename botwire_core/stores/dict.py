"""`DictStore`: the whole protocol in plain dictionaries, for tests, for `memory:`, and as the executable specification.

It keeps every version of everything and prunes nothing, so it shows what the other stores must give wherever they
still have the rows. It lives and dies with its process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

from botwire_core.clock import Clock, from_microseconds
from botwire_core.errors import StoreBusyError, UnknownStoreError, UnsupportedError
from botwire_core.names import log_of
from botwire_core.protocol import ExportAll, ExportFamily, Import, ImportFamily, Op
from botwire_core.records import field, record, replace
from botwire_core.results import Retention, Revision
from botwire_core.stores.changes import erased_floor, purge_reaches
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.reserved import is_reserved
from botwire_core.stores.rows import Row, log_digest
from botwire_core.stores.spaces import Level, Space, View
from botwire_core.stores.threads import run_in_thread

__all__ = ["DictStore", "open_url"]

K = TypeVar("K")
R = TypeVar("R")
V = TypeVar("V")
_STREAMS: Final[frozenset[type]] = frozenset({ExportAll, ExportFamily, Import, ImportFamily})


@record(frozen=False)
class _Table:
    """The rows of one space: in commit order, and by key."""

    space: Space
    rows: list[Row] = field(default_factory=list)
    by_key: dict[str, list[Row]] = field(default_factory=dict)
    snapshots: dict[str, tuple[Revision, int | None]] = field(default_factory=dict)
    log_floors: dict[bytes, int] = field(default_factory=dict)


class DictStore(HistoryStoreBase):
    """A store in memory, for this process only; safe to use from many threads and event loops."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self._lock = threading.RLock()
        self._tables: dict[int, _Table] = {}
        self._names: dict[str, int] = {}
        self._merged: dict[tuple[int, int, str], int] = {}
        self._last_id = 0
        self._undo: list[Callable[[], object]] = []
        self._writing = False
        self._grouping = False

    def __repr__(self) -> str:
        return f"DictStore({sum(not is_reserved(name) for name in self._names)} namespaces)"

    def run(self, op: Op[R]) -> R:
        """Run an op and give its result."""
        with self._lock:
            return super().run(op)

    async def arun(self, op: Op[R]) -> R:
        """Run an op at once: there is nothing to wait for, but where the op reads from a file or writes to one."""
        return await run_in_thread(self.run, op) if type(op) in _STREAMS else self.run(op)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._lock:
            if self._writing and self._grouping:
                mark = len(self._undo)
                try:
                    yield
                except BaseException:
                    self._undo_from(mark)
                    raise
                return
            if self._writing:
                raise StoreBusyError("this thread is in the middle of a write already", hint="finish that one first")
            self._writing = True
            try:
                yield
            except BaseException:
                self._undo_from(0)
                raise
            finally:
                self._writing = False
                self._undo.clear()

    def _undo_from(self, mark: int) -> None:
        for undo in reversed(self._undo[mark:]):
            undo()
        del self._undo[mark:]

    @contextmanager
    def grouped(self, namespaces: Collection[str] = ()) -> Iterator[None]:
        with self.exclusive():
            self._grouping = True
            try:
                yield
            finally:
                self._grouping = False

    def grouping(self) -> bool:
        return self._grouping

    @contextmanager
    def consistent(self) -> Iterator[None]:
        with self._lock:
            yield

    # --- spaces -----------------------------------------------------------------------------------------

    def find(self, name: str) -> Space | None:
        number = self._names.get(name)
        if number is None:
            return None
        space = self._tables[number].space
        return space if space.expires is None or space.expires > self._now() else None

    def space_of(self, id: int) -> Space | None:
        table = self._tables.get(id)
        return None if table is None else table.space

    def find_all(self, prefix: str) -> list[Space]:
        found = (self.find(name) for name in sorted(self._names) if name.startswith(prefix))
        return [space for space in found if space is not None]

    def descendants(self, space: Space) -> list[Space]:
        return [
            table.space
            for table in self._tables.values()
            if any(level.space == space.id for level in table.space.lineage[1:])
        ]

    def ancestors(self, space: Space) -> list[Space]:
        return [self._tables[level.space].space for level in space.lineage[1:]]

    def count_forks(self, space: Space) -> int:
        return sum(len(one.lineage) > 1 and one.lineage[1].space == space.id for one in self.find_all(""))

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        self._make_room(name)
        self._last_id += 1
        lineage: View = (Level(self._last_id),)
        floor = head = 0
        if parent is not None:
            head = parent.upto or 0
            above = self._tables[parent.space].space
            lineage = (*lineage, parent, *above.lineage[1:])
            floor = above.floor
        now = self._now()
        space = Space(self._last_id, name, now, lineage, head, now, expires, floor)
        self._tables[space.id] = _Table(space)
        self._names[name] = space.id
        self._undo.append(lambda: (self._tables.pop(space.id), self._names.pop(name)))
        return space

    def _make_room(self, name: str) -> None:
        if name in self._names:  # it has expired
            self.discard(self._tables[self._names[name]].space)

    def discard(self, space: Space) -> None:
        table = self._tables[space.id]
        name = space.name or ""
        if self._names.pop(name, None) is not None:
            self._undo.append(lambda: self._names.__setitem__(name, space.id))
        self._change(table, name=None)

    def set_retention(self, space: Space, retention: Retention) -> None:
        self._change(self._tables[space.id], retention=retention)

    def _change(self, table: _Table, **members: object) -> None:
        before = table.space
        table.space = replace(before, **members)
        self._undo.append(lambda: setattr(table, "space", before))

    # --- rows ---------------------------------------------------------------------------------------------

    def insert(self, space: Space, rows: Iterable[Row], revision: int) -> None:
        table = self._tables[space.id]
        for row in rows:
            row = replace(row, revision=revision)
            table.rows.append(row)
            versions = table.by_key.setdefault(row.key, [])
            versions.append(row)
            self._undo.extend((table.rows.pop, versions.pop))
            self._change(table, head=revision, changed=row.updated)

    def trim(self, space: Space, limit: int) -> int:
        table = self._tables[space.id]
        now = self._now()
        went = 0
        while went < min(limit, len(table.rows)):
            expires = table.rows[went].expires
            if expires is None or expires > now:
                break
            went += 1
        gone, kept = table.rows[:went], table.rows[went:]
        if gone:
            by_key = dict(table.by_key)
            for row in gone:
                by_key[row.key] = [one for one in by_key[row.key] if one is not row]
                if not by_key[row.key]:
                    del by_key[row.key]
            self._undo.append(partial(setattr, table, "rows", table.rows))
            self._undo.append(partial(setattr, table, "by_key", table.by_key))
            table.rows, table.by_key = kept, by_key
        return went

    def newest_row(self, view: View, key: str) -> Row | None:
        return next(self.key_rows(view, key), None)

    def newest_rows(self, view: View, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        keys = {key for level in view for key in self._tables[level.space].by_key if key.startswith(prefix)}
        for key in sorted(keys, reverse=reverse):
            if after is None or (key < after if reverse else key > after):
                row = self.newest_row(view, key)
                if row is not None:
                    yield row

    # Nothing is ever pruned, so any moment is as good as a protected one.
    past_row = newest_row
    past_rows = newest_rows

    def check_kept(self, view: View) -> None:
        pass

    def forgotten(self, level: Level) -> int:
        return 0

    def key_rows(self, view: View, key: str) -> Iterator[Row]:
        for level in view:
            for row in reversed(self._tables[level.space].by_key.get(key, ())):
                if level.reaches(row.revision):
                    yield row

    def level_rows(self, level: Level, after: int) -> Iterator[Row]:
        for row in self._tables[level.space].rows:
            if row.revision > after and level.reaches(row.revision):
                yield row

    def level_keys(self, level: Level, after: int) -> set[str]:
        return {row.key for row in self.level_rows(level, after)}

    def revision_at(self, level: Level, moment: int) -> int | None:
        before = [row.revision for row in self.level_rows(level, -1) if row.updated <= moment]
        return max(before, default=None)

    def last_log_number(self, view: View, log: str) -> int:
        last = max((self._tables[level.space].log_floors.get(log_digest(log), -1) for level in view), default=-1)
        for level in view:
            for key, rows in self._tables[level.space].by_key.items():
                found = log_of(key)
                if found and found[0] == log and rows and level.reaches(rows[0].revision):
                    last = max(last, found[1])
        return last

    def erase(self, spaces: list[Space], target: str) -> tuple[set[str], int]:
        keys: set[str] = set()
        count = 0
        erased: dict[int, list[tuple[int, int]]] = {}
        for space in spaces:
            table = self._tables[space.id]
            gone = [row for row in table.rows if purge_reaches(target, row.key)]
            if not gone:
                continue
            keys |= {row.key for row in gone}
            count += len(gone)
            for row in gone:
                found = log_of(row.key)
                if found:
                    log = log_digest(found[0])
                    table.log_floors[log] = max(table.log_floors.get(log, -1), found[1])
            erased[space.id] = [(row.revision, row.version) for row in gone]
            self._undo.append(partial(setattr, table, "rows", table.rows))
            self._undo.append(partial(setattr, table, "by_key", table.by_key))
            table.rows = [row for row in table.rows if not purge_reaches(target, row.key)]
            table.by_key = {key: rows for key, rows in table.by_key.items() if not purge_reaches(target, key)}
        for space in spaces:
            table = self._tables[space.id]
            self._change(table, floor=max(table.space.floor, erased_floor(space.lineage, erased)))
        return keys, count

    def after_purge(self) -> None:
        pass

    # --- snapshots and merges ---------------------------------------------------------------------------------

    def list_snapshots(self, space: Space) -> list[Revision]:
        now = self._now()
        kept = [
            snapshot
            for snapshot, expires in self._tables[space.id].snapshots.values()
            if expires is None or expires > now
        ]
        return sorted(kept, key=lambda one: (one.number, one.label or ""))

    def add_snapshot(
        self, space: Space, label: str, number: int, expires: int | None, created: int | None = None
    ) -> Revision:
        ends = None if expires is None else from_microseconds(expires)
        snapshot = Revision(number, label, from_microseconds(self._now() if created is None else created), ends)
        snapshots = self._tables[space.id].snapshots
        snapshots[label] = snapshot, expires
        self._undo.append(lambda: snapshots.pop(label))
        return snapshot

    def remove_snapshot(self, space: Space, label: str) -> bool:
        there = any(one.label == label for one in self.list_snapshots(space))
        self._tables[space.id].snapshots.pop(label, None)
        return there

    def merge_point(self, target: Space, source: int, keys: str) -> int | None:
        return self._merged.get((target.id, source, keys))

    def add_merge_point(self, target: Space, source: int, keys: str, revision: int) -> None:
        place = target.id, source, keys
        self._undo.append(partial(_put_back, self._merged, place, self._merged.get(place)))
        self._merged[place] = revision

    def merge_points(self, target: Space) -> list[tuple[int, str, int]]:
        return [(source, keys, at) for (into, source, keys), at in self._merged.items() if into == target.id]

    # --- families -------------------------------------------------------------------------------------------------

    def rows_and_previous(self, level: Level) -> Iterator[tuple[Row, int]]:
        newest: dict[str, int] = {}
        for row in self.level_rows(level, 0):
            yield row, newest.get(row.key, 0)
            newest[row.key] = row.revision

    def log_floors(self, space: Space) -> dict[bytes, int]:
        return dict(self._tables[space.id].log_floors)

    def recreate(self, space: Space, log_floors: Mapping[bytes, int]) -> Space:
        if space.forgotten:
            raise _holes("keys")
        if space.name is not None:
            self._make_room(space.name)
        self._last_id += 1
        above = space.lineage[1:]
        lineage = (Level(self._last_id), *above, *(self._tables[above[0].space].space.lineage[1:] if above else ()))
        space = replace(space, id=self._last_id, lineage=lineage)
        self._tables[space.id] = _Table(space, log_floors=dict(log_floors))
        self._undo.append(lambda: self._tables.pop(space.id))
        if space.name is not None:
            self._names[space.name] = space.id
            self._undo.append(partial(self._names.pop, space.name))
        return space

    def insert_as_they_are(self, space: Space, rows: Iterable[tuple[Row, int]]) -> int:
        table = self._tables[space.id]
        before = len(table.rows)
        for row, previous in rows:
            versions = table.by_key.setdefault(row.key, [])
            if previous != (versions[-1].revision if versions else 0):
                raise _holes("versions")
            table.rows.append(row)
            versions.append(row)
        if table.rows:
            self._change(table, changed=max(space.created, table.rows[-1].updated))
        return len(table.rows) - before


def _put_back(places: dict[K, V], place: K, before: V | None) -> None:
    if before is None:
        places.pop(place, None)
    else:
        places[place] = before


def _holes(what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{what} are missing in the past of this family, which a store in memory cannot tell",
        hint="import it into a file: sqlite:///memory.db",
    )


def open_url(url: str, *, timeout: float | None = None, token: str | None = None) -> DictStore:
    """A store for a `memory:` URL: empty, and gone with the process.

    Raises:
        UnknownStoreError: the URL says more than `memory:` and a name.
    """
    if not url.startswith("memory:"):
        raise UnknownStoreError(f"{url!r} is no memory: URL", hint="write memory: or memory:a-name")
    return DictStore()
