"""`BotWireCache`: what models answered, in a memory, so that the same question is not paid for twice."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.outputs import Generation

from botwire_core.adapters import as_memory
from botwire_core.arguments import check_ttl
from botwire_core.codec import Value
from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.memory import Memory
from botwire_langchain.generations import from_generation_record, to_generation_record

__all__ = ["BotWireCache", "CacheWarning"]

_PREFIX = "llm/"


class CacheWarning(UserWarning):
    """An answer of a model has no JSON form, or is too large, and was not cached."""


class BotWireCache(BaseCache):
    """A cache of what models answered: `set_llm_cache(BotWireCache())`, or `cache=` of one model.

    A key is `llm/` and a digest of the prompt and of the model's parameters; prompts themselves are not kept.
    Stored data can name no class: an answer is rebuilt from plain JSON as one of LangChain's four kinds of
    generations with one of its own messages, and a row that is something else counts as absent and is deleted.
    Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `langchain-cache` where it is left out.
        ttl: Seconds until an answer is forgotten; None keeps it.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `ttl` is not a number of seconds above 0.

    >>> cache = BotWireCache(Memory("doctest", "memory:doctest"), ttl=3600)
    >>> cache.update("What is the capital of France?", "model=scripted", [Generation(text="Paris")])
    >>> cache.lookup("What is the capital of France?", "model=scripted")
    [Generation(text='Paris')]
    """

    def __init__(self, memory: Memory | str | None = None, *, ttl: float | None = None) -> None:
        self.memory = as_memory(memory, "langchain-cache")
        self.ttl = check_ttl(ttl)

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Give what the model answered, as fresh objects, or None where nothing is known."""
        key = _key(prompt, llm_string)
        value = self.memory.get(key)
        found = _generations(value)
        if found is None and value is not None:
            with suppress(BotWireError):  # a reader that may not delete has a miss all the same
                self.memory.delete(key)
        return found

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Async twin of `lookup`."""
        key = _key(prompt, llm_string)
        value = await self.memory.aget(key)
        found = _generations(value)
        if found is None and value is not None:
            with suppress(BotWireError):
                await self.memory.adelete(key)
        return found

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep what the model answered; what cannot be kept is told by a `CacheWarning`, and the run goes on."""
        try:
            self.memory.set(_key(prompt, llm_string), _record(return_val), ttl=self.ttl)
        except InvalidValueError as error:
            _warn(error)

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Async twin of `update`."""
        try:
            await self.memory.aset(_key(prompt, llm_string), _record(return_val), ttl=self.ttl)
        except InvalidValueError as error:
            _warn(error)

    def clear(self, **kwargs: Any) -> None:
        """Forget all answers; other keys of the memory stay. `kwargs`, which other caches take, are of no effect."""
        self.memory.clear(_PREFIX)

    async def aclear(self, **kwargs: Any) -> None:
        """Async twin of `clear`."""
        await self.memory.aclear(_PREFIX)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory!r}, ttl={self.ttl})"


def _key(prompt: str, llm_string: str) -> str:
    # With the length first, no two pairs are one text. Both can hold anything that a user typed.
    text = f"{len(prompt)}:{prompt}{llm_string}"
    return _PREFIX + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _record(generations: Sequence[Generation]) -> Value:
    return {"generations": [to_generation_record(generation) for generation in generations]}


def _generations(value: Value) -> list[Generation] | None:
    # LangChain takes only a list for a hit, and its first answer for granted.
    records = value.get("generations") if isinstance(value, dict) else None
    if not isinstance(records, list):
        return None
    found = [generation for record in records if (generation := from_generation_record(record)) is not None]
    return found if found and len(found) == len(records) else None


def _warn(error: InvalidValueError) -> None:
    warnings.warn(f"an answer was not cached: {error.message}", CacheWarning, stacklevel=3)
