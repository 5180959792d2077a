"""The part of `Memory` that changes what stands without reading it first: logs, counters, expiry, transactions."""

from __future__ import annotations

from botwire_core.arguments import check_limit
from botwire_core.codec import Value
from botwire_core.memory_handle import MemoryHandle
from botwire_core.names import check_key, check_log
from botwire_core.protocol import ReadLog, TimeLeft
from botwire_core.transaction import Transaction

__all__ = ["UpdateMethods"]


class UpdateMethods(MemoryHandle):
    """Logs, counters, expiry and transactions, safe from many writers."""

    __slots__ = ()

    def append(self, log: str, *values: Value, ttl: float | None = None) -> list[str]:
        """Add values to the end of a log in one transaction and give the keys of the new rows.

        The cost does not grow with the log, and no writer ever loses what another appends. A row is an entry like
        any other; its key is the log, a slash and 19 digits that rise in the order of the commits.

        Args:
            log: Name of the log: a key of at most 1,004 bytes.
            values: What to add, oldest first.
            ttl: Seconds until these rows are gone; None keeps them.

        >>> memory.append("chat", {"role": "user", "text": "hi"})
        ['chat/0000000000000000000']
        """
        return self.store.run(self._ops.append(log, values, ttl))

    async def aappend(self, log: str, *values: Value, ttl: float | None = None) -> list[str]:
        """Async twin of `append`."""
        return await self.store.arun(self._ops.append(log, values, ttl))

    def read(self, log: str, *, last: int | None = None) -> list[Value]:
        """Give the values of a log, oldest first; with `last` only the newest so many.

        >>> _ = memory.append("chat", "one", "two", "three")
        >>> memory.read("chat", last=2)
        ['two', 'three']
        """
        return self.store.run(ReadLog(self.namespace, check_log(log), check_limit(last, "last"), self.as_of))

    async def aread(self, log: str, *, last: int | None = None) -> list[Value]:
        """Async twin of `read`."""
        return await self.store.arun(ReadLog(self.namespace, check_log(log), check_limit(last, "last"), self.as_of))

    def increment(self, key: str, by: int | float = 1) -> int | float:
        """Add to a number and give the new one; an absent key counts as 0, an expiry is kept.

        Raises:
            InvalidValueError: what stands there is no number.

        >>> memory.increment("visits"), memory.increment("visits", 2)
        (1, 3)
        """
        return self.store.run(self._ops.increment(key, by))

    async def aincrement(self, key: str, by: int | float = 1) -> int | float:
        """Async twin of `increment`."""
        return await self.store.arun(self._ops.increment(key, by))

    def expire(self, key: str, ttl: float | None) -> bool:
        """Let a key expire `ttl` seconds from now, or never with None, and tell whether it existed.

        It is a write: the entry has a new version.

        >>> memory.set("code", 4711)
        1
        >>> memory.expire("code", 60), memory.expire("absent", 60)
        (True, False)
        """
        return self.store.run(self._ops.expire(key, ttl))

    async def aexpire(self, key: str, ttl: float | None) -> bool:
        """Async twin of `expire`."""
        return await self.store.arun(self._ops.expire(key, ttl))

    def ttl(self, key: str) -> float | None:
        """Give the seconds until a key expires; None where it never does or does not exist.

        >>> memory.set("code", 4711, ttl=60)
        1
        >>> 59 < memory.ttl("code") <= 60
        True
        """
        return self.store.run(TimeLeft(self.namespace, check_key(key), self.as_of))

    async def attl(self, key: str) -> float | None:
        """Async twin of `ttl`."""
        return await self.store.arun(TimeLeft(self.namespace, check_key(key), self.as_of))

    def transaction(self) -> Transaction:
        """Begin a transaction, for `with` or `async with`: what it collects is done at the end, all or nothing.

        >>> with memory.transaction() as tx:
        ...     _ = tx.set("order:1", {"total": 30})
        ...     _ = tx.increment("orders")
        >>> tx.results
        [1, 1]
        """
        return Transaction(self.store, self._ops)
