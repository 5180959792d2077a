"""The ops that go through what changed: compare, list changes, export, import, purge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import ClassVar

from botwire_core import protocol as p
from botwire_core.arguments import check_limit
from botwire_core.codec import encode
from botwire_core.diff import ChangedEntry, Diff, same_value
from botwire_core.errors import InvalidKeyError, InvalidValueError
from botwire_core.names import check_key, check_namespace, check_prefix
from botwire_core.results import Change, ChangePage, PurgeResult, Record
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.rows import Row
from botwire_core.stores.spaces import Level, Space, View

__all__ = ["ChangeOps", "erased_floor", "purge_reaches"]

_IMPORT_ROWS = 5000
_END = 253_402_300_799  # seconds: the last that a datetime can say, in the year 9999
_EXPORT_ROWS = 1000


def purge_reaches(target: str, key: str) -> bool:
    """Whether a purge of `target` erases a key: that key, what is under it, and of a prefix all that starts with it.

    >>> [purge_reaches("user", key) for key in ("user", "user/name", "user2")]
    [True, True, False]
    >>> purge_reaches("user:", "user:7")
    True
    """
    return key == target or key.startswith(target if target[-1] in "/:" else target + "/")


def erased_floor(view: View, erased: Mapping[int, Sequence[tuple[int, int]]]) -> int:
    """The highest version that a view loses with the erased rows: revision and version of each, by space."""
    return max(
        (version for level in view for revision, version in erased.get(level.space, ()) if level.reaches(revision)),
        default=0,
    )


class ChangeOps(HistoryPrimitives):
    """Ops whose cost is what changed, not how much there is."""

    NOT_PURGED: ClassVar[tuple[str, ...]] = ("copies of the file made elsewhere: backups, exports, disk snapshots",)
    """What a purge cannot reach."""

    # --- compare ----------------------------------------------------------------------------------------------

    def _compare(self, op: p.Compare) -> Diff:
        check_prefix(op.prefix)
        before, after = self.view(op.namespace, op.at), self.view(op.other, op.other_at)
        now = self._now()
        diff = Diff(_side(op.namespace, op.at), _side(op.other, op.other_at))
        for key in sorted(self.changed_keys(before, after)):
            if not key.startswith(op.prefix):
                continue
            old = self._live_in(before, op.at, key, now)
            new = self._live_in(after, op.other_at, key, now)
            if old is None and new is not None:
                diff.added[key] = self._value(op.other, new)
            elif old is not None and new is None:
                diff.removed[key] = self._value(op.namespace, old)
            elif old is not None and new is not None and (old.codec, old.data) != (new.codec, new.data):
                one, other = self._value(op.namespace, old), self._value(op.other, new)
                if not same_value(one, other):
                    diff.changed.append(ChangedEntry(key, one, other))
        return diff

    def _live_in(self, view: View, at: int | None, key: str, now: int) -> Row | None:
        row = self.newest_row(view, key) if at is None else self.past_row(view, key) if view else None
        return row if row is not None and row.live(now) else None

    # --- changes --------------------------------------------------------------------------------------------------

    def _list_changes(self, op: p.ListChanges) -> ChangePage:
        check_prefix(op.prefix)
        limit = check_limit(op.limit) or 1
        space = self.find(check_namespace(op.namespace))
        head = space.head if space else 0
        if type(op.since) is not int or not 0 <= op.since <= head:
            raise InvalidValueError(
                f"revision {op.since!r} of {op.namespace!r} does not exist", hint=f"its revisions are 0 to {head}"
            )
        now = self._now()
        changes: list[Change] = []
        for row in self._rows_since(space.lineage if space else (), op.since):
            if len(changes) >= limit and row.revision != changes[-1].revision:
                return ChangePage(changes, changes[-1].revision)
            if row.key.startswith(op.prefix):
                changes.append(Change(row.revision, self._entry(op.namespace, row, hidden=not row.live(now))))
        return ChangePage(changes, head)

    def _rows_since(self, view: View, since: int) -> Iterator[Row]:
        levels = [level for level in reversed(view) if level.upto is None or level.upto > since]
        for level in levels:  # all of them first: whoever reads page by page must not get stuck half-way
            forgotten = self.forgotten(Level(level.space, since))
            if since < forgotten:
                raise self.pruned(since, forgotten if level.upto is None else min(forgotten, level.upto))
        for level in levels:
            yield from self.level_rows(level, since)

    # --- export and import ------------------------------------------------------------------------------------------

    def _export(self, op: p.Export) -> list[Record]:
        rows = self.live_rows(check_namespace(op.namespace), "", op.after, False, op.at)
        return [self._record(op.namespace, row) for row in islice(rows, check_limit(op.limit))]

    def _export_all(self, op: p.ExportAll) -> int:
        rows = self.live_rows(check_namespace(op.namespace), at=op.at)
        count = 0
        while page := [self._record(op.namespace, row) for row in islice(rows, _EXPORT_ROWS)]:
            op.write(page)
            count += len(page)
        return count

    def _record(self, namespace: str, row: Row) -> Record:
        expires = None if row.expires is None else row.expires / 1_000_000
        return Record(row.key, self._value(namespace, row), expires)

    def _import(self, op: p.Import) -> int:
        check_namespace(op.namespace)
        records = iter(op.records)
        seen: set[str] = set()
        with self.exclusive():
            space = self.find(op.namespace)
            revision = (space.head if space else 0) + 1
            # In portions, so that a file larger than memory fits; one revision all the same.
            while portion := list(islice(records, _IMPORT_ROWS)):
                draft = self.draft(op.namespace, space)
                for record in portion:
                    if check_key(record.key) in seen:
                        raise InvalidValueError(f"the key {record.key!r} comes twice")
                    seen.add(record.key)
                    expires = _expiry_of(record)
                    payload = encode(record.value)
                    self._check_payload(payload)
                    if expires is None or expires > draft.now:
                        draft.put(record.key, payload, expires, op.author)
                if draft.rows:
                    space = space or self.create(op.namespace, None, None)
                    self.keep(space, draft.rows.values(), revision)
        return len(seen)

    # --- purge ------------------------------------------------------------------------------------------

    def _purge(self, op: p.Purge) -> PurgeResult:
        check_namespace(op.namespace)
        if op.target == "":
            raise InvalidKeyError("an empty prefix would erase everything", hint="use drop() to delete a namespace")
        check_prefix(op.target)
        with self.exclusive():
            space = self.find(op.namespace)
            if space is None:
                return PurgeResult([], 0, [])
            spaces = self._reached_from(space)
            keys, versions = self.erase(spaces, op.target)
            ancestors = set()
            standing = []
            for reached in spaces:
                # What an ancestor outside still holds would come to light again: it is hidden, and named.
                current = self.find(reached.name) if reached.name else None
                if current is None:
                    continue
                standing.append(reached.name or "")
                draft = self.draft(op.namespace, current)
                for row in list(self.newest_rows(current.lineage, op.target, None, False)):
                    # What is not live may still have a version below those that were erased.
                    if purge_reaches(op.target, row.key) and (row.live(draft.now) or row.key in keys):
                        draft.hide(row.key)
                        keys.add(row.key)
                        ancestors |= {
                            level.space
                            for level in current.lineage[1:]
                            if self.newest_row((level,), row.key) is not None
                        }
                if draft.rows:
                    self.insert(current, draft.rows.values(), current.head + 1)
            names = {self.name_of(one) or f"(dropped, id {one})" for one in ancestors}
            self.forget_answers({one.name for one in spaces if one.name})
        if not self.grouping():
            self.after_purge()
        return PurgeResult(
            sorted(keys),
            versions,
            sorted(standing),
            sorted(names),
            [*self.NOT_PURGED],
        )

    def _reached_from(self, space: Space) -> list[Space]:
        """A space, its descendants, and those dropped ancestors whose rows nobody else needs."""
        reached = [space, *self.descendants(space)]
        for above in self.ancestors(space):
            ours = {one.id for one in reached}
            if above.name is not None or any(one.name and one.id not in ours for one in self.descendants(above)):
                break
            reached.append(above)
        return reached

    RUNNERS: ClassVar[dict[type, str]] = {
        p.Compare: "_compare",
        p.ListChanges: "_list_changes",
        p.Export: "_export",
        p.ExportAll: "_export_all",
        p.Import: "_import",
        p.Purge: "_purge",
    }


def _expiry_of(record: Record) -> int | None:
    """When a record expires, in microseconds since the epoch."""
    seconds = record.expires_at
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not -_END <= seconds <= _END:
        raise InvalidValueError(
            f"expires_at of {record.key!r}: {seconds!r} is no time", hint="use seconds since 1970, or None for never"
        )
    return round(seconds * 1_000_000)


def _side(namespace: str, at: int | None) -> str:
    return namespace if at is None else f"{namespace} at {at}"
