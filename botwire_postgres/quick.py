"""The ops that everybody waits for, each in as few statements as there can be.

They give what the derived ops give, and leave everything out of the ordinary to those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, cast

import psycopg
from psycopg import errors

from botwire_core import codec as values
from botwire_core import protocol as p
from botwire_core.arguments import check_limit
from botwire_core.codec import JSON, Value
from botwire_core.errors import BotWireError
from botwire_core.names import check_key, check_namespace, check_prefix
from botwire_core.results import Entry
from botwire_core.stores.base import expiry
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.rows import Row
from botwire_core.stores.sql.records import bounds
from botwire_core.stores.tally import counting
from botwire_postgres.looking_ahead import LooksAhead
from botwire_postgres.statements import COLUMNS, MAX_LEVELS, get_from_space, get_many_from_space, set_in_space

__all__ = ["VALUE", "Known", "QuickPaths"]

Known = tuple[int, int | None, int, tuple[int, ...]]
"""A namespace: its space, when it expires, how many ancestors it has, and what they bind."""

_KNOWN_KEPT = 20_000
VALUE = "codec, gone, value"


class QuickPaths(LooksAhead):
    """Get, set and get many, in one statement each."""

    _known: dict[str, Known]
    """By name. It may have gone to another space since: every statement checks that, and gives no row."""

    def _get(self, op: p.Get) -> Value | p.Missing:
        known = None if op.at is not None else self._known.get(op.namespace) or self._learn(op.namespace)
        if known is None:
            return super()._get(op)
        check_key(op.key)
        found = self._database.every(get_from_space(VALUE, known[2]), (known[0], op.namespace, op.key, *known[3]))
        if not found:
            self._known.pop(op.namespace, None)
            return super()._get(op)
        codec, gone, value = found[0]
        return self.standing_value(op, known, codec, gone, value)

    def standing_value(
        self, op: p.Get, known: Known, codec: int | None, gone: int | None, value: bytes
    ) -> Value | p.Missing:
        """The value in the columns that were found, if it stands."""
        if not codec:
            return p.MISSING
        if gone is not None or known[1] is not None:
            now = self._now()
            if (gone is not None and gone <= now) or (known[1] is not None and known[1] <= now):
                return p.MISSING
        return self._decoded(op.namespace, op.key, codec, value)

    def live_row(self, namespace: str, key: str, at: int | None) -> Row | None:
        known = None if at is not None else self._known.get(namespace) or self._learn(namespace)
        if known is not None:
            check_key(key)
            found = self._database.every(get_from_space(COLUMNS, known[2]), (known[0], namespace, key, *known[3]))
            if found:
                now = self._now()
                if found[0][0] is None or (known[1] is not None and known[1] <= now):
                    return None
                row = self.row_of(found[0])
                return row if row.live(now) else None
            self._known.pop(namespace, None)
        with self.consistent():
            return super().live_row(namespace, key, at)

    def _get_many(self, op: p.GetMany) -> dict[str, Value]:
        known = None if op.at is not None else self._known.get(op.namespace) or self._learn(op.namespace)
        keys = [check_key(key) for key in op.keys]
        if known is not None and keys:
            found = self._database.every(
                get_many_from_space(VALUE, known[2]), (known[0], op.namespace, keys, *known[3])
            )
            if found:
                return dict(self._decoded_many(op, known, found))
            self._known.pop(op.namespace, None)
        with self.consistent():
            return super()._get_many(op)

    def _decoded_many(self, op: p.GetMany, known: Known, found: list[Any]) -> Iterator[tuple[str, Value]]:
        now = self._now()
        if known[1] is not None and known[1] <= now:
            return
        for place, codec, gone, value in sorted(found):
            if codec and (gone is None or gone > now):
                key = op.keys[place - 1]
                yield key, self._decoded(op.namespace, key, codec, value)

    def _decoded(self, namespace: str, key: str, codec: int, value: bytes) -> Value:
        try:
            return values.loads(value) if codec == JSON else values.decode(codec, value)
        except ValueError as error:
            raise self._damaged(namespace, key) from error

    def _list_keys(self, op: p.ListKeys) -> list[str]:
        if op.at is not None or op.limit is None:
            with self.consistent():
                return super()._list_keys(op)
        limit = check_limit(op.limit) or 0
        found = self._page("key, gone", op, False, limit)
        if found is None:
            with self.consistent():
                return super()._list_keys(op)
        return [columns[0] for columns in found]

    def _list_entries(self, op: p.ListEntries) -> list[Entry]:
        found = None
        if op.at is None and op.limit is not None:
            found = self._page(COLUMNS, op, op.reverse, check_limit(op.limit) or 0)
        if found is None:
            with self.consistent():
                return super()._list_entries(op)
        return [self._entry(op.namespace, self.row_of(columns)) for columns in found]

    def _page(self, columns: str, op: p.ListKeys | p.ListEntries, reverse: bool, limit: int) -> list[Any] | None:
        """The live rows of a page, if one statement has them all; None where it takes more."""
        check_prefix(op.prefix)
        after = None if op.after is None else check_prefix(op.after)
        view = self.view(op.namespace, None)
        if len(view) != 1 or not 0 < limit <= 1000:
            return None
        found = self.level_page(columns, view[0], op.prefix, after, reverse, limit, named=True)
        place = columns.split(", ").index("gone")
        now = self._now()
        live = [one for one in found if one[place] is None or one[place] > now]
        return live if len(live) == len(found) or len(found) < limit else None

    def _learn(self, namespace: str) -> Known | None:
        """How to reach a namespace; None where it is not there, or deeper than one statement can look."""
        run = self._database.current()
        space = (super().find if run is None or not run.writes else self.find)(check_namespace(namespace))
        if space is None or len(space.lineage) > MAX_LEVELS:
            return None
        if len(self._known) > _KNOWN_KEPT:
            self._known.clear()
        known = space.id, space.expires, len(space.lineage) - 1, bounds(space.lineage[1:])
        self._known[namespace] = known
        return known

    def _set(self, op: p.Set) -> int:
        check_key(op.key)
        self._check_payload(op.payload)
        tally = counting.get()
        known = self._known.get(op.namespace) or self._learn(op.namespace)
        if known is None or op.if_version is not None or (tally is not None and tally.kept_until is not None):
            return cast(int, self._write_op(op))
        bound = self.bound_to_set(op, known)
        if bound is None:
            return cast(int, self._write_op(op))
        try:
            found = self._database.write_alone(set_in_space(known[2]), bound)
        except errors.UniqueViolation:
            run = self._database.current()
            if run is None or run.link is not None:
                raise
            return cast(int, self._write_op(op))  # somebody else was quicker, and has to be waited for
        if not found:
            self._known.pop(op.namespace, None)
            return cast(int, self._write_op(op))
        version, revision, created, updated, expires = found[0]
        run = self._database.current()
        if run is not None:
            run.written = Row(op.key, version, revision, op.payload.codec, b"", created, updated, expires, op.author)
        if tally is not None:
            tally.writes += 1
        if version % self.PRUNE_EVERY == 0:
            self.prune_after(op, version)
        return cast(int, version)

    def bound_to_set(self, op: p.Set, known: Known) -> tuple[Any, ...] | None:
        """What `set_in_space` binds for a set in a namespace; None where that has expired."""
        now = self._now()
        if known[1] is not None and known[1] <= now:
            return None
        ends = None if op.ttl is None else expiry(now, op.ttl)
        return (known[0], op.namespace, op.key, op.payload.codec, ends, now, op.author, op.payload.data, *known[3])

    def prune_after(self, op: p.Set, version: int) -> None:
        """Let go of old versions of a key, now that it has come to this one; another time, if that cannot be now."""
        try:
            with self.exclusive():
                space = self.find(op.namespace)
                if space is not None:
                    self.prune(space, op.key, version)
        except (psycopg.Error, BotWireError):
            if self.grouping():
                raise  # it has undone the set too

    CONSISTENT: ClassVar[frozenset[type]] = HistoryStoreBase.CONSISTENT - {
        p.GetEntry,
        p.GetMany,
        p.ListKeys,
        p.ListEntries,
    }
    RUNNERS: ClassVar[dict[type, str]] = {**HistoryStoreBase.RUNNERS, p.Set: "_set", p.SetMany: "_write_op"}
