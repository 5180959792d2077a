"""`BotWireMemory`: what AutoGen's agents know, in a memory that outlives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from autogen_core import CancellationToken, Component
from autogen_core.memory import Memory as AutoGenMemory
from autogen_core.memory import MemoryContent, MemoryQueryResult, UpdateContextResult
from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import LLMMessage, UserMessage

from botwire_autogen.blocks import new_block, without_bytes
from botwire_autogen.cancelling import cancellable
from botwire_autogen.components import MemoryComponent, MemoryConfig
from botwire_autogen.contents import from_records, has_image, is_image, to_record, words_of
from botwire_autogen.images import run_for_images
from botwire_core.arguments import check_ttl
from botwire_core.codec import Value
from botwire_core.errors import InvalidValueError
from botwire_core.matching import tokens
from botwire_core.memory import Memory
from botwire_core.remembering.showing import MAX_BYTES, check_bound

__all__ = ["BotWireMemory", "BotWireMemoryConfig"]

_LOG: Final = "memories"
_PAGE: Final = 50
_RECALLS: Final = ("newest", "relevant")


class BotWireMemoryConfig(MemoryConfig):
    """What a dump of a `BotWireMemory` holds."""

    name: str = "botwire"
    recall: Literal["newest", "relevant"] = "newest"
    limit: int = 20
    max_bytes: int = MAX_BYTES
    ttl: float | None = None


class BotWireMemory(MemoryComponent, AutoGenMemory, Component[BotWireMemoryConfig]):
    """What agents know: `AssistantAgent(..., memory=[BotWireMemory("support")])`.

    Text, JSON, Markdown, images and bytes come back as they were added, each with its metadata, in any process.
    Before each answer, the agent is shown what its context does not show yet, so that a line never stands there
    twice. Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `autogen-memory` where it is left out.
        name: What to call it.
        recall: What an agent is shown: the "newest" contents, or those "relevant" to its last message, by words.
        limit: How many contents a query gives and an agent is shown at most.
        max_bytes: How many bytes an agent is shown at a time at most.
        ttl: Seconds until a content is forgotten; None keeps it.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `recall` is no such word, or `limit`, `max_bytes` or `ttl` is not a number above 0.

    >>> import asyncio
    >>> from autogen_core.memory import MemoryMimeType
    >>> async def ask():
    ...     memory = BotWireMemory(Memory("doctest", "memory:doctest"))
    ...     await memory.add(MemoryContent(content="Ana likes tea", mime_type=MemoryMimeType.TEXT))
    ...     await memory.add(MemoryContent(content="Tom likes coffee", mime_type=MemoryMimeType.TEXT))
    ...     return (await memory.query("Who takes tea?")).results
    >>> [content.content for content in asyncio.run(ask())]
    ['Ana likes tea']
    """

    component_provider_override = "botwire_autogen.memory.BotWireMemory"
    component_config_schema = BotWireMemoryConfig

    def __init__(
        self,
        memory: Memory | str | None = None,
        *,
        name: str = "botwire",
        recall: Literal["newest", "relevant"] = "newest",
        limit: int = 20,
        max_bytes: int = MAX_BYTES,
        ttl: float | None = None,
    ) -> None:
        super().__init__(memory, "autogen-memory")
        if recall not in _RECALLS:
            raise InvalidValueError(f"recall: {ascii(recall)[:80]} is unknown", hint='use "newest" or "relevant"')
        self.name = name
        self.recall: Literal["newest", "relevant"] = recall
        self.limit = check_bound(limit, "limit")
        self.max_bytes = check_bound(max_bytes, "max_bytes")
        self.ttl = check_ttl(ttl)

    async def add(self, content: MemoryContent, cancellation_token: CancellationToken | None = None) -> None:
        """Remember a content, after those that are there.

        Raises:
            InvalidValueError: it has no JSON form.
        """
        await cancellable(self._add(content), cancellation_token)

    async def query(
        self,
        query: str | MemoryContent = "",
        cancellation_token: CancellationToken | None = None,
        *,
        limit: int | None = None,
        where: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """Find contents: those that hold a word of the query, best match first, or without words the newest.

        Args:
            query: Words, of which rarer ones count more, or a content with text; empty for the newest contents,
                which come oldest first.
            cancellation_token: Cancels the query.
            limit: At most so many; None for the limit that this object was made with.
            where: Conditions on fields, as `Memory.search` takes them: `{"metadata.user": "ana"}`.
            kwargs: Taken for the sake of other memories, and of no effect.

        Raises:
            InvalidValueError: a condition makes no sense, or `limit` is not an integer above 0.
        """
        most = self.limit if limit is None else check_bound(limit, "limit")
        found = await cancellable(self._query(_text_of(query), where, most), cancellation_token)
        return MemoryQueryResult(results=found)

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """Show what is remembered, as one system message with what no earlier one shows; none where all is shown.

        Gives all that was recalled, shown now or before, of which AutoGen makes an event. Events are written down as
        JSON text, which bytes are not: of them it gives what the agent is shown, their type and size.
        """
        messages = await model_context.get_messages()
        words = _last_words(messages) if self.recall == "relevant" else ""
        found = await self._query(words, None, self.limit) if words or self.recall == "newest" else []
        block = new_block(found, messages, self.max_bytes)
        if block is not None:
            await model_context.add_message(block)
        return UpdateContextResult(memories=MemoryQueryResult(results=[without_bytes(content) for content in found]))

    async def clear(self) -> None:
        """Forget all contents; other keys of the memory stay."""
        await self.memory.aclear(f"{_LOG}/")

    async def close(self) -> None:
        """Let go of the store where nobody else in this process uses it; it opens itself again when it is next used."""
        async with self.memory:
            pass

    async def _add(self, content: MemoryContent) -> None:
        record = await run_for_images(to_record, content, are_there=is_image(content))
        await self.memory.aappend(_LOG, record, ttl=self.ttl)

    async def _query(self, words: str, where: Mapping[str, Any] | None, limit: int) -> list[MemoryContent]:
        wanted = set(tokens(words))
        if wanted:
            records = await self._matching(words, wanted, where, limit)
        elif where is None:
            records = await self.memory.aread(_LOG, last=limit)
        else:
            entries = await self.memory.asearch(f"{_LOG}/", where=where, limit=limit)
            records = [entry.value for entry in sorted(entries, key=lambda entry: entry.key)]
        return await run_for_images(from_records, records, are_there=has_image(records))

    async def _matching(self, words: str, wanted: set[str], where: Mapping[str, Any] | None, limit: int) -> list[Value]:
        # A record's own words, such as its type, match too; they are not what anybody asks for.
        found: list[Value] = []
        size, offset = max(_PAGE, limit), 0
        while True:
            page = await self.memory.asearch(f"{_LOG}/", words=words, where=where, limit=size, offset=offset)
            found += [entry.value for entry in page if not wanted.isdisjoint(tokens(words_of(entry.value)))]
            if len(found) >= limit or len(page) < size:
                return found[:limit]
            offset += size

    def _to_config(self) -> BotWireMemoryConfig:
        return BotWireMemoryConfig(
            **self._named(),
            name=self.name,
            recall=self.recall,
            limit=self.limit,
            max_bytes=self.max_bytes,
            ttl=self.ttl,
        )

    @classmethod
    def _from_config(cls, config: BotWireMemoryConfig) -> Self:
        options = config.model_dump(include={"name", "recall", "limit", "max_bytes", "ttl"})
        return cls(config.open(), **options)


def _text_of(query: str | MemoryContent) -> str:
    if isinstance(query, str):
        return query
    return " ".join(tokens(query.content)) if isinstance(query.content, str | dict) else ""


def _last_words(messages: list[LLMMessage]) -> str:
    """What the last message of a user says."""
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            parts = [message.content] if isinstance(message.content, str) else message.content
            return " ".join(part for part in parts if isinstance(part, str))
    return ""
