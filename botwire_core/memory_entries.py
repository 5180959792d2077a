"""The part of `Memory` that reads and writes entries by their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from botwire_core.arguments import check_limit
from botwire_core.building import check_keys
from botwire_core.codec import Value
from botwire_core.conforming import conform
from botwire_core.flows import Flow, ItemFlow, aiterate, arun_flow, iterate, run_flow
from botwire_core.memory_handle import MemoryHandle
from botwire_core.names import check_key, check_prefix
from botwire_core.paging import all_keys, entries_in_pages
from botwire_core.protocol import MISSING, Get, GetEntry, GetMany
from botwire_core.results import Entry

__all__ = ["EntryMethods"]

D = TypeVar("D")
T = TypeVar("T")


class EntryMethods(MemoryHandle):
    """Keys, values and entries."""

    __slots__ = ()

    @overload
    def get(self, key: str, default: Any = None, *, as_: None = None) -> Any: ...
    @overload
    def get(self, key: str, default: None = None, *, as_: type[T]) -> T | None: ...
    @overload
    def get(self, key: str, default: D, *, as_: type[T]) -> T | D: ...
    @overload
    def get(self, key: str, default: Any = None, *, as_: Any) -> Any: ...
    def get(self, key: str, default: Any = None, *, as_: Any = None) -> Any:
        """Give the value at a key, or `default` where nothing stands.

        Args:
            key: Where to look.
            default: What to give for a key that is absent, deleted or expired; it is never validated.
            as_: A pydantic model, dataclass or type such as `list[int]` to validate the value into.

        Raises:
            InvalidValueError: the value does not fit `as_`.

        >>> memory.set("profile", {"name": "Ada", "tags": ["vip"]})
        1
        >>> memory.get("profile")
        {'name': 'Ada', 'tags': ['vip']}
        >>> memory.get("absent", "nothing")
        'nothing'
        """
        value = self.store.run(Get(self.namespace, key, self.as_of))
        if value is MISSING:
            return default
        return value if as_ is None else conform(value, as_, key)

    @overload
    async def aget(self, key: str, default: Any = None, *, as_: None = None) -> Any: ...
    @overload
    async def aget(self, key: str, default: None = None, *, as_: type[T]) -> T | None: ...
    @overload
    async def aget(self, key: str, default: D, *, as_: type[T]) -> T | D: ...
    @overload
    async def aget(self, key: str, default: Any = None, *, as_: Any) -> Any: ...
    async def aget(self, key: str, default: Any = None, *, as_: Any = None) -> Any:
        """Async twin of `get`."""
        value = await self.store.arun(Get(self.namespace, key, self.as_of))
        if value is MISSING:
            return default
        return value if as_ is None else conform(value, as_, key)

    def set(self, key: str, value: Value, *, ttl: float | None = None, if_version: int | None = None) -> int:
        """Write a value and give its version: 1 at a key's first write, one more at each.

        Args:
            key: 1 to 1,024 bytes of UTF-8; `/` and `:` only group.
            value: A JSON value, `bytes`, or a pydantic model or dataclass instance, which is kept as its JSON form.
            ttl: Seconds until the entry is gone, above 0; None removes an expiry.
            if_version: The version that must stand there now, 0 for a key that must not exist.

        Raises:
            InvalidKeyError: `key` breaks a rule.
            InvalidValueError: `value` holds something that is no JSON; the message names the path to it.
            TooLargeError: it takes more than 16 MiB.
            ConflictError: another version stands there; the error carries it.

        >>> memory.set("theme", "dark", ttl=3600)
        1
        >>> memory.set("theme", "light", if_version=1)
        2
        """
        return self.store.run(self._ops.set(key, value, ttl, if_version))

    async def aset(self, key: str, value: Value, *, ttl: float | None = None, if_version: int | None = None) -> int:
        """Async twin of `set`."""
        return await self.store.arun(self._ops.set(key, value, ttl, if_version))

    def delete(self, key: str, *, if_version: int | None = None) -> bool:
        """Delete a key and tell whether it existed.

        Raises:
            ConflictError: `if_version` is given, and another version stands there.

        >>> memory.set("draft", "...")
        1
        >>> memory.delete("draft"), memory.delete("draft")
        (True, False)
        """
        return self.store.run(self._ops.delete(key, if_version))

    async def adelete(self, key: str, *, if_version: int | None = None) -> bool:
        """Async twin of `delete`."""
        return await self.store.arun(self._ops.delete(key, if_version))

    def exists(self, key: str) -> bool:
        """Tell whether something stands at a key; `key in memory` is the same.

        >>> memory.set("seen", None)
        1
        >>> memory.exists("seen"), "unseen" in memory
        (True, False)
        """
        return self.store.run(Get(self.namespace, key, self.as_of)) is not MISSING

    async def aexists(self, key: str) -> bool:
        """Async twin of `exists`."""
        return await self.store.arun(Get(self.namespace, key, self.as_of)) is not MISSING

    def __contains__(self, key: object) -> bool:
        return self.exists(check_key(key))

    def entry(self, key: str) -> Entry | None:
        """Give the entry at a key: its value with version, revision, times and author; None where nothing stands.

        >>> memory.set("plan", "gold")
        1
        >>> memory.entry("plan").version
        1
        """
        return self.store.run(GetEntry(self.namespace, check_key(key), self.as_of))

    async def aentry(self, key: str) -> Entry | None:
        """Async twin of `entry`."""
        return await self.store.arun(GetEntry(self.namespace, check_key(key), self.as_of))

    def list_keys(self, prefix: str = "", *, after: str | None = None, limit: int | None = None) -> list[str]:
        """Give all keys with a prefix, in byte order.

        Args:
            prefix: What the keys start with; empty for all.
            after: Only keys above this one, to go on from the last key of an earlier call.
            limit: At most so many; None for all.

        >>> memory.set_many({"user:ada": 1, "user:bob": 2, "zoo": 3})
        {'user:ada': 1, 'user:bob': 1, 'zoo': 1}
        >>> memory.list_keys("user:")
        ['user:ada', 'user:bob']
        """
        return run_flow(self.store, self._all_keys(prefix, after, limit))

    async def alist_keys(self, prefix: str = "", *, after: str | None = None, limit: int | None = None) -> list[str]:
        """Async twin of `list_keys`."""
        return await arun_flow(self.store, self._all_keys(prefix, after, limit))

    def keys(self, prefix: str = "", *, after: str | None = None, limit: int | None = None) -> list[str]:
        """Give all keys with a prefix, in byte order; the same as `list_keys`."""
        return self.list_keys(prefix, after=after, limit=limit)

    async def akeys(self, prefix: str = "", *, after: str | None = None, limit: int | None = None) -> list[str]:
        """Async twin of `keys`."""
        return await self.alist_keys(prefix, after=after, limit=limit)

    def entries(
        self, prefix: str = "", *, after: str | None = None, limit: int | None = None, reverse: bool = False
    ) -> Iterator[Entry]:
        """Iterate over the entries with a prefix in byte order of their keys.

        They are fetched by the thousand and nothing is held open in between, so an iteration may be left at any
        point; what is written meanwhile may or may not be met.

        Args:
            prefix: What the keys start with; empty for all.
            after: Only entries above this key, or below it with `reverse`.
            limit: At most so many; None for all.
            reverse: In falling order.

        >>> memory.set_many({"b": 2, "a": 1})
        {'b': 1, 'a': 1}
        >>> [(entry.key, entry.value) for entry in memory.entries(reverse=True)]
        [('b', 2), ('a', 1)]
        """
        return iterate(self.store.here(self.namespace), self._entries(prefix, after, limit, reverse))

    def aentries(
        self, prefix: str = "", *, after: str | None = None, limit: int | None = None, reverse: bool = False
    ) -> AsyncIterator[Entry]:
        """Async twin of `entries`: `async for entry in memory.aentries()`."""
        return aiterate(self.store.here(self.namespace), self._entries(prefix, after, limit, reverse))

    def get_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Give the values of those keys that exist, in the order asked, in one round trip from one moment.

        >>> memory.set("a", 1)
        1
        >>> memory.get_many(["z", "a"])
        {'a': 1}
        """
        return self.store.run(GetMany(self.namespace, check_keys(keys), self.as_of))

    async def aget_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Async twin of `get_many`."""
        return await self.store.arun(GetMany(self.namespace, check_keys(keys), self.as_of))

    def set_many(self, mapping: Mapping[str, Value], *, ttl: float | None = None) -> dict[str, int]:
        """Write many values in one transaction, all or nothing, and give the new version of each key.

        >>> memory.set_many({"a": 1, "b": 2}, ttl=60)
        {'a': 1, 'b': 1}
        """
        return self.store.run(self._ops.set_many(mapping, ttl))

    async def aset_many(self, mapping: Mapping[str, Value], *, ttl: float | None = None) -> dict[str, int]:
        """Async twin of `set_many`."""
        return await self.store.arun(self._ops.set_many(mapping, ttl))

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete many keys in one transaction and give how many existed.

        >>> memory.set("a", 1)
        1
        >>> memory.delete_many(["a", "b"])
        1
        """
        return self.store.run(self._ops.delete_many(keys))

    async def adelete_many(self, keys: Iterable[str]) -> int:
        """Async twin of `delete_many`."""
        return await self.store.arun(self._ops.delete_many(keys))

    def _all_keys(self, prefix: str, after: str | None, limit: int | None) -> Flow[list[str]]:
        return all_keys(self.namespace, check_prefix(prefix), _check_after(after), check_limit(limit), self.as_of)

    def _entries(self, prefix: str, after: str | None, limit: int | None, reverse: bool) -> ItemFlow[Entry]:
        return entries_in_pages(
            self.namespace, check_prefix(prefix), _check_after(after), check_limit(limit), reverse, self.as_of
        )


def _check_after(after: str | None) -> str | None:
    return None if after is None else check_prefix(after)
