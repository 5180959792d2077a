"""`BotWireCacheStore`: what models answered, in a memory, so that the same question is not paid for twice."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self

from autogen_core import CacheStore, Component
from pydantic import BaseModel

from botwire_autogen.components import MemoryComponent, MemoryConfig
from botwire_autogen.write_behind import WriteBehind
from botwire_core.arguments import check_ttl
from botwire_core.building import OpBuilder
from botwire_core.codec import Value
from botwire_core.memory import Memory
from botwire_core.quoting import short

__all__ = ["BotWireCacheStore", "BotWireCacheStoreConfig"]

_PREFIX: Final = "cache/"
_MAX_PART: Final = 500


class BotWireCacheStoreConfig(MemoryConfig):
    """What a dump of a `BotWireCacheStore` holds."""

    ttl: float | None = None


class BotWireCacheStore(MemoryComponent, CacheStore[Any], Component[BotWireCacheStoreConfig]):
    """A store for caches: `ChatCompletionCache(client, BotWireCacheStore())`.

    Values are what JSON knows, or bytes; a pydantic model is kept as its JSON form, also within a list, and comes
    back as plain data, of which AutoGen's cache makes its results. Keys may be any text. Making one does no I/O.

    AutoGen asks a cache from within its event loop and without awaiting: a `get` there takes as long as a look at
    one key, and a `set` returns at once and is written by a thread, in order. A `get` sees every `set` of this
    process; `flush` and `close` wait until all is written.

    Args:
        memory: A `Memory`, or the name of a namespace; `autogen-cache` where it is left out.
        ttl: Seconds until a value is forgotten; None keeps it.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `ttl` is not a number of seconds above 0.

    >>> cache = BotWireCacheStore(Memory("doctest", "memory:doctest"), ttl=3600)
    >>> cache.set("question", {"content": "Paris"})
    >>> cache.get("question"), cache.get("other", "nothing")
    ({'content': 'Paris'}, 'nothing')
    """

    component_provider_override = "botwire_autogen.cache.BotWireCacheStore"
    component_config_schema = BotWireCacheStoreConfig

    def __init__(self, memory: Memory | str | None = None, *, ttl: float | None = None) -> None:
        super().__init__(memory, "autogen-cache")
        self.ttl = check_ttl(ttl)
        self._writes = WriteBehind()  # shared by the copies of this object

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value at a key, as fresh data, or `default` where none stands."""
        name = _key(key)
        self._writes.settle(name)
        return self.memory.get(name, default)

    def set(self, key: str, value: Any) -> None:
        """Keep a value. What goes wrong when a thread writes it is told to the logger `botwire`: nobody else is there.

        Raises:
            InvalidValueError: it is nothing that JSON knows, or too large.
        """
        memory, name = self.memory, _key(key)
        # Encoded here: the caller still hears of what cannot be kept, and may change the value at once.
        op = OpBuilder(memory.namespace, memory.author, memory.as_of).set(name, _plain(value), self.ttl)
        if _in_a_loop():
            self._writes.put(name, lambda: memory.store.run(op), memory.namespace)
        else:
            memory.store.run(op)

    def flush(self) -> None:
        """Wait until all that was set is written; not for the thread of an event loop."""
        self._writes.settle()

    async def aflush(self) -> None:
        """Async twin of `flush`."""
        await asyncio.to_thread(self._writes.settle)

    def clear(self) -> None:
        """Forget all values; other keys of the memory stay. Not for the thread of an event loop."""
        self._writes.settle()
        self.memory.clear(_PREFIX)

    async def aclear(self) -> None:
        """Async twin of `clear`."""
        await self.aflush()
        await self.memory.aclear(_PREFIX)

    async def close(self) -> None:
        """Wait until all is written, and let go of the store where nobody else in this process uses it."""
        await self.aflush()
        async with self.memory:
            pass

    def _to_config(self) -> BotWireCacheStoreConfig:
        return BotWireCacheStoreConfig(**self._named(), ttl=self.ttl)

    @classmethod
    def _from_config(cls, config: BotWireCacheStoreConfig) -> Self:
        return cls(config.open(), ttl=config.ttl)


def _key(key: str) -> str:
    return _PREFIX + short(key, _MAX_PART)


def _plain(value: Any) -> Value:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
