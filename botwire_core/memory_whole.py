"""The part of `Memory` that works on a namespace as a whole: search, statistics, clearing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botwire_core.arguments import check_limit
from botwire_core.errors import InvalidValueError, UnsupportedError
from botwire_core.memory_handle import MemoryHandle
from botwire_core.names import check_prefix
from botwire_core.protocol import Drop, GetStats, Search
from botwire_core.results import Entry, Stats

__all__ = ["WholeMethods"]


class WholeMethods(MemoryHandle):
    """Search, statistics, clearing."""

    __slots__ = ()

    def clear(self, prefix: str = "") -> int:
        """Delete every entry with a prefix in one transaction and give how many went.

        >>> memory.set_many({"tmp/a": 1, "tmp/b": 2, "kept": 3})
        {'tmp/a': 1, 'tmp/b': 1, 'kept': 1}
        >>> memory.clear("tmp/")
        2
        """
        return self.store.run(self._ops.clear(prefix))

    async def aclear(self, prefix: str = "") -> int:
        """Async twin of `clear`."""
        return await self.store.arun(self._ops.clear(prefix))

    def drop(self) -> bool:
        """Delete the namespace and tell whether it existed.

        Its forks stay as they are: rows that they need are kept until they are gone.

        >>> memory.set("a", 1)
        1
        >>> memory.drop(), memory.list_keys()
        (True, [])
        """
        return self.store.run(Drop(self._ops.target))

    async def adrop(self) -> bool:
        """Async twin of `drop`."""
        return await self.store.arun(Drop(self._ops.target))

    def search(
        self,
        prefix: str = "",
        *,
        where: Mapping[str, Any] | None = None,
        words: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[Entry]:
        """Find entries by what their values hold: best match first with `words`, else newest first; ties by key.

        Args:
            prefix: What the keys start with; empty for all.
            where: Conditions on fields of values that are objects; a dot leads inside. A condition is a value, or an
                object of `$eq $ne $gt $gte $lt $lte $in $exists`.
            words: Text of which the value must hold at least one word; rarer words count more.
            limit: At most so many.
            offset: Skip so many first.

        Raises:
            InvalidValueError: a condition makes no sense.

        >>> _ = memory.set_many({"a": {"kind": "fact", "text": "likes tea"}, "b": {"kind": "task"}})
        >>> [entry.key for entry in memory.search(where={"kind": "fact"})]
        ['a']
        >>> [entry.key for entry in memory.search(words="Tea")]
        ['a']
        """
        return self.store.run(self._search(prefix, where, words, limit, offset))

    async def asearch(
        self,
        prefix: str = "",
        *,
        where: Mapping[str, Any] | None = None,
        words: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[Entry]:
        """Async twin of `search`."""
        return await self.store.arun(self._search(prefix, where, words, limit, offset))

    def stats(self) -> Stats:
        """Tell how many keys, bytes, revisions, forks and snapshots there are, and what was written today.

        >>> memory.set("a", 1)
        1
        >>> memory.stats().keys
        1
        """
        return self.store.run(self._stats())

    async def astats(self) -> Stats:
        """Async twin of `stats`."""
        return await self.store.arun(self._stats())

    def _search(
        self, prefix: str, where: Mapping[str, Any] | None, words: str | None, limit: int, offset: int
    ) -> Search:
        if words is not None and not isinstance(words, str):
            raise InvalidValueError(f"words: {type(words).__name__} is not text", hint="join them with spaces")
        return Search(
            self.namespace,
            check_prefix(prefix),
            where,
            words,
            _number(limit, "limit"),
            _number(offset, "offset"),
            self.as_of,
        )

    def _stats(self) -> GetStats:
        if self.as_of is not None:
            raise UnsupportedError(
                "stats tell how a memory stands now, not how it stood", hint="ask the memory itself, without at()"
            )
        return GetStats(self.namespace)


def _number(number: int, name: str) -> int:
    checked = check_limit(number, name)
    if checked is None:
        raise InvalidValueError(f"{name}: None is not a number", hint="a search has a limit; use entries() for all")
    return checked
