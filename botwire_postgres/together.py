"""The sets of many clients in one round trip: what a server is asked at the same time, it asks the database at once.

One after the other, the way to the database and back would be waited for by each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from botwire_core import protocol as p
from botwire_core.errors import BotWireError
from botwire_core.names import check_key
from botwire_core.stores.rows import Row
from botwire_postgres.quick import QuickPaths
from botwire_postgres.statements import set_in_space

__all__ = ["SetsTogether"]


class SetsTogether(QuickPaths):
    """Sets in a group, sent without waiting for the answer to the one before."""

    SETS_TOGETHER: ClassVar[bool] = True

    def set_together(self, ops: Sequence[p.Set]) -> list[Row | None]:
        bound = [self._bound_to_set(op) for op in ops]
        made: list[Row | None] = [None] * len(ops)
        # Sets of one namespace have as many ancestors, so they keep their order.
        for ancestors in sorted({one[0] for one in bound if one is not None}):
            places = [place for place, one in enumerate(bound) if one is not None and one[0] == ancestors]
            values = [one[1] for one in bound if one is not None and one[0] == ancestors]
            found = self._database.every_of_many(set_in_space(ancestors), values)
            for place, rows in zip(places, found, strict=True):
                made[place] = self._made_by(ops[place], rows)
        for op, row in zip(ops, made, strict=True):
            if row is not None and row.version % self.PRUNE_EVERY == 0:
                self.prune_after(op, row.version)
        return made

    def _bound_to_set(self, op: p.Set) -> tuple[int, tuple[object, ...]] | None:
        """How many ancestors the namespace of an op has, and what its statement binds; None for the ordinary way."""
        known = self._known.get(op.namespace)
        if known is None or op.if_version is not None:
            return None
        try:
            check_key(op.key)
            self._check_payload(op.payload)
            bound = self.bound_to_set(op, known)
        except BotWireError:
            return None
        return None if bound is None else (known[2], bound)

    def _made_by(self, op: p.Set, found: list[tuple[int, int, int, int, int | None]]) -> Row | None:
        if not found:
            self._known.pop(op.namespace, None)
            return None
        version, revision, created, updated, ends = found[0]
        return Row(op.key, version, revision, op.payload.codec, b"", created, updated, ends, op.author)
