"""The ops that everybody waits for, each in as few steps as SQLite allows.

They give what the derived ops give, and leave everything out of the ordinary to those.
"""

from __future__ import annotations

from struct import error as struct_error
from typing import Any, ClassVar, cast

import apsw

from botwire_core import codec as values
from botwire_core import protocol as p
from botwire_core.arguments import check_limit
from botwire_core.clock import from_microseconds
from botwire_core.codec import JSON, Value
from botwire_core.errors import BotWireError
from botwire_core.names import check_key, check_namespace, check_prefix
from botwire_core.results import Entry
from botwire_core.stores.base import expiry
from botwire_core.stores.rows import Row
from botwire_core.stores.sql.records import bounds, damaged
from botwire_core.stores.sqlite.retention import Retainer
from botwire_core.stores.sqlite.rows import INSERT, checksum, outer_checksum
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.statements import (
    MAX_LEVELS,
    get_entry_in_space,
    get_in_space,
    state_of_space,
)
from botwire_core.stores.tally import counting

__all__ = ["VERSION", "QuickPaths"]

VERSION = 4
"""The place of the version among the columns of a row to set."""
_UNKNOWN = object()


class QuickPaths(Retainer):
    """Get, set and list, by hand."""

    _gets: dict[str, tuple[int, int | None, str, str, tuple[int, ...]]]
    """By namespace: its space, its expiry, the statements to get from it and to set in it, and what they bind.

    A name may have gone to another space since. Every statement checks that, and gives no row.
    """

    group_of: apsw.Connection | None = None
    """The connection that commits many writes as one, while it does."""

    def sweep_is_due(self) -> bool:
        """Whether the next write should take along some of what nobody can see any more."""
        raise NotImplementedError

    def commit_fault(self, error: apsw.Error) -> BotWireError:
        """What an error means for a commit that it came from."""
        raise NotImplementedError

    def _get(self, op: p.Get) -> Value | p.Missing:
        if op.at is not None:
            return super()._get(op)
        namespace, key = op.namespace, op.key
        known = self._gets.get(namespace) or self._learn(namespace)
        if known is None:
            return super()._get(op)
        try:
            raw = key.encode()
        except (UnicodeEncodeError, AttributeError):
            check_key(key)
            raise
        found = self._connections.point()(known[2], (known[0], key, namespace, *known[4])).get
        if found is None:
            self._gets.pop(namespace, None)  # unless another thread saw it first
            return super()._get(op)
        space, revision, codec, gone, inner, data = found
        if not codec:  # no row, or a tombstone
            check_key(key)
            return p.MISSING
        try:
            intact = checksum(space, raw, revision, codec, gone, data) == inner
        except TypeError:  # a flipped bit can make a column of another type
            intact = False
        if not intact:
            raise self._damaged(namespace, key)
        if gone is not None and gone <= self._now():
            return p.MISSING
        if known[1] is not None and known[1] <= self._now():
            return p.MISSING
        try:
            return values.loads(data) if codec == JSON else values.decode(codec, data)
        except ValueError as error:
            raise self._damaged(namespace, key) from error

    def _get_entry(self, op: p.GetEntry) -> Entry | None:
        row = self._standing(op.namespace, op.key, op.at)
        if row is None:
            return None
        if row is _UNKNOWN:
            with self.consistent():
                return super()._get_entry(op)
        assert isinstance(row, Row)
        try:
            value = values.loads(row.data) if row.codec == JSON else values.decode(row.codec, row.data)
        except ValueError as error:
            raise self._damaged(op.namespace, op.key) from error
        made = from_microseconds(row.created)
        changed = made if row.updated == row.created else from_microseconds(row.updated)
        expires = None if row.expires is None else from_microseconds(row.expires)
        return Entry(row.key, value, row.version, row.revision, made, changed, expires, row.author)

    def live_row(self, namespace: str, key: str, at: int | None) -> Row | None:
        row = self._standing(namespace, key, at)
        if row is _UNKNOWN:
            return super().live_row(namespace, key, at)
        assert row is None or isinstance(row, Row)
        return row

    def _standing(self, namespace: str, key: str, at: int | None) -> object:
        """The row that stands at a key, None where there is none, or `_UNKNOWN` where the derived way has to tell."""
        known = None if at is not None else self._gets.get(namespace) or self._learn(namespace)
        if known is None:
            return _UNKNOWN
        try:
            raw = key.encode()
        except (UnicodeEncodeError, AttributeError):
            check_key(key)
            raise
        ancestors = len(known[4]) // 2
        found = self._connections.point()(get_entry_in_space(ancestors), (known[0], key, namespace, *known[4])).get
        if found is None:
            self._gets.pop(namespace, None)
            return _UNKNOWN
        space, revision, codec, gone, inner, data, id, version, created, updated, author, outer = found
        if not codec:
            check_key(key)
            return None
        try:
            intact = checksum(space, raw, revision, codec, gone, data) == inner and (
                outer_checksum(id, version, created, updated, author) == outer
            )
        except (AttributeError, TypeError, struct_error):  # a flipped bit can make a column of another type
            intact = False
        if not intact:
            raise self._damaged(namespace, key)
        if gone is not None or known[1] is not None:
            now = self._now()
            if (gone is not None and gone <= now) or (known[1] is not None and known[1] <= now):
                return None
        return Row(key, version, revision, codec, data, created, updated, gone, author)

    def _learn(self, namespace: str) -> tuple[int, int | None, str, str, tuple[int, ...]] | None:
        """How to reach a namespace; None where it is not there, or deeper than one statement can look."""
        space = self.find(check_namespace(namespace))
        if space is None or len(space.lineage) > MAX_LEVELS:
            return None
        if len(self._gets) > 20_000:
            self._gets.clear()
        ancestors = len(space.lineage) - 1
        known = (
            space.id,
            space.expires,
            get_in_space(ancestors),
            state_of_space(ancestors),
            bounds(space.lineage[1:]),
        )
        self._gets[namespace] = known
        return known

    def _set(self, op: p.Set) -> int:
        """One statement that looks and one that writes, under the lock of all writers.

        A writer that does not know our lock would collide at the row id, and the op is run in the derived way.
        """
        namespace, key = op.namespace, op.key
        check_key(key)
        self._check_payload(op.payload)
        known = self._gets.get(namespace) or self._learn(namespace)
        if known is None or op.if_version is not None:
            return cast(int, self._write_op(op))
        connection = self._connections.current()
        if connection is self.group_of:
            tally = counting.get()
            written = None
            if tally is None or tally.kept_until is None:
                written = self._set_known(connection, op, known)
                if tally is not None and written is not None:
                    tally.writes += 1
        elif self.sweep_is_due():
            written = None
        else:
            lock = self._connections.lock
            lock.acquire(connection.in_transaction)
            try:
                written = self._set_known(connection, op, known)
            finally:
                lock.release()
        return cast(int, self._write_op(op)) if written is None else written

    def _set_known(
        self, connection: apsw.Connection, op: p.Set, known: tuple[int, int | None, str, str, tuple[int, ...]]
    ) -> int | None:
        """Set in a known namespace, under the lock; None where it takes the derived way."""
        now = self._now()
        expires = None if op.ttl is None else expiry(now, op.ttl)
        if known[1] is not None and known[1] <= now:
            return None
        found = self._connections.point()(known[3], (known[0], op.key, op.namespace, *known[4])).get
        return None if found is None else self._set_row(connection, op, known[0], found, now, expires)

    def _set_row(
        self, connection: apsw.Connection, op: p.Set, id: int, found: tuple[Any, ...], now: int, expires: int | None
    ) -> int | None:
        made = self.row_to_set(op, id, found, now, expires)
        if made is None:
            return None
        try:
            connection.execute(INSERT, made)
        except apsw.ConstraintError:
            return None
        except apsw.IOError as error:
            if connection is self.group_of:
                raise
            # The statement is its own commit.
            raise self.commit_fault(error) from error
        return cast(int, made[VERSION])

    @staticmethod
    def row_to_set(op: p.Set, id: int, found: tuple[Any, ...], now: int, expires: int | None) -> tuple[Any, ...] | None:
        """The columns of the row for a set, where `found` is the state of its space; None where it is no plain set."""
        floor, last_id, head, last_time, space, previous, version, codec, gone, created = found
        written = max(now, last_time)
        if version is None:
            version, previous, created = floor + 1, 0, written
        else:
            version += 1
            if not codec or (gone is not None and gone <= now):
                created = written
            if space != id:  # inherited: here it is the first row of its key
                previous = 0
            if version % QuickPaths.PRUNE_EVERY == 0:
                return None
        row = last_id + 1
        if row >> ROW_BITS != id:  # the space is full, which the derived way tells
            return None
        revision = head + 1
        data = op.payload.data
        inner = checksum(id, op.key.encode(), revision, op.payload.codec, expires, data)
        outer = outer_checksum(row, version, created, written, op.author)
        return (
            *(row, id, op.key, revision, version, op.payload.codec, expires, inner),
            *(created, written, op.author, outer, data, previous),
        )

    def _list_keys(self, op: p.ListKeys) -> list[str]:
        if op.at is not None:
            return super()._list_keys(op)
        limit = check_limit(op.limit)
        check_prefix(op.prefix)
        after = None if op.after is None else check_prefix(op.after)
        view = self.view(op.namespace, None)
        if not view or limit == 0:
            return []
        now = self._now()
        page = 1000 if limit is None else min(limit, 1000)
        keys: list[str] = []
        try:
            if len(view) > 1:
                for key, gone in self.newest_columns("key, gone", _first, view, op.prefix, after, False, page):
                    if gone is None or gone > now:
                        keys.append(key)
                        if len(keys) == limit:
                            break
                return keys
            while True:
                found = self.level_page("key, gone", view[0], op.prefix, after, False, page)
                keys += [key for key, gone in found if gone is None or gone > now]
                if len(found) < page or (limit is not None and len(keys) >= limit):
                    return keys[:limit]
                after, page = found[-1][0], 1000  # much has expired: one by one would take long
        except TypeError as error:
            raise damaged(f"the index of {op.namespace!r}") from error

    RUNNERS: ClassVar[dict[type, str]] = {**Retainer.RUNNERS, p.Set: "_set"}


def _first(columns: tuple[Any, ...]) -> str:
    return cast(str, columns[0])
