"""`BotWireNodeCache`: what the nodes of a graph gave, in a memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

from langgraph.cache.base import BaseCache, FullKey, Namespace
from langgraph.checkpoint.serde.base import SerializerProtocol

from botwire_core.adapters import as_memory
from botwire_core.building import OpBuilder
from botwire_core.errors import StoreCorruptError, TooLargeError
from botwire_core.flows import Flow, arun_flow, ask, run_flow
from botwire_core.memory import Memory
from botwire_core.protocol import Clear, GetMany, Step, Transact
from botwire_core.quoting import quoted
from botwire_langgraph.serializing import default_serializer, framed, packed, unframed, unpacked

__all__ = ["BotWireNodeCache"]

ROOT: Final = "cache/"
ValueT = TypeVar("ValueT")


class BotWireNodeCache(BaseCache[ValueT], Generic[ValueT]):
    """A cache for `graph.compile(cache=...)`, which nodes with a `CachePolicy` use, in sync and in async graphs.

    It outlives the process, and what one process computed another need not. A value is an entry below `cache/`, as
    readable JSON where it is JSON. What cannot be read is a miss. Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `langgraph` where it is left out.
        serde: What makes bytes of values; without it LangGraph's own with the types that it knows as safe.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.

    >>> cache = BotWireNodeCache(Memory("doctest", "memory:doctest"))
    >>> cache.set({(("node",), "input"): ("output", 60)})
    >>> cache.get([(("node",), "input"), (("node",), "other")])
    {(('node',), 'input'): 'output'}
    """

    def __init__(self, memory: Memory | str | None = None, *, serde: SerializerProtocol | None = None) -> None:
        super().__init__(serde=serde if serde is not None else default_serializer())
        self.memory = as_memory(memory, "langgraph")
        self._readable = serde is None

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Give the values of those keys that are there and have not expired, under the keys that were asked."""
        return run_flow(self.memory.store, self._get(keys))

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Async twin of `get`."""
        return await arun_flow(self.memory.store, self._get(keys))

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Keep values, each with the seconds until it expires or None for never, in one transaction.

        A value that the store has no room for, or that would have expired already, is not kept.
        """
        run_flow(self.memory.store, self._set(pairs))

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Async twin of `set`."""
        await arun_flow(self.memory.store, self._set(pairs))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Delete what is kept for exactly these namespaces, or everything of this cache."""
        run_flow(self.memory.store, self._clear(namespaces))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Async twin of `clear`."""
        await arun_flow(self.memory.store, self._clear(namespaces))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory!r})"

    def _get(self, keys: Sequence[FullKey]) -> Flow[dict[FullKey, ValueT]]:
        memory = self.memory
        asked = {_key(full): full for full in keys}
        if not asked:
            return {}
        rows = yield from ask(GetMany(memory.namespace, tuple(asked), memory.as_of))
        found: dict[FullKey, ValueT] = {}
        for key, row in rows.items():
            try:
                found[asked[key]] = unpacked(self.serde, unframed(key, row)[1])
            except StoreCorruptError:
                continue
        return found

    def _set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> Flow[None]:
        memory = self.memory
        ops = OpBuilder(memory.namespace, memory.author, memory.as_of)
        steps: list[Step] = []
        for full, (value, ttl) in pairs.items():
            namespace, key = full
            if ttl is not None and ttl <= 0:
                steps.append(ops.delete(_key(full)))
                continue
            row = framed({"namespace": list(namespace), "key": key}, packed(self.serde, value, readable=self._readable))
            try:
                step = ops.set(_key(full), row, ttl)
            except TooLargeError:
                continue
            if len(step.payload.data) <= memory.store.limits.value_bytes:
                steps.append(step)
        if steps:
            yield from ask(Transact(memory.namespace, tuple(steps)))

    def _clear(self, namespaces: Sequence[Namespace] | None) -> Flow[None]:
        memory = self.memory
        ops = OpBuilder(memory.namespace, memory.author, memory.as_of)
        for prefix in [ROOT] if namespaces is None else dict.fromkeys(map(_prefix, namespaces)):
            yield from ask(Clear(ops.target, prefix, ops.author))


def _prefix(namespace: Sequence[str]) -> str:
    """What the keys of exactly one namespace start with: its labels are one part of the key, however many they are."""
    labels = "".join(quoted(label).replace(",", "%2C") + "," for label in namespace)
    return f"{ROOT}{_short(labels, 300)}/"


def _key(full: FullKey) -> str:
    namespace, key = full
    return _prefix(namespace) + _short(quoted(key), 500)


def _short(part: str, most: int) -> str:
    """A part of a key as it is, or its digest where it is longer than so many bytes."""
    return part if len(part.encode()) <= most else "%=" + hashlib.sha256(part.encode()).hexdigest()
