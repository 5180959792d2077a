"""Several writes that are done together or not at all."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from botwire_core.building import OpBuilder
from botwire_core.codec import Value
from botwire_core.errors import InvalidValueError
from botwire_core.protocol import Step, Transact
from botwire_core.scopes.store import ScopedStore
from botwire_core.store import Store

__all__ = ["Transaction"]


class Transaction:
    """Collects writes and sends them as one op when its block ends; an exception in the block sends nothing.

    Each method checks its arguments at once, like the one of `Memory` with the same name, and gives the position
    of its result in `results`. Nothing can be read inside: `check` says what must still hold at the end. Steps are
    done in order and see what earlier ones did; together they are one revision. A transaction without steps does
    nothing, and one that has ended cannot be used again.
    """

    __slots__ = ("_here", "_ops", "_results", "_state", "_steps", "_store")

    _here: Store
    """The store in the scope in which the block began."""

    def __init__(self, store: ScopedStore, ops: OpBuilder) -> None:
        self._store = store
        self._ops = ops
        self._steps: list[Step] = []
        self._results: list[Any] | None = None
        self._state = "new"

    @property
    def results(self) -> list[Any]:
        """What each step gave, in their order: a version, a bool, keys, a number, or None for `check`.

        Raises:
            InvalidValueError: it has not been committed.
        """
        if self._results is None:
            raise InvalidValueError(
                "this transaction has no results: it was not committed", hint="read them after its block has ended well"
            )
        return self._results

    def set(self, key: str, value: Value, *, ttl: float | None = None, if_version: int | None = None) -> int:
        """Write a value; its result is the new version."""
        return self._add(self._ops.set(key, value, ttl, if_version))

    def delete(self, key: str, *, if_version: int | None = None) -> int:
        """Delete a key; its result is whether it existed."""
        return self._add(self._ops.delete(key, if_version))

    def append(self, log: str, *values: Value, ttl: float | None = None) -> int:
        """Add values to a log; its result are the keys of the new rows."""
        return self._add(self._ops.append(log, values, ttl))

    def increment(self, key: str, by: int | float = 1) -> int:
        """Add to a number; its result is the new number."""
        return self._add(self._ops.increment(key, by))

    def expire(self, key: str, ttl: float | None) -> int:
        """Let a key expire `ttl` seconds after the commit, or never with None; its result is whether it existed."""
        return self._add(self._ops.expire(key, ttl))

    def check(self, key: str, version: int) -> int:
        """Do nothing of the transaction unless the key is at this version, 0 for absent; its result is None.

        Where it is not, the end of the block raises `ConflictError`. It is judged where it stands among the steps.
        """
        return self._add(self._ops.check(key, version))

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end(error)
        if op is not None:
            self._results = self._here.run(op)

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end(error)
        if op is not None:
            self._results = await self._here.arun(op)

    def _add(self, step: Step) -> int:
        if self._state != "open":
            raise InvalidValueError(
                f"this transaction {'has not begun' if self._state == 'new' else 'is over'}",
                hint="write `with memory.transaction() as tx:` and use tx inside",
            )
        self._steps.append(step)
        return len(self._steps) - 1

    def _begin(self) -> None:
        if self._state != "new":
            raise InvalidValueError("a transaction can be entered once", hint="call memory.transaction() again")
        # `target` refuses a moment in the past at once, not at the first step.
        self._here = self._store.here(self._ops.target)
        self._state = "open"

    def _end(self, error: BaseException | None) -> Transact | None:
        self._state = "over"
        if error is not None:
            return None
        if not self._steps:
            self._results = []
            return None
        return Transact(self._ops.target, tuple(self._steps))
