"""The merge of one namespace into another, three-way against the moment at which they parted."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import ClassVar

from botwire_core import protocol as p
from botwire_core.codec import Value, encode
from botwire_core.diff import same_value
from botwire_core.errors import InvalidValueError
from botwire_core.merge import merge_values
from botwire_core.names import check_namespace, check_prefix, log_of, log_row_key
from botwire_core.records import field, record
from botwire_core.results import Conflict, MergeResult
from botwire_core.stores.base import expiry
from botwire_core.stores.draft import Draft
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.rows import Row
from botwire_core.stores.spaces import Level, Space, View, common_ancestor

__all__ = ["MergeOps"]

_SNAPSHOT_SECONDS = 7 * 86400.0


@record(frozen=False)
class _Plan:
    """What a merge has found so far."""

    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    appended: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


class MergeOps(HistoryPrimitives):
    """`Merge`, over the primitives of a store with a past."""

    def _merge(self, op: p.Merge) -> MergeResult:
        check_namespace(op.namespace)
        check_namespace(op.other)
        if op.strategy not in ("fail", "ours", "theirs"):
            raise InvalidValueError(f"strategy: {op.strategy!r}", hint='use "fail", "ours" or "theirs"')
        if not isinstance(op.keys, str):
            raise InvalidValueError(f"keys: {op.keys!r} is not a glob", hint='use "*" for all keys')
        check_prefix(op.keys)
        with self.exclusive():
            # In the order of names: two merges of the same namespaces never wait for each other.
            found = {name: self.find(name) for name in sorted({op.namespace, op.other})}
            source, target = found[op.other], found[op.namespace]
            if source is None:
                raise InvalidValueError(f"there is no namespace {op.other!r}", hint="check its name")
            if target is None and not op.dry_run:
                target = self.create(op.namespace, None, None)
            theirs = source.view(op.other_at)
            if op.other_at is not None:
                self.check_kept(theirs)
            ours = target.lineage if target else ()
            draft = self.draft(op.namespace, target)
            plan = self._plan(op, draft, self._base(op, target, ours, theirs), theirs)
            applied = not op.dry_run and (op.strategy != "fail" or not plan.conflicts)
            snapshot = None
            revision = target.head if target else 0
            if applied and target is not None:
                if draft.rows:
                    snapshot = self._keep(target, draft.now)
                    revision += 1
                    self.keep(target, draft.rows.values(), revision)
                self._remember(op, target, theirs[0], source.head)
            return MergeResult(applied, plan.written, plan.deleted, plan.appended, plan.conflicts, snapshot, revision)

    def _keep(self, target: Space, now: int) -> str:
        label = f"before-merge-{target.head}"
        if all(one.label != label for one in self.list_snapshots(target)):
            self.add_snapshot(target, label, target.head, expiry(now, _SNAPSHOT_SECONDS))
        return label

    def _remember(self, op: p.Merge, target: Space, merged: Level, head: int) -> None:
        """Note how far ours has theirs now, unless a merge before came further."""
        revision = head if merged.upto is None else merged.upto
        before = self.merge_point(target, merged.space, op.keys)
        if before is None or revision > before:
            self.add_merge_point(target, merged.space, op.keys, revision)

    def _base(self, op: p.Merge, target: Space | None, ours: View, theirs: View) -> View:
        """Where the two sides parted: at the last merge of these keys or at the fork point, else nowhere."""
        shared, place = common_ancestor(ours, theirs) or (-1, -1)
        for i, level in enumerate(theirs):
            merged = self.merge_point(target, level.space, op.keys) if target else None
            known = [] if merged is None else [merged]
            if i == place:
                if ours[shared].upto is None:
                    return theirs[i:]
                known.append(ours[shared].upto or 0)
            if known:
                upto = max(known) if level.upto is None else min(level.upto, max(known))
                return (Level(level.space, upto), *theirs[i + 1 :])
        return ()

    def _plan(self, op: p.Merge, draft: Draft, base: View, theirs: View) -> _Plan:
        plan = _Plan()
        new_rows: dict[str, list[Row]] = {}
        for key in sorted(self.changed_keys(base, theirs)):
            if not fnmatchcase(key, op.keys):
                continue
            before = self._live(base, key, draft.now)
            their = self._live(theirs, key, draft.now)
            place = log_of(key)
            if place and before is None:
                if their is not None:
                    new_rows.setdefault(place[0], []).append(their)
            else:
                self._merge_key(op, draft, plan, key, before, their, place is not None)
        for log, rows in sorted(new_rows.items()):
            plan.appended += self._append_rows(op, draft, base, log, rows)
        return plan

    def _merge_key(
        self, op: p.Merge, draft: Draft, plan: _Plan, key: str, before: Row | None, their: Row | None, is_log_row: bool
    ) -> None:
        our = draft.live(key)
        base, ours, theirs = (self._value_of(op, row) for row in (before, our, their))
        merged, conflicts = merge_values(key, base, ours, theirs, op.strategy)
        if is_log_row and conflicts:
            return  # rows of a log never conflict: ours stands
        plan.conflicts += conflicts
        if same_value(merged, ours):
            return
        if merged is p.MISSING:
            if draft.remove(key, op.author):
                plan.deleted.append(key)
            return
        expires = our.expires if our else None
        author = op.author
        if their is not None:
            if before is None or their.expires != before.expires:
                expires = their.expires
            author = author or their.author
        draft.put(key, encode(merged), expires, author)
        plan.written.append(key)

    def _append_rows(self, op: p.Merge, draft: Draft, base: View, log: str, rows: list[Row]) -> list[str]:
        """Append to ours the new rows of theirs, apart from those that an earlier merge brought over."""
        last = self.last_log_number(self.view(op.namespace, None), log)
        have: Counter[tuple[int, int, bytes] | None] = Counter()
        if last >= 0:
            for row in self.newest_rows(self.view(op.namespace, None), f"{log}/", None, False):
                found = log_of(row.key)
                # A row keeps the moment at which it first came to be, so it is known again under another number.
                if not found or found[0] != log or not row.live(draft.now):
                    continue  # an expired row counts no more, swept or not
                if _mark(row) != _mark(self._live(base, row.key, draft.now)):
                    have[_mark(row)] += 1
        keys = []
        for row in rows:
            mark = _mark(row)
            if have[mark] > 0:
                have[mark] -= 1
                continue
            last += 1
            key = log_row_key(log, last)
            draft.put_new(key, row.payload, row.expires, op.author or row.author, created=row.created)
            keys.append(key)
        return keys

    def _live(self, view: View, key: str, now: int) -> Row | None:
        row = self.newest_row(view, key) if view else None
        return row if row is not None and row.live(now) else None

    def _value_of(self, op: p.Merge, row: Row | None) -> Value:
        return p.MISSING if row is None else self._value(op.namespace, row)

    RUNNERS: ClassVar[dict[type, str]] = {p.Merge: "_merge"}


def _mark(row: Row | None) -> tuple[int, int, bytes] | None:
    """What tells a row of a log from others, whichever number it stands under."""
    return None if row is None else (row.created, row.codec, row.data)
