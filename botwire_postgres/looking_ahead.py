"""Writes of many keys, which look at all of them in one statement before they begin, not at one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botwire_core import protocol as p
from botwire_core.errors import InvalidKeyError
from botwire_core.names import check_key
from botwire_core.stores.draft import Draft
from botwire_core.stores.rows import Row
from botwire_core.stores.spaces import Space
from botwire_core.stores.sql.records import bounds
from botwire_postgres.retention import Sweeper
from botwire_postgres.statements import COLUMNS, MAX_LEVELS, get_many_from_space

__all__ = ["LooksAhead"]

_AT_ONCE: Final = 1000
"""Keys looked at in one statement."""


class LooksAhead(Sweeper):
    """The derived writes, but that the rows which they will ask for are there already."""

    def _write_op(self, op: Any) -> Any:
        keys: tuple[str, ...] = ()
        if type(op) is p.SetMany:
            keys = tuple(key for key, _ in op.items)
        elif type(op) is p.DeleteMany:
            keys = op.keys
        with self._wanting(keys):
            return super()._write_op(op)

    def _transact(self, op: p.Transact) -> list[Any]:
        at_keys = p.Set | p.Delete | p.Increment | p.Expire | p.Check
        with self._wanting(tuple(step.key for step in op.steps if isinstance(step, at_keys))):
            return super()._transact(op)

    @contextmanager
    def _wanting(self, keys: tuple[str, ...]) -> Iterator[None]:
        run = self._database.current()
        if run is None or len(keys) < 2:
            yield
            return
        before, run.wanted = run.wanted, keys
        try:
            yield
        finally:
            run.wanted = before

    def draft(self, namespace: str, space: Space | None) -> Draft:
        draft = super().draft(namespace, space)
        run = self._database.current()
        if run is not None and run.wanted and space is not None and len(space.lineage) <= MAX_LEVELS:
            one_by_one = draft.read
            found = self._newest_of(space, run.wanted)
            draft.read = lambda namespace, key: found[key] if key in found else one_by_one(namespace, key)
        return draft

    def _newest_of(self, space: Space, wanted: tuple[str, ...]) -> dict[str, Row | None]:
        """The newest row of each of some keys in a space and its ancestors; without those that can be no key."""
        keys = [key for key in dict.fromkeys(wanted) if _is_key(key)]
        ancestors = space.lineage[1:]
        sql = get_many_from_space(COLUMNS, len(ancestors))
        found: dict[str, Row | None] = {}
        for start in range(0, len(keys), _AT_ONCE):
            page = keys[start : start + _AT_ONCE]
            for place, *columns in self.every(sql, (space.id, space.name, page, *bounds(ancestors))):
                found[page[place - 1]] = None if columns[0] is None else self.row_of(tuple(columns))
        return found


def _is_key(key: str) -> bool:
    try:
        check_key(key)  # what is none is refused where it is used, in its turn
    except InvalidKeyError:
        return False
    return True
