"""`memory_tools`: what AutoGen's agents remember, recall, list and forget with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from autogen_core import CancellationToken, Component
from autogen_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from botwire_autogen.components import MemoryComponent, MemoryConfig
from botwire_core.arguments import check_ttl
from botwire_core.memory import Memory
from botwire_core.remembering.actions import memory_actions, what_is_wrong
from botwire_core.remembering.arguments import Forget, ListMemory, Recall, Remember
from botwire_core.remembering.showing import MAX_BYTES, MAX_ITEMS

__all__ = [
    "ForgetTool",
    "ListMemoryTool",
    "MemoryTool",
    "MemoryToolConfig",
    "MemoryToolError",
    "RecallTool",
    "RememberTool",
    "memory_tools",
]

DEFAULT_NAMESPACE: Final = "autogen-memory"


class MemoryToolError(Exception):
    """A mistake that the model can correct; its text is the JSON that the model is answered, with a hint."""


class MemoryToolConfig(MemoryConfig):
    """What a dump of a tool holds; never what the tool does, which is code."""

    ttl: float | None = None
    max_items: int = MAX_ITEMS
    max_bytes: int = MAX_BYTES


def memory_tools(
    memory: Memory | str | None = None,
    *,
    forget: bool = False,
    ttl: float | None = None,
    max_items: int = MAX_ITEMS,
    max_bytes: int = MAX_BYTES,
) -> list[MemoryTool]:
    """Make the tools `remember`, `recall` and `list_memory`, and `forget` where it is asked for.

    They answer with JSON text. A mistake that the model can correct is an answer too, marked as an error, since
    AutoGen makes one of every exception; so does it of a store that is down. What is remembered is text; other
    values that stand in the memory are shown as JSON. Making them does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `autogen-memory` where it is left out. The model never sees or
            chooses it.
        forget: Whether the model may delete.
        ttl: Seconds until what is remembered is gone; None keeps it.
        max_items: How many keys an answer lists at most.
        max_bytes: How many bytes of a value or of keys an answer shows at most; more is cut, and marked.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `ttl`, `max_items` or `max_bytes` is not a number above 0.

    >>> import asyncio
    >>> remember, recall, list_memory = memory_tools(Memory("doctest", "memory:doctest"))
    >>> asyncio.run(remember.run_json({"key": "user:ana", "value": "lives in Porto"}, CancellationToken()))
    '{"remembered": "user:ana", "version": 1}'
    >>> asyncio.run(list_memory.run_json({"prefix": "user:"}, CancellationToken()))
    '{"keys": ["user:ana"], "truncated": false}'
    """
    kinds: list[type[MemoryTool]] = [RememberTool, RecallTool, ListMemoryTool, *([ForgetTool] if forget else [])]
    return [kind(memory, ttl=ttl, max_items=max_items, max_bytes=max_bytes) for kind in kinds]


class MemoryTool(MemoryComponent, BaseTool[BaseModel, Any], Component[MemoryToolConfig]):
    """A tool on a memory: `RecallTool("support")`."""

    component_config_schema = MemoryToolConfig
    arguments: ClassVar[type[BaseModel]]

    def __init__(
        self,
        memory: Memory | str | None = None,
        *,
        ttl: float | None = None,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        MemoryComponent.__init__(self, memory, DEFAULT_NAMESPACE)
        self.ttl = check_ttl(ttl)
        self.max_items = max_items
        self.max_bytes = max_bytes
        actions = memory_actions(forget=True, ttl=ttl, max_items=max_items, max_bytes=max_bytes)
        self._action = next(action for action in actions if action.arguments is self.arguments)
        BaseTool.__init__(self, self.arguments, str, self._action.name, self._action.description)

    async def run(self, args: BaseModel, cancellation_token: CancellationToken) -> str:
        """Do what the model asked for, and give the answer, JSON text.

        Raises:
            MemoryToolError: the model made a mistake that it can correct.
        """
        answer = await self._action.arun(self.memory, **args.model_dump())
        if answer.mistake is not None:
            raise MemoryToolError(answer.text) from answer.mistake
        return answer.text

    async def run_json(
        self, args: Mapping[str, Any], cancellation_token: CancellationToken, call_id: str | None = None
    ) -> Any:
        """Do what the model asked for, with the arguments as it gave them.

        Raises:
            MemoryToolError: the model made a mistake that it can correct, such as an argument that is missing.
        """
        try:
            return await super().run_json(args, cancellation_token, call_id)
        except ValidationError as error:  # its own text shows pydantic's, with a link
            raise MemoryToolError(what_is_wrong(error.errors())) from error

    def _to_config(self) -> MemoryToolConfig:
        return MemoryToolConfig(**self._named(), ttl=self.ttl, max_items=self.max_items, max_bytes=self.max_bytes)

    @classmethod
    def _from_config(cls, config: MemoryToolConfig) -> Self:
        return cls(config.open(), ttl=config.ttl, max_items=config.max_items, max_bytes=config.max_bytes)


class RememberTool(MemoryTool):
    """Writes a text under a key."""

    component_provider_override = "botwire_autogen.tools.RememberTool"
    arguments = Remember


class RecallTool(MemoryTool):
    """Reads what stands at a key."""

    component_provider_override = "botwire_autogen.tools.RecallTool"
    arguments = Recall


class ListMemoryTool(MemoryTool):
    """Names the keys with a prefix."""

    component_provider_override = "botwire_autogen.tools.ListMemoryTool"
    arguments = ListMemory


class ForgetTool(MemoryTool):
    """Deletes a key."""

    component_provider_override = "botwire_autogen.tools.ForgetTool"
    arguments = Forget
