"""What the tools of an agent do with a memory, in both colours, and what they answer to the model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from langchain_core.tools import ToolException

from botwire_core.errors import (
    BotWireError,
    ConflictError,
    ForbiddenError,
    InvalidKeyError,
    InvalidValueError,
    QuotaExceededError,
    StoreReadOnlyError,
)
from botwire_core.memory import Memory
from botwire_core.records import record
from botwire_core.results import Entry
from botwire_langchain.showing import as_text, entry_shown, keys_shown

__all__ = ["Actions"]

# What a model can do something about; a store that is down or damaged is for the program to see.
_FOR_THE_MODEL: Final[tuple[type[BotWireError], ...]] = (
    ConflictError,
    ForbiddenError,
    InvalidKeyError,
    InvalidValueError,
    QuotaExceededError,
    StoreReadOnlyError,
)
_SIMILAR = 10


@record
class Actions:
    """Remember, recall, list and forget; each takes the memory and answers with JSON text.

    What the model can do something about is raised as a `ToolException`, whose text it is told; other errors of a
    store are raised as they are.
    """

    ttl: float | None
    """Seconds until what is remembered is gone; None keeps it."""
    max_items: int
    """How many keys an answer lists at most."""
    max_bytes: int
    """How many bytes of a value or of keys an answer shows at most."""

    def remember(self, memory: Memory, key: str, value: str) -> str:
        """Write a text under a key."""
        with _telling_the_model():
            return _remembered(key, memory.set(key, value, ttl=self.ttl))

    async def aremember(self, memory: Memory, key: str, value: str) -> str:
        """Async twin of `remember`."""
        with _telling_the_model():
            return _remembered(key, await memory.aset(key, value, ttl=self.ttl))

    def recall(self, memory: Memory, key: str) -> str:
        """Read what stands at a key, or name keys like it where nothing does."""
        with _telling_the_model():
            entry = memory.entry(key)
            similar = memory.list_keys(_group(key), limit=_SIMILAR) if entry is None else []
        return self._recalled(key, entry, similar)

    async def arecall(self, memory: Memory, key: str) -> str:
        """Async twin of `recall`."""
        with _telling_the_model():
            entry = await memory.aentry(key)
            similar = await memory.alist_keys(_group(key), limit=_SIMILAR) if entry is None else []
        return self._recalled(key, entry, similar)

    def list_memory(self, memory: Memory, prefix: str = "", after: str = "") -> str:
        """Name the keys with a prefix, in order."""
        with _telling_the_model():
            keys = memory.list_keys(prefix, after=after or None, limit=self.max_items + 1)
        return as_text(keys_shown(keys, self.max_items, self.max_bytes))

    async def alist_memory(self, memory: Memory, prefix: str = "", after: str = "") -> str:
        """Async twin of `list_memory`."""
        with _telling_the_model():
            keys = await memory.alist_keys(prefix, after=after or None, limit=self.max_items + 1)
        return as_text(keys_shown(keys, self.max_items, self.max_bytes))

    def forget(self, memory: Memory, key: str) -> str:
        """Delete a key."""
        with _telling_the_model():
            return as_text({"key": key, "forgotten": memory.delete(key)})

    async def aforget(self, memory: Memory, key: str) -> str:
        """Async twin of `forget`."""
        with _telling_the_model():
            return as_text({"key": key, "forgotten": await memory.adelete(key)})

    def _recalled(self, key: str, entry: Entry | None, similar: list[str]) -> str:
        if entry is not None:
            return as_text({"found": True, **entry_shown(entry, self.max_bytes)})
        return as_text(
            {"found": False, "key": key, "similar": keys_shown(similar, _SIMILAR, self.max_bytes)["keys"]}
            | {"hint": "nothing is remembered under this key; list_memory shows which keys there are"}
        )


@contextmanager
def _telling_the_model() -> Iterator[None]:
    try:
        yield
    except _FOR_THE_MODEL as error:
        raise ToolException(as_text({"error": error.message, "hint": error.hint})) from error


def _remembered(key: str, version: int) -> str:
    return as_text({"remembered": key, "version": version})


def _group(key: str) -> str:
    """What the keys of the same group start with: up to the first slash or colon; nothing where there is none."""
    match = re.match(r"[^/:]+[/:]", key)
    return match[0] if match else ""
