"""The ops on many keys that everybody waits for, each key in as few steps as SQLite allows.

They give what the derived ops give, and leave everything out of the ordinary to those.
"""

from __future__ import annotations

from typing import Any, ClassVar

import apsw

from botwire_core import codec as values
from botwire_core import protocol as p
from botwire_core.arguments import check_limit, check_version
from botwire_core.codec import JSON, Value
from botwire_core.names import check_key, check_prefix
from botwire_core.results import Entry
from botwire_core.stores.base import expiry
from botwire_core.stores.sqlite.quick import VERSION, QuickPaths
from botwire_core.stores.sqlite.rows import COLUMNS, INSERT, checksum, row_from
from botwire_core.stores.tally import counting

__all__ = ["QuickMany"]

_PAGE = 256
_SMALLEST_PAGE = 8

Known = tuple[int, int | None, str, str, tuple[int, ...]]
"""What `QuickPaths` knows of a namespace."""


class _OutOfTheOrdinary(Exception):
    """Nothing is written, and the derived way sees to it."""


class QuickMany(QuickPaths):
    """Get many, list entries, and write many, by hand."""

    def _get_many(self, op: p.GetMany) -> dict[str, Value]:
        known = None if op.at is not None else self._gets.get(op.namespace) or self._learn(op.namespace)
        if known is None:
            return super()._get_many(op)
        point, now = self._connections.point(), self._now()
        if known[1] is not None and known[1] <= now:
            return super()._get_many(op)
        found: dict[str, Value] = {}
        for key in op.keys:
            raw = check_key(key).encode()
            columns = point(known[2], (known[0], key, op.namespace, *known[4])).get
            if columns is None:
                self._gets.pop(op.namespace, None)
                return super()._get_many(op)
            space, revision, codec, gone, inner, data = columns
            if not codec:
                continue
            try:
                if checksum(space, raw, revision, codec, gone, data) != inner:
                    raise self._damaged(op.namespace, key)
                if gone is None or gone > now:
                    found[key] = values.loads(data) if codec == JSON else values.decode(codec, data)
            except (TypeError, ValueError) as error:
                raise self._damaged(op.namespace, key) from error
        return found

    def _list_entries(self, op: p.ListEntries) -> list[Entry]:
        if op.at is not None:
            return super()._list_entries(op)
        limit = check_limit(op.limit)
        check_prefix(op.prefix)
        after = None if op.after is None else check_prefix(op.after)
        view = self.view(op.namespace, None)
        if not view or limit == 0:
            return []
        now = self._now()
        entries: list[Entry] = []
        # A page for each entry would take long where much was deleted; a long one, where only the last is wanted.
        page = _PAGE if limit is None else min(max(limit, _SMALLEST_PAGE), _PAGE)
        if len(view) > 1:
            for columns in self.newest_columns(COLUMNS, _key, view, op.prefix, after, op.reverse, page):
                row = row_from(columns)
                if row.live(now):
                    entries.append(self._entry(op.namespace, row))
                    if len(entries) == limit:
                        break
            return entries
        while True:
            found = self.level_page(COLUMNS, view[0], op.prefix, after, op.reverse, page)
            for columns in found:
                row = row_from(columns)
                if row.live(now):
                    entries.append(self._entry(op.namespace, row))
                    if len(entries) == limit:
                        return entries
            if len(found) < page:
                return entries
            after, page = _key(found[-1]), _PAGE

    def _transact(self, op: p.Transact) -> list[Any]:
        written = self._write_sets(op.namespace, op.steps)
        return super()._transact(op) if written is None else written

    def _set_many(self, op: p.SetMany) -> dict[str, int]:
        sets = tuple(p.Set(op.namespace, key, payload, op.ttl, None, op.author) for key, payload in op.items)
        written = self._write_sets(op.namespace, sets)
        if written is None:
            made: dict[str, int] = self._write_op(op)
            return made
        return {one.key: version for one, version in zip(sets, written, strict=True)}

    def _write_sets(self, namespace: str, steps: tuple[p.Step, ...]) -> list[Any] | None:
        """Write sets under the lock, as one revision; None, and nothing is written, where it takes the derived way."""
        plain = tuple(step for step in steps if isinstance(step, p.Set | p.Check))
        # A key twice, or another step, would need to see what an earlier one did.
        if len({check_key(step.key) for step in plain}) != len(steps) or len(steps) < 2 or counting.get() is not None:
            return None
        known = self._gets.get(namespace) or self._learn(namespace)
        if known is None:
            return None
        for step in plain:
            if step.namespace != namespace:
                return None
            if type(step) is p.Set:
                self._check_payload(step.payload)
                check_version(step.if_version)
        try:
            with self.exclusive():
                return self._write_known(known, namespace, plain)
        except (_OutOfTheOrdinary, apsw.ConstraintError):
            return None

    def _write_known(self, known: Known, namespace: str, steps: tuple[p.Set | p.Check, ...]) -> list[Any]:
        now = self._now()
        if known[1] is not None and known[1] <= now:
            raise _OutOfTheOrdinary
        point, execute = self._connections.point(), self._connections.current().execute
        head: int | None = None
        results: list[Any] = []
        for step in steps:
            found = point(known[3], (known[0], step.key, namespace, *known[4])).get
            if found is None:
                raise _OutOfTheOrdinary
            wanted = step.version if isinstance(step, p.Check) else step.if_version
            if wanted is not None:
                version, codec, gone = found[6:9]
                stands = version if codec and (gone is None or gone > now) else 0
                if stands != wanted:
                    raise _OutOfTheOrdinary
            if not isinstance(step, p.Set):
                results.append(None)
                continue
            head = found[2] if head is None else head
            state = (*found[:2], head, *found[3:])  # all are rows of one revision
            made = self.row_to_set(step, known[0], state, now, None if step.ttl is None else expiry(now, step.ttl))
            if made is None:
                raise _OutOfTheOrdinary
            execute(INSERT, made)
            results.append(made[VERSION])
        return results

    RUNNERS: ClassVar[dict[type, str]] = {**QuickPaths.RUNNERS, p.SetMany: "_set_many"}


def _key(columns: tuple[Any, ...]) -> str:
    return str(columns[2])
