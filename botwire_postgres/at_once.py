"""Get and set, each in one statement that libpq sends as it is.

They give what the ordinary ways give, and leave everything out of the ordinary to those.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.pq.abc import PGresult

from botwire_core import protocol as p
from botwire_core.errors import BotWireError
from botwire_core.names import check_key
from botwire_core.service import GetRow
from botwire_postgres.asking import BYTES, INTEGER, TEXT, ask, ask_beside_loop, in_binary, unpacked
from botwire_postgres.faults import fault, is_lost
from botwire_postgres.quick import VALUE, Known, QuickPaths
from botwire_postgres.statements import COLUMNS, get_from_space, set_in_space

__all__ = ["AT_ONCE", "BESIDE_LOOP", "UNDONE", "OpsAtOnce"]

UNDONE: Final = object()
"""Nothing was done: the op takes the ordinary way."""

_NAMES: Final = COLUMNS.split(", ")
_TEXTS: Final = frozenset({"key", "author"})


class OpsAtOnce(QuickPaths):
    """The two ops that everybody waits for."""

    def get_at_once(self, op: p.Get) -> object:
        """The value of a get, or `UNDONE`."""
        known = self._known.get(op.namespace)
        if known is None or op.at is not None:
            return UNDONE
        key = check_key(op.key)
        database = self._database
        statement = database.as_it_is(get_from_space(VALUE, known[2]))
        bound = in_binary((known[0], op.namespace, key, *known[3]))
        taken = database.take_at_once()
        if taken is None:
            return UNDONE
        colour, link = taken
        try:
            found = ask(link, statement, bound, _types_of_get(known[2]))
        except psycopg.Error as error:
            if isinstance(error, errors.QueryCanceled) or link.stopped_at is not None:
                raise fault(error, database.place) from error
            return UNDONE
        finally:
            database.give_back(colour, link)
        return self._got(op, known, found)

    async def read_beside_loop(self, op: Any) -> object:
        """What a look at one key gives from an event loop, or `UNDONE`."""
        known = self._known.get(op.namespace)
        if known is None or getattr(op, "at", None) is not None:
            return UNDONE
        key = check_key(op.key)
        database = self._database
        of_value = type(op) is p.Get
        statement = database.as_it_is(get_from_space(VALUE if of_value else COLUMNS, known[2]))
        bound = in_binary((known[0], op.namespace, key, *known[3]))
        taken = database.take_beside_loop()
        if taken is None:
            return UNDONE
        colour, link = taken
        try:
            found = await ask_beside_loop(link, statement, bound, _types_of_get(known[2]))
        except psycopg.Error as error:
            if isinstance(error, errors.QueryCanceled) or link.stopped_at is not None:
                raise fault(error, database.place) from error
            return UNDONE
        finally:
            await database.give_back_beside_loop(colour, link)
        return self._got(op, known, found) if of_value else self._got_row(op, known, found)

    def _got(self, op: p.Get, known: Known, found: PGresult) -> object:
        if not found.ntuples:
            self._known.pop(op.namespace, None)
            return UNDONE
        codec, gone, value = found.get_value(0, 0), found.get_value(0, 1), found.get_value(0, 2)
        return self.standing_value(op, known, _unpacked(codec), _unpacked(gone), value or b"")

    def _got_row(self, op: GetRow, known: Known, found: PGresult) -> object:
        if not found.ntuples:
            self._known.pop(op.namespace, None)
            return UNDONE
        now = self._now()
        columns = [found.get_value(0, column) for column in range(found.nfields)]
        if columns[0] is None or (known[1] is not None and known[1] <= now):
            return None
        row = self.row_of(
            tuple(
                column if name == "value" else column and column.decode() if name in _TEXTS else _unpacked(column)
                for name, column in zip(_NAMES, columns, strict=True)
            )
        )
        return row if row.live(now) else None

    def set_at_once(self, op: p.Set) -> object:
        """The version that a set wrote, or `UNDONE`."""
        asked = self._asked_to_set(op)
        taken = None if asked is None else self._database.take_at_once()
        if asked is None or taken is None:
            return UNDONE
        colour, link = taken
        try:
            found = ask(link, *asked)
            self._database.check_replicated(link)
        except psycopg.Error as error:
            return self._not_set(error)
        finally:
            self._database.give_back(colour, link)
        version = self._version_set(op, found)
        if version is not None and version % self.PRUNE_EVERY == 0:
            with suppress(BotWireError):  # the set is done, and a later one comes to the same
                self._database.run(lambda _: self.prune_after(op, version), None)
        return UNDONE if version is None else version

    async def set_beside_loop(self, op: p.Set) -> object:
        """Async twin of `set_at_once`."""
        asked = self._asked_to_set(op)
        taken = None if asked is None else self._database.take_beside_loop()
        if asked is None or taken is None:
            return UNDONE
        colour, link = taken
        try:
            found = await ask_beside_loop(link, *asked)
            self._database.check_replicated(link)
        except psycopg.Error as error:
            return self._not_set(error)
        finally:
            await self._database.give_back_beside_loop(colour, link)
        version = self._version_set(op, found)
        if version is not None and version % self.PRUNE_EVERY == 0:
            with suppress(BotWireError):
                await self._database.arun(lambda _: self.prune_after(op, version), None)
        return UNDONE if version is None else version

    def _asked_to_set(self, op: p.Set) -> tuple[str, list[bytes | None], list[int]] | None:
        """The statement that sets, what it binds, and the types of that; None where it takes the ordinary way."""
        known = self._known.get(op.namespace)
        if known is None or op.if_version is not None or time.monotonic() >= self.next_sweep:
            return None
        check_key(op.key)
        self._check_payload(op.payload)
        bound = self.bound_to_set(op, known)
        if bound is None:
            return None
        return self._database.as_it_is(set_in_space(known[2])), in_binary(bound), _types_of_set(known[2])

    def _not_set(self, error: psycopg.Error) -> object:
        if isinstance(error, errors.QueryCanceled):
            raise fault(error, self._database.place) from error
        if is_lost(error):
            raise self._database.cut_off() from error
        return UNDONE  # the server said that it is undone

    def _version_set(self, op: p.Set, found: PGresult) -> int | None:
        if not found.ntuples:
            self._known.pop(op.namespace, None)
            return None
        return unpacked(found.get_value(0, 0) or b"")


def _unpacked(column: bytes | None) -> int | None:
    return None if column is None else unpacked(column)


@lru_cache
def _types_of_get(ancestors: int) -> list[int]:
    return [INTEGER, TEXT, TEXT, *[INTEGER] * (2 * ancestors)]


@lru_cache
def _types_of_set(ancestors: int) -> list[int]:
    return [INTEGER, TEXT, TEXT, INTEGER, INTEGER, INTEGER, TEXT, BYTES, *[INTEGER] * (2 * ancestors)]


BESIDE_LOOP: Final = frozenset({p.Get, GetRow})
"""What `read_beside_loop` is for."""
AT_ONCE: Final[dict[type, Callable[[Any, Any], object]]] = {
    p.Get: OpsAtOnce.get_at_once,
    p.Set: OpsAtOnce.set_at_once,
}
