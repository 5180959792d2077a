"""`HistoryStoreBase`: forks, the past, diffs, merges, erasure and changes, over a log of versions.

Every write of every namespace stays as a row `(space, key, revision)`. A fork is a record that names its parent and
a revision of it; whoever reads in a fork looks through its lineage, nearest space first. What a store gives are
the primitives of `HistoryPrimitives`; the ops are written once, here, in `changes` and in `merging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from botwire_core import protocol as p
from botwire_core.arguments import check_ttl, check_version
from botwire_core.clock import Clock, to_microseconds
from botwire_core.codec import Value
from botwire_core.errors import ConflictError, InvalidValueError, RevisionPrunedError
from botwire_core.names import check_key, check_label, check_namespace, check_prefix
from botwire_core.results import Entry, NamespaceInfo, Retention, Revision, Stats
from botwire_core.stores.base import StoreBase, expiry
from botwire_core.stores.changes import ChangeOps
from botwire_core.stores.draft import Draft
from botwire_core.stores.families import FamilyOps
from botwire_core.stores.merging import MergeOps
from botwire_core.stores.reserved import is_reserved
from botwire_core.stores.rows import TOMBSTONE, Batch, Row, StaleRead
from botwire_core.stores.spaces import Level, View

__all__ = ["HistoryStoreBase"]

R = TypeVar("R")


class HistoryStoreBase(ChangeOps, MergeOps, FamilyOps):
    """A store with every op of the protocol, made of the primitives."""

    features = frozenset({"history", "service"})

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        for op in self.CONSISTENT:
            self._runners[op] = self._at_one_moment(self._runners[op])

    def _at_one_moment(self, runner: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(op: Any) -> Any:
            with self.consistent():
                return runner(op)

        return run

    # --- the core ops, seen through a lineage -------------------------------------------------------------

    def read(self, namespace: str, key: str) -> Row | None:
        return self.newest_row(self.view(namespace, None), key)

    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterator[Row]:
        return self.newest_rows(self.view(namespace, None), prefix, after, reverse)

    def commit(self, batch: Batch) -> None:
        with self.exclusive():
            space = self.find(batch.namespace) or self.create(batch.namespace, None, None)
            for key, version in batch.expect.items():
                row = self.newest_row(space.lineage, key)
                if (row.version if row else 0) != version:
                    raise StaleRead(key)
            self.insert(space, batch.rows, space.head + 1)

    def write(self, namespace: str, fill: Callable[[Draft], R]) -> R:
        check_namespace(namespace)
        with self.exclusive():
            space = self.find(namespace)
            draft = self.draft(namespace, space)
            result = fill(draft)
            if draft.rows:
                space = space or self.create(namespace, None, None)
                self.keep(space, draft.rows.values(), space.head + 1)
            return result

    def next_number(self, draft: Draft, log: str) -> int:
        return self.last_log_number(self.view(draft.namespace, None), log) + 1

    def _get(self, op: p.Get) -> Value | p.Missing:
        with self.consistent():  # a lineage, what is kept of it, and the row
            return super()._get(op)

    def live_row(self, namespace: str, key: str, at: int | None) -> Row | None:
        return self._live_in_view(self.view(namespace, at), key, at)

    def _live_in_view(self, view: View, key: str, at: int | None) -> Row | None:
        check_key(key)
        row = self.newest_row(view, key) if at is None else self.past_row(view, key) if view else None
        return row if row is not None and row.live(self._now()) else None

    def live_rows(
        self, namespace: str, prefix: str = "", after: str | None = None, reverse: bool = False, at: int | None = None
    ) -> Iterator[Row]:
        view = self.view(namespace, at)
        if not view:
            return iter(())
        now = self._now()
        rows = (self.newest_rows if at is None else self.past_rows)(view, prefix, after, reverse)
        return (row for row in rows if row.live(now))

    def live_rows_of(self, namespace: str, keys: tuple[str, ...], at: int | None) -> dict[str, Row]:
        # `run` holds one moment for the whole op, so a single look at each key will do.
        view = self.view(namespace, at)
        return {key: row for key in keys if (row := self._live_in_view(view, key, at)) is not None}

    def _drop(self, op: p.Drop) -> bool:
        with self.exclusive():
            space = self.find(check_namespace(op.namespace))
            if space is None:
                return False
            self.discard(space)
            return True

    def _get_stats(self, op: p.GetStats) -> Stats:
        space = self.find(check_namespace(op.namespace))
        if space is None:
            return Stats(op.namespace, 0, 0, 0, 0, 0, 0)
        keys = size = 0
        for row in self.live_rows(op.namespace):
            keys += 1
            size += len(row.data)
        now = self._now()
        midnight = now - now % 86_400_000_000
        before_today = self.revision_at(space.lineage[0], midnight - 1)
        writes = sum(row.codec != TOMBSTONE for row in self.level_rows(space.lineage[0], before_today or 0))
        return Stats(
            op.namespace, keys, size, space.head, self.count_forks(space), len(self.list_snapshots(space)), writes
        )

    # --- forks and snapshots --------------------------------------------------------------------------------

    def _fork(self, op: p.Fork) -> NamespaceInfo:
        check_namespace(op.namespace)
        check_namespace(op.name)
        ttl = check_ttl(op.ttl)
        with self.exclusive():
            return self.make_fork(op.namespace, op.name, op.at, expiry(self._now(), ttl))

    def make_fork(self, namespace: str, name: str, at: int | None, expires: int | None) -> NamespaceInfo:
        """Make a fork, in an exclusive block; it expires at a moment in microseconds since the epoch.

        Raises:
            ConflictError: a namespace of that name exists.
        """
        if self.find(name) is not None or name == namespace:
            raise ConflictError(
                f"there is a namespace {name!r} already", hint="fork to another name, or drop() it first"
            )
        space = self.find(namespace) or self.create(namespace, None, None)
        start = Level(space.id, space.head)
        if at is not None:
            view = space.view(at)
            if at != space.head:
                self.check_kept(view)
            # A moment before this namespace was forked belongs to its ancestor: that is the true parent.
            start = view[0]
        parent = space.name if start.space == space.id else self.name_of(start.space)
        return self.create(name, start, expires).info(parent, 0)

    def _list_namespaces(self, op: p.ListNamespaces) -> list[NamespaceInfo]:
        spaces = [space for space in self.find_all(check_prefix(op.prefix)) if not is_reserved(space.name or "")]
        names = {space.id: space.name for space in spaces}
        for space in spaces:
            for above in space.lineage[1:2]:
                if above.space not in names:
                    names[above.space] = self.name_of(above.space)
        changed = self.count_changed(spaces)
        return [
            space.info(
                names.get(space.lineage[1].space) if len(space.lineage) > 1 else None,
                changed.get(space.id, 0),
            )
            for space in spaces
        ]

    def _snapshot(self, op: p.Snapshot) -> Revision:
        check_namespace(op.namespace)
        ttl = check_ttl(op.ttl)
        with self.exclusive():
            space = self.find(op.namespace) or self.create(op.namespace, None, None)
            label = check_label(op.label) if op.label is not None else f"r{space.head}"
            for there in self.list_snapshots(space):
                if there.label == label:
                    if op.label is None and there.number == space.head:
                        return there
                    raise ConflictError(
                        f"{op.namespace!r} has a snapshot {label!r}", hint="take another label, or delete it first"
                    )
            return self.add_snapshot(space, label, space.head, expiry(self._now(), ttl))

    def _list_snapshots(self, op: p.ListSnapshots) -> list[Revision]:
        space = self.find(check_namespace(op.namespace))
        return [] if space is None else self.list_snapshots(space)

    def _delete_snapshot(self, op: p.DeleteSnapshot) -> bool:
        with self.exclusive():
            space = self.find(check_namespace(op.namespace))
            return space is not None and self.remove_snapshot(space, check_label(op.label))

    def _resolve(self, op: p.Resolve) -> int:
        space = self.find(check_namespace(op.namespace))
        moment = op.moment
        if moment is None:
            return 0 if space is None else space.head
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                raise InvalidValueError(
                    f"{moment.isoformat()} has no time zone", hint="say which: moment.astimezone(), or tzinfo=UTC"
                )
            return 0 if space is None else self._revision_at(space.lineage, to_microseconds(moment))
        if isinstance(moment, str):
            snapshots = [] if space is None else self.list_snapshots(space)
            for snapshot in snapshots:
                if snapshot.label == moment:
                    return snapshot.number
            raise InvalidValueError(
                f"{op.namespace!r} has no snapshot {moment!r}",
                hint=f"it has {', '.join(repr(one.label) for one in snapshots) or 'none'}",
            )
        if type(moment) is not int:
            raise InvalidValueError(
                f"{moment!r} names no revision",
                hint="use a number, a snapshot's label, or a datetime with its time zone",
            )
        self.view(op.namespace, moment)
        return moment

    def _revision_at(self, view: View, moment: int) -> int:
        for level in view:
            revision = self.revision_at(level, moment)
            if revision is not None:
                return revision
        return 0

    # --- history of a key ------------------------------------------------------------------------------------

    def _get_history(self, op: p.GetHistory) -> list[Entry]:
        check_key(op.key)
        now = self._now()
        entries: list[Entry] = []
        for row in self.key_rows(self.view(op.namespace, op.at), op.key):
            if op.limit is not None and len(entries) >= op.limit:
                break
            if row.expires is None or row.expires > now:
                entries.append(self._entry(op.namespace, row))
        return entries

    def _restore(self, op: p.Restore) -> int:
        check_key(op.key)
        if check_version(op.version, "version") is None:
            raise InvalidValueError("version: None is not a version", hint="history() lists the versions that are kept")

        def fill(draft: Draft) -> int:
            rows = list(self.key_rows(self.view(op.namespace, None), op.key))
            found = next((row for row in rows if row.version == op.version), None)
            if found is None or (found.expires is not None and found.expires <= draft.now):
                newest = rows[0].version if rows else 0
                if found is None and not 1 <= op.version <= newest:
                    raise InvalidValueError(
                        f"{op.key!r} has no version {op.version}", hint=f"its newest version is {newest}"
                    )
                raise RevisionPrunedError(
                    f"version {op.version} of {op.key!r} is {'no longer kept' if found is None else 'expired'}",
                    hint="history() lists the versions that are kept",
                    oldest=min((row.revision for row in rows if row.expires is None), default=None),
                )
            if found.codec == TOMBSTONE:
                draft.remove(op.key, op.author)
                now_there = draft.newest(op.key)
                return now_there.version if now_there else 0
            return draft.put(op.key, found.payload, None, op.author).version

        return self.write(op.namespace, fill)

    def _get_retention(self, op: p.GetRetention) -> Retention:
        space = self.find(check_namespace(op.namespace))
        return Retention() if space is None else space.retention

    def _set_retention(self, op: p.SetRetention) -> None:
        check_namespace(op.namespace)
        with self.exclusive():
            self.set_retention(self.find(op.namespace) or self.create(op.namespace, None, None), op.retention)

    CONSISTENT: ClassVar[frozenset[type]] = frozenset(
        {p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.GetStats, p.Compare, p.ListChanges, p.Export}
        | {p.GetEntry, p.GetHistory, p.ListNamespaces, p.Resolve, p.ListSnapshots, p.ExportAll, p.ExportFamily}
    )
    LATE_RUNNERS: ClassVar[dict[str, str]] = {
        "botwire_core.scopes.ops": "botwire_core.stores.scoping",
        "botwire_core.scopes.adopting": "botwire_core.stores.adopting",
        "botwire_core.service": "botwire_core.stores.service",
    }
    RUNNERS: ClassVar[dict[type, str]] = {
        **StoreBase.RUNNERS,
        **ChangeOps.RUNNERS,
        **MergeOps.RUNNERS,
        **FamilyOps.RUNNERS,
        p.Fork: "_fork",
        p.ListNamespaces: "_list_namespaces",
        p.Snapshot: "_snapshot",
        p.ListSnapshots: "_list_snapshots",
        p.DeleteSnapshot: "_delete_snapshot",
        p.Resolve: "_resolve",
        p.GetHistory: "_get_history",
        p.Restore: "_restore",
        p.GetRetention: "_get_retention",
        p.SetRetention: "_set_retention",
    }
