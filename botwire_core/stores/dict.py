"""`DictStore`: the whole protocol in plain dictionaries, for tests, for `memory:`, and as the executable specification.

It keeps every version of everything and prunes nothing, so it shows what the other stores must give wherever they
still have the rows. It lives and dies with its process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from botwire_core.clock import Clock, from_microseconds
from botwire_core.errors import UnknownStoreError
from botwire_core.names import log_of
from botwire_core.protocol import Op
from botwire_core.results import Retention, Revision
from botwire_core.stores.changes import purge_reaches
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.rows import Row
from botwire_core.stores.spaces import Level, Space, View

__all__ = ["DictStore", "open_url"]

R = TypeVar("R")


@dataclass(slots=True)
class _Table:
    """The rows of one space: in commit order, and by key."""

    space: Space
    rows: list[Row] = field(default_factory=list)
    by_key: dict[str, list[Row]] = field(default_factory=dict)
    snapshots: dict[str, tuple[Revision, int | None]] = field(default_factory=dict)
    log_floors: dict[str, int] = field(default_factory=dict)


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

    def __repr__(self) -> str:
        return f"DictStore({len(self._names)} namespaces)"

    def run(self, op: Op[R]) -> R:
        """Run an op and give its result."""
        with self._lock:
            return super().run(op)

    async def arun(self, op: Op[R]) -> R:
        """Run an op at once: there is nothing to wait for."""
        return self.run(op)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._lock:
            self._undo.clear()
            try:
                yield
            except BaseException:
                for undo in reversed(self._undo):
                    undo()
                raise
            finally:
                self._undo.clear()

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

    def find_all(self, prefix: str) -> list[Space]:
        found = (self.find(name) for name in sorted(self._names) if name.startswith(prefix))
        return [space for space in found if space is not None]

    def descendants(self, space: Space) -> list[Space]:
        return [
            table.space
            for table in self._tables.values()
            if any(level.space == space.id for level in table.space.lineage[1:])
        ]

    def count_forks(self, space: Space) -> int:
        return sum(len(one.lineage) > 1 and one.lineage[1].space == space.id for one in self.find_all(""))

    def create(self, name: str, parent: Level | None, expires: int | None) -> Space:
        if name in self._names:  # it has expired
            self.discard(self._tables[self._names[name]].space)
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
        table.space = replace(before, **members)  # type: ignore[arg-type]
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
        last = max((self._tables[level.space].log_floors.get(log, -1) for level in view), default=-1)
        for level in view:
            for key, rows in self._tables[level.space].by_key.items():
                found = log_of(key)
                if found and found[0] == log and level.reaches(rows[0].revision):
                    last = max(last, found[1])
        return last

    def erase(self, spaces: list[Space], target: str) -> tuple[set[str], int]:
        keys: set[str] = set()
        count = 0
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
                    table.log_floors[found[0]] = max(table.log_floors.get(found[0], -1), found[1])
            self._change(table, floor=max(table.space.floor, *(row.version for row in gone)))
            self._undo.append(partial(setattr, table, "rows", table.rows))
            self._undo.append(partial(setattr, table, "by_key", table.by_key))
            table.rows = [row for row in table.rows if not purge_reaches(target, row.key)]
            table.by_key = {key: rows for key, rows in table.by_key.items() if not purge_reaches(target, key)}
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

    def add_snapshot(self, space: Space, label: str, number: int, expires: int | None) -> Revision:
        ends = None if expires is None else from_microseconds(expires)
        snapshot = Revision(number, label, from_microseconds(self._now()), ends)
        snapshots = self._tables[space.id].snapshots
        snapshots[label] = snapshot, expires
        self._undo.append(lambda: snapshots.pop(label))
        return snapshot

    def remove_snapshot(self, space: Space, label: str) -> bool:
        there = any(one.label == label for one in self.list_snapshots(space))
        self._tables[space.id].snapshots.pop(label, None)
        return there

    def merge_point(self, target: Space, source: Space, keys: str) -> int | None:
        return self._merged.get((target.id, source.id, keys))

    def add_merge_point(self, target: Space, source: Space, keys: str, revision: int) -> None:
        self._merged[target.id, source.id, keys] = revision


def open_url(url: str, *, timeout: float | None = None, token: str | None = None) -> DictStore:
    """A store for a `memory:` URL: empty, and gone with the process.

    Raises:
        UnknownStoreError: the URL says more than `memory:` and a name.
    """
    if not url.startswith("memory:"):
        raise UnknownStoreError(f"{url!r} is no memory: URL", hint="write memory: or memory:a-name")
    return DictStore()
