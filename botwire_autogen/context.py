"""`BotWireChatCompletionContext`: what a model was told, a row for each message, in a memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from autogen_core import Component
from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import FunctionExecutionResultMessage, LLMMessage

from botwire_autogen.components import MemoryComponent, MemoryConfig
from botwire_autogen.images import run_for_images
from botwire_autogen.messages import from_record, from_records, has_image, to_record, to_records
from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory
from botwire_core.quoting import short
from botwire_core.remembering.showing import check_bound

__all__ = ["BotWireChatCompletionContext", "BotWireChatCompletionContextConfig"]

_MAX_PART: Final = 500


class BotWireChatCompletionContextConfig(MemoryConfig):
    """What a dump of a `BotWireChatCompletionContext` holds."""

    name: str = "default"
    last: int | None = None


class BotWireChatCompletionContext(
    MemoryComponent, ChatCompletionContext, Component[BotWireChatCompletionContextConfig]
):
    """What a model was told: `AssistantAgent(..., model_context=BotWireChatCompletionContext("support"))`.

    Each message is a row of its own, written when it is added, so that what an agent knows survives even where its
    state is never saved, and adding costs the same in a long conversation as in a short one. Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `autogen-contexts` where it is left out.
        name: Which conversation in it, any text that is not empty: each agent of a team needs its own.
        last: Show only the newest so many messages, and not the results of tools whose calls are older than that,
            which no model accepts; None shows all. What is stored stays whole.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `name` is empty or no text, or `last` is not an integer above 0.

    >>> import asyncio
    >>> from autogen_core.models import UserMessage
    >>> async def tell():
    ...     context = BotWireChatCompletionContext(Memory("doctest", "memory:doctest"), name="writer")
    ...     await context.add_message(UserMessage(content="hello", source="user"))
    ...     return await context.get_messages()
    >>> [message.content for message in asyncio.run(tell())]
    ['hello']
    """

    component_provider_override = "botwire_autogen.context.BotWireChatCompletionContext"
    component_config_schema = BotWireChatCompletionContextConfig

    def __init__(self, memory: Memory | str | None = None, *, name: str = "default", last: int | None = None) -> None:
        super().__init__(memory, "autogen-contexts")
        if not isinstance(name, str) or not name:
            raise InvalidValueError(
                f"name: {ascii(name)[:80]} names no conversation", hint="pass text that is not empty, such as the agent"
            )
        self.name = name
        self.last = None if last is None else check_bound(last, "last")
        self._log = f"contexts/{short(name, _MAX_PART)}"

    async def add_message(self, message: LLMMessage) -> None:
        """Add a message at the end.

        Raises:
            InvalidValueError: it is no message.
        """
        record = await run_for_images(to_record, message, are_there=has_image([message]))
        await self.memory.aappend(self._log, record)

    async def get_messages(self) -> list[LLMMessage]:
        """Give the messages, oldest first, as fresh objects.

        What is stored and is no message of AutoGen stays there, and is told by an `UnreadableWarning`.
        """
        messages = await self._read(self.last)
        if self.last is None or len(messages) < self.last:
            return messages
        results = (i for i, message in enumerate(messages) if not isinstance(message, FunctionExecutionResultMessage))
        return messages[next(results, len(messages)) :]

    async def clear(self) -> None:
        """Delete the messages of this conversation."""
        await self.memory.aclear(f"{self._log}/")

    async def save_state(self) -> Mapping[str, Any]:
        """Give all messages, as every context of AutoGen does: `{"messages": [...]}`, of plain data."""
        messages = await self._read(None)
        return {"messages": await run_for_images(to_records, messages, are_there=has_image(messages))}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Make the messages those of a state; only what differs from them is written, in one transaction.

        So nothing is written where the state is that of this conversation, and its own messages are never doubled.

        Raises:
            InvalidValueError: the state is none of a context, or one of its messages is no message.
        """
        given = state.get("messages") if isinstance(state, Mapping) else None
        if not isinstance(given, Sequence):
            raise InvalidValueError("the state is none of a chat completion context", hint="pass what save_state gave")
        messages = await run_for_images(_read_all, given, are_there=has_image(given))
        records = await run_for_images(to_records, messages, are_there=has_image(messages))
        entries = [entry async for entry in self.memory.aentries(f"{self._log}/")]
        same = 0
        while same < min(len(entries), len(records)) and entries[same].value == records[same]:
            same += 1
        if same == len(entries) == len(records):
            return
        async with self.memory.transaction() as transaction:
            for entry in entries[same:]:
                transaction.delete(entry.key)
            if records[same:]:
                transaction.append(self._log, *records[same:])

    async def _read(self, last: int | None) -> list[LLMMessage]:
        records = await self.memory.aread(self._log, last=last)
        return await run_for_images(from_records, records, are_there=has_image(records))

    def _to_config(self) -> BotWireChatCompletionContextConfig:
        return BotWireChatCompletionContextConfig(**self._named(), name=self.name, last=self.last)

    @classmethod
    def _from_config(cls, config: BotWireChatCompletionContextConfig) -> Self:
        return cls(config.open(), name=config.name, last=config.last)


def _read_all(given: Sequence[Any]) -> list[LLMMessage]:
    messages = []
    for number, record in enumerate(given, 1):
        message = from_record(record)
        if message is None:
            raise InvalidValueError(f"message {number} of the state is none that AutoGen knows")
        messages.append(message)
    return messages
