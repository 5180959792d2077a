"""`BotWireByteStore`: LangChain's key-value store of bytes, in a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from langchain_core.stores import BaseStore

from botwire_core.adapters import as_memory
from botwire_core.building import check_keys
from botwire_core.codec import JSON, Value, decode, encode
from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory

__all__ = ["BotWireByteStore"]


class BotWireByteStore(BaseStore[str, bytes]):
    r"""A store of bytes under keys, for `CacheBackedEmbeddings`, `create_kv_docstore` and whatever takes a `ByteStore`.

    Its keys are the keys of the memory. Bytes come back exactly as they were. Bytes that are a JSON object or array in
    compact form are kept as that value, so that `Memory.get` gives it; and a value of another kind that somebody set
    with `Memory` is read here as its compact JSON text. Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `langchain-store` where it is left out.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.

    >>> store = BotWireByteStore(Memory("doctest", "memory:doctest"))
    >>> store.mset([("a", b"\xff"), ("b", b'{"likes":["tea"]}')])
    >>> store.mget(["b", "absent", "a"])
    [b'{"likes":["tea"]}', None, b'\xff']
    >>> store.memory.get("b")
    {'likes': ['tea']}
    """

    def __init__(self, memory: Memory | str | None = None) -> None:
        self.memory = as_memory(memory, "langchain-store")

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Give the bytes at each key in the order asked, None for a key that is not there, all from one moment.

        Raises:
            InvalidKeyError: one of them is no key.
        """
        asked = check_keys(keys)
        return _in_order(asked, self.memory.get_many(asked))

    async def amget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Async twin of `mget`."""
        asked = check_keys(keys)
        return _in_order(asked, await self.memory.aget_many(asked))

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write bytes under keys in one transaction, all or nothing; of a key that comes twice the last counts.

        Raises:
            InvalidKeyError: one of them is no key.
            InvalidValueError: a value is not `bytes`.
            TooLargeError: a value takes more than 16 MiB.
        """
        self.memory.set_many(_as_values(key_value_pairs))

    async def amset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Async twin of `mset`."""
        await self.memory.aset_many(_as_values(key_value_pairs))

    def mdelete(self, keys: Sequence[str]) -> None:
        """Delete keys in one transaction; one that is not there is no error.

        Raises:
            InvalidKeyError: one of them is no key.
        """
        self.memory.delete_many(keys)

    async def amdelete(self, keys: Sequence[str]) -> None:
        """Async twin of `mdelete`."""
        await self.memory.adelete_many(keys)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """Iterate over the keys with a prefix, all of them without one, in byte order.

        Raises:
            InvalidKeyError: no key can start with the prefix.
        """
        return (key for key in self.memory.list_keys(prefix or ""))  # listed now, where the caller's scope holds

    async def ayield_keys(self, *, prefix: str | None = None) -> AsyncIterator[str]:
        """Async twin of `yield_keys`."""
        for key in await self.memory.alist_keys(prefix or ""):
            yield key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory!r})"


def _in_order(keys: tuple[str, ...], found: dict[str, Value]) -> list[bytes | None]:
    return [_as_bytes(found[key]) if key in found else None for key in keys]


def _as_values(pairs: Sequence[tuple[str, bytes]]) -> dict[str, Value]:
    return {key: _as_value(key, data) for key, data in pairs}


def _as_value(key: str, data: bytes) -> Value:
    if type(data) is not bytes:
        # Any other JSON value would be stored, and would come back as bytes.
        raise InvalidValueError(
            f"{ascii(key)[:80]}: a byte store keeps bytes, not {type(data).__name__}",
            hint="use EncoderBackedStore around it, or Memory.set for JSON values",
        )
    if data[:1] in (b"{", b"["):
        try:
            value = decode(JSON, data)
            if encode(value).data == data:  # else not: another spelling of the same JSON would not come back
                return value
        except InvalidValueError:
            pass
    return data


def _as_bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else encode(value).data
