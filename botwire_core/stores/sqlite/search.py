"""Search in the embedded store: SQLite leaves out what cannot match, and Python decides about the rest.

A filter over 10,000 entries costs a fifth of what it does to decode each of them. What SQLite is asked is looser than
what a condition says, never stricter: numbers are compared with room for rounding, and whatever is out of the ordinary
is not asked at all. A row that it leaves out is not read, so damage to it is not noticed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import apsw

from botwire_core import protocol as p
from botwire_core.arguments import check_limit
from botwire_core.matching import compile_where
from botwire_core.names import check_prefix, end_of_prefix
from botwire_core.records import record
from botwire_core.results import Entry
from botwire_core.stores.rows import Row
from botwire_core.stores.sqlite.many import QuickMany
from botwire_core.stores.sqlite.rows import COLUMNS, row_from
from botwire_core.stores.sqlite.schema import ROW_BITS
from botwire_core.stores.sqlite.statements import sample_keys, search_level

__all__ = ["QuickSearch"]

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*", re.ASCII)
_ROUNDING: Final = 1e-12
"""How far apart two readings of one number may be, as a share of it."""
_WIDE: Final = 2.0**62
_MORE: Final = 16
"""Rows fetched beyond what is wanted, since some of them may not match after all."""
_SPARSE: Final = 8
"""One row in so many, and more, is wanted."""
_VERSIONS: Final = 3
"""Versions of a key, on the average, up to which it costs less to look at all of them."""

Test = tuple[str, tuple[str, ...], tuple[Any, ...]]
"""A condition that `search_level` knows, the places of the member, and what to compare with."""


@record
class _Range:
    """Where to search: the keys of a space from a prefix to its end, and how the rows are best come by."""

    space: int
    prefix: str
    end: str | None
    scan: bool


class QuickSearch(QuickMany):
    """`Search` without words, in a namespace that is no fork, as it stands now."""

    def _search(self, op: p.Search) -> list[Entry]:
        if op.words is not None or op.at is not None:
            return super()._search(op)
        limit, offset = check_limit(op.limit) or 0, check_limit(op.offset, "offset") or 0
        matches = compile_where(op.where)
        check_prefix(op.prefix)
        view = self.view(op.namespace, None)
        if len(view) != 1:
            return super()._search(op)
        place = self._range(view[0].space, op.prefix)
        try:
            if op.where is None:
                rows = self._search_newest(place, offset + limit)
                return [self._entry(op.namespace, row) for row in rows[offset : offset + limit]]
            possible = self._possible(place, op.where, offset + limit)
            found = (row for row in possible if matches(self._value(op.namespace, row)))
            return [self._entry(op.namespace, row) for row in islice(found, offset, offset + limit)]
        except apsw.SQLError:  # JSON that is damaged; the derived way says which
            return super()._search(op)

    def _range(self, space: int, prefix: str) -> _Range:
        end = end_of_prefix(prefix) if prefix else None
        # Rows are read in their own order in a tenth of the time, where most of them are wanted.
        enough = max(100, (self._last_row(space) - (space << ROW_BITS)) // _SPARSE)
        rows, keys = self.one(sample_keys(bool(prefix), end is not None), (space, prefix, end, enough))
        return _Range(space, prefix, end, rows == enough and rows < _VERSIONS * keys)

    def _search_newest(self, place: _Range, count: int) -> list[Row]:
        """At least so many of the newest rows, in their order; fewer where there are no more."""
        wanted = count + _MORE
        rows = [self._row(id) for id in self._ids(place, (), 0, wanted, exact=False)]
        if len(rows) == wanted:
            # Those of the last time may go on beyond what was fetched, and their keys are mixed.
            oldest = rows[-1].updated
            rows = [row for row in rows if row.updated > oldest]
            if len(rows) < count:
                return [self._row(id) for id in self._ids(place, (), 0, wanted)]
        return sorted(rows, key=lambda row: (-row.updated, row.key))

    def _possible(self, place: _Range, where: Mapping[str, Any], count: int) -> Iterator[Row]:
        """All rows that may match, in their order, by pages that grow."""
        tests = tuple(test for name, wanted in where.items() for test in _tests(name, wanted))
        start, size = 0, count + _MORE
        while True:
            ids = self._ids(place, tests, start, size)
            yield from map(self._row, ids)
            if len(ids) < size:
                return
            start, size = start + size, size * 16

    def _ids(self, place: _Range, tests: tuple[Test, ...], start: int, count: int, *, exact: bool = True) -> list[int]:
        kinds = tuple((kind, len(paths)) for kind, paths, _ in tests)
        bound = [value for _, paths, values in tests for value in (*paths, *values)]
        sql = search_level(bool(place.prefix), place.end is not None, kinds, place.scan, exact)
        found = self.every(sql, (place.space, place.prefix, place.end, self._now(), start, count, *bound))
        return [id for (id,) in found]

    def _row(self, id: int) -> Row:
        return row_from(self.one(f"SELECT {COLUMNS} FROM versions WHERE id = ?", (id,)))


def _tests(name: str, wanted: Any) -> Iterator[Test]:
    if not _PLAIN_NAME.fullmatch(name):
        return
    parts = name.split(".")
    # A member that has the whole name comes first; either may be there.
    paths = tuple(dict.fromkeys((f'$."{name}"', "$" + "".join(f'."{part}"' for part in parts))))
    if not isinstance(wanted, Mapping):
        wanted = {"$eq": wanted}
    for operator, argument in wanted.items():
        made = _test(operator, argument)
        if made is not None:
            yield made[0], paths, made[1]


def _test(operator: str, argument: Any) -> tuple[str, tuple[Any, ...]] | None:
    """What SQLite can be asked for a condition, and what to bind; None where it cannot."""
    if operator == "$eq" and argument is None:
        return "null", ()
    if operator == "$eq" and isinstance(argument, bool):
        return "equal", (int(argument),)
    if isinstance(argument, str) and argument.isprintable():
        kind = {"$eq": "equal", "$gt": "least", "$gte": "least", "$lt": "most", "$lte": "most"}.get(operator)
        return None if kind is None else (kind, (argument,))
    if isinstance(argument, int | float) and not isinstance(argument, bool) and abs(argument) < _WIDE:
        room = abs(argument) * _ROUNDING
        match operator:
            case "$eq":
                return "between", (argument - room, argument + room)
            case "$gt" | "$gte":
                return "least", (argument - room,)
            case "$lt" | "$lte":
                return "most", (argument + room,)
    return None
