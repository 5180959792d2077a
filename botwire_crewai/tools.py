"""`memory_tools`: what the agents of a crew remember, recall, list and forget with."""

from __future__ import annotations

from typing import Any, Final, Self

from crewai.tools import BaseTool
from crewai.types.callback import SerializableCallable
from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from botwire_core.adapters import as_memory, url_of
from botwire_core.memory import Memory
from botwire_core.remembering.actions import Action, memory_actions, what_is_wrong
from botwire_core.remembering.arguments import Forget, ListMemory, Recall, Remember
from botwire_core.remembering.showing import MAX_BYTES, MAX_ITEMS

__all__ = [
    "ForgetTool",
    "ListMemoryTool",
    "MemoryTool",
    "RecallTool",
    "RememberTool",
    "memory_tools",
    "never_cached",
]

DEFAULT_NAMESPACE: Final = "crewai-memory"


def memory_tools(
    memory: Memory | str | None = None,
    *,
    forget: bool = False,
    ttl: float | None = None,
    max_items: int = MAX_ITEMS,
    max_bytes: int = MAX_BYTES,
) -> list[MemoryTool]:
    """Make the tools `remember`, `recall` and `list_memory`, and `forget` where it is asked for.

    They answer with JSON text. A mistake that the model can correct is an answer too, with an error and a hint; a
    store that is down or damaged raises, of which CrewAI tells the model. What is remembered is text; other values
    that stand in the memory are shown as JSON. Making them does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `crewai-memory` where it is left out. The model never sees or
            chooses it.
        forget: Whether the model may delete.
        ttl: Seconds until what is remembered is gone; None keeps it.
        max_items: How many keys an answer lists at most.
        max_bytes: How many bytes of a value or of keys an answer shows at most; more is cut, and marked.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `ttl`, `max_items` or `max_bytes` is not a number above 0.

    >>> remember, recall, list_memory = memory_tools(Memory("doctest", "memory:doctest"))
    >>> remember.run(key="user:ana", value="lives in Porto")
    '{"remembered": "user:ana", "version": 1}'
    >>> list_memory.run(prefix="user:")
    '{"keys": ["user:ana"], "truncated": false}'
    """
    opened = as_memory(memory, DEFAULT_NAMESPACE)
    kinds: list[type[MemoryTool]] = [RememberTool, RecallTool, ListMemoryTool, *([ForgetTool] if forget else [])]
    return [kind(opened, ttl=ttl, max_items=max_items, max_bytes=max_bytes) for kind in kinds]


def never_cached(arguments: Any = None, result: Any = None) -> bool:
    """Tell CrewAI not to answer a call from its cache: what is remembered may have changed since."""
    return False


class MemoryTool(BaseTool):
    """A tool on a memory: `RecallTool(memory)`, or `RecallTool(namespace="support")`, as CrewAI restores it.

    The dump of a tool names the namespace and the URL, and holds no token: `BOTWIRE_TOKEN` is used where it is
    restored. The dump of a tool on a store object, or on a moment in the past, cannot be used in another process.
    """

    namespace: str = Field(DEFAULT_NAMESPACE, frozen=True)
    """Where it remembers."""
    url: str | None = Field(None, frozen=True)
    """The store; None for the usual one."""
    ttl: float | None = Field(None, frozen=True)
    """Seconds until what is remembered is gone; None keeps it."""
    max_items: int = Field(MAX_ITEMS, frozen=True)
    """How many keys an answer lists at most."""
    max_bytes: int = Field(MAX_BYTES, frozen=True)
    """How many bytes of a value or of keys an answer shows at most."""
    cache_function: SerializableCallable = Field(never_cached, exclude=True)
    _memory: Memory = PrivateAttr()
    _action: Action = PrivateAttr()

    def __init__(self, memory: Memory | str | None = None, /, **fields: Any) -> None:
        if memory is None:
            memory = Memory(fields.get("namespace", DEFAULT_NAMESPACE), fields.get("url"))
        opened = as_memory(memory, DEFAULT_NAMESPACE)
        super().__init__(**fields | {"namespace": opened.namespace, "url": url_of(opened)})
        self._memory = opened
        actions = memory_actions(forget=True, ttl=self.ttl, max_items=self.max_items, max_bytes=self.max_bytes)
        self._action = next(action for action in actions if action.arguments is type(self).arguments())

    @property
    def memory(self) -> Memory:
        """The memory that it works on."""
        return self._memory

    @classmethod
    def arguments(cls) -> type[BaseModel]:
        """What the tool takes, whatever a restored dump says."""
        found: type[BaseModel] = cls.model_fields["args_schema"].default
        return found

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the model asked for; where its arguments are wrong, the answer says what to correct."""
        try:
            return super().run(*args, **kwargs)
        except ValueError as error:
            return _refused(error)

    async def arun(self, *args: Any, **kwargs: Any) -> Any:
        """Async twin of `run`."""
        try:
            return await super().arun(*args, **kwargs)
        except ValueError as error:
            return _refused(error)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.model_copy()  # a handle on the same memory; CrewAI's lock inside cannot be copied


class RememberTool(MemoryTool):
    """Writes a text under a key."""

    name: str = "remember"
    description: str = Remember.__doc__ or ""
    args_schema: type[BaseModel] = Remember

    def _run(self, key: str, value: str) -> str:
        return self._action.run(self._memory, key, value).text

    async def _arun(self, key: str, value: str) -> str:
        return (await self._action.arun(self._memory, key, value)).text


class RecallTool(MemoryTool):
    """Reads what stands at a key."""

    name: str = "recall"
    description: str = Recall.__doc__ or ""
    args_schema: type[BaseModel] = Recall

    def _run(self, key: str) -> str:
        return self._action.run(self._memory, key).text

    async def _arun(self, key: str) -> str:
        return (await self._action.arun(self._memory, key)).text


class ListMemoryTool(MemoryTool):
    """Names the keys with a prefix."""

    name: str = "list_memory"
    description: str = ListMemory.__doc__ or ""
    args_schema: type[BaseModel] = ListMemory

    def _run(self, prefix: str = "", after: str = "") -> str:
        return self._action.run(self._memory, prefix, after).text

    async def _arun(self, prefix: str = "", after: str = "") -> str:
        return (await self._action.arun(self._memory, prefix, after)).text


class ForgetTool(MemoryTool):
    """Deletes a key."""

    name: str = "forget"
    description: str = Forget.__doc__ or ""
    args_schema: type[BaseModel] = Forget

    def _run(self, key: str) -> str:
        return self._action.run(self._memory, key).text

    async def _arun(self, key: str) -> str:
        return (await self._action.arun(self._memory, key)).text


def _refused(error: ValueError) -> str:
    # CrewAI's own text shows pydantic's, with a link; an error of a store has another cause.
    if isinstance(error.__cause__, ValidationError):
        return what_is_wrong(error.__cause__.errors())
    raise error
