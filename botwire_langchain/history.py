"""`BotWireChatHistory`: the messages of a session, in a memory."""

from __future__ import annotations

import copy
import hashlib
import logging
import re
from collections.abc import Sequence
from typing import Any, Self

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, ToolMessage

from botwire_core.adapters import as_memory
from botwire_core.arguments import check_limit
from botwire_core.codec import Value
from botwire_core.errors import InvalidKeyError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.names import check_key, check_log
from botwire_langchain.messages import from_records, older_records, to_record

__all__ = ["BotWireChatHistory", "log_name"]

_logger = logging.getLogger("botwire")
_RESERVED = re.compile("[%/\0\ud800-\udfff]")


class BotWireChatHistory(BaseChatMessageHistory):
    """The messages of one session, kept in a memory: they outlive the process, and any process can go on with them.

    Each message is a row of its own, so adding costs the same in a long conversation as in a short one, and two
    writers never lose each other's messages. Making one does no I/O.

    Args:
        session_id: Which conversation; any text that is not empty.
        memory: A `Memory`, or the name of a namespace.
        namespace: The namespace to use where there is no `memory`.
        snapshot: Go on showing the messages that were there at the first look, until this object adds some.
            `RunnableWithMessageHistory` without `history_messages_key` reads twice in a call and takes the difference
            for what is new, so that it loses the user's message if another session writes in between; this option
            cures it. It is for one call: let the factory make a new object each time.
        last: Show only the newest so many messages, and not the results of tools whose calls are older than that,
            which no model accepts; None shows all. What is stored stays whole.

    Raises:
        InvalidValueError: `session_id` is empty or no text, or `last` is not an integer of at least 0.
        InvalidNamespaceError: the name of the namespace breaks a rule.

    >>> history = BotWireChatHistory("user-42", Memory("doctest", "memory:doctest"))
    >>> history.add_user_message("hello")
    >>> [message.content for message in history.messages]
    ['hello']
    """

    def __init__(
        self,
        session_id: str,
        memory: Memory | str | None = None,
        *,
        namespace: str = "langchain-sessions",
        snapshot: bool = False,
        last: int | None = None,
    ) -> None:
        self.session_id = session_id
        self.memory = as_memory(memory, namespace)
        self.snapshot = snapshot
        self.last = check_limit(last, "last")
        self._log = log_name(session_id)
        self._older_key = _key_of_older(session_id)
        self._seen: list[Value] | None = None

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # the base declares an attribute
        """The messages, oldest first, as a fresh list of fresh objects.

        What is stored and is no message that this version of LangChain knows stays there, and is told by a
        `ChatHistoryWarning`.
        """
        if self._seen is None:
            records = self.memory.read(self._log, last=self.last)
            if self._reaches_back(records):
                records = self._read_older() + records
            return self._shown(self._noted(records))
        return self._shown(copy.deepcopy(self._seen))

    async def aget_messages(self) -> list[BaseMessage]:
        """Async twin of `messages`."""
        if self._seen is None:
            records = await self.memory.aread(self._log, last=self.last)
            if self._reaches_back(records):
                records = await self._aread_older() + records
            return self._shown(self._noted(records))
        return self._shown(copy.deepcopy(self._seen))

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages at the end, in their order, in one transaction.

        Raises:
            InvalidValueError: a message has no JSON form, or could not be read back.
        """
        try:
            if records := [to_record(message) for message in messages]:
                self.memory.append(self._log, *records)
        except Exception as error:
            self._log_loss(messages, error)
            raise
        self._seen = None

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Async twin of `add_messages`."""
        try:
            if records := [to_record(message) for message in messages]:
                await self.memory.aappend(self._log, *records)
        except Exception as error:
            self._log_loss(messages, error)
            raise
        self._seen = None

    def clear(self) -> None:
        """Delete the messages of this session, those that BotWire 0.2 kept as a list too."""
        self.memory.clear(f"{self._log}/")
        if self._older_key is not None and self._read_older():
            self.memory.delete(self._older_key)
        self._seen = None

    async def aclear(self) -> None:
        """Async twin of `clear`."""
        await self.memory.aclear(f"{self._log}/")
        if self._older_key is not None and await self._aread_older():
            await self.memory.adelete(self._older_key)
        self._seen = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.session_id!r}, {self.memory!r})"

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._seen = None
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.__copy__()

    def _reaches_back(self, records: list[Value]) -> bool:
        """Whether older messages than those of the log are to be shown."""
        return self.last is None or len(records) < self.last

    def _shown(self, records: list[Value]) -> list[BaseMessage]:
        if self.last is None or len(records) < self.last:
            return from_records(records)
        messages = from_records(records[len(records) - self.last :])
        first = next((i for i, message in enumerate(messages) if not isinstance(message, ToolMessage)), len(messages))
        return messages[first:]

    def _noted(self, records: list[Value]) -> list[Value]:
        if self.snapshot:
            self._seen = copy.deepcopy(records)  # messages hold on to what they are made of, and callers change them
        return records

    def _read_older(self) -> list[Value]:
        return [] if self._older_key is None else older_records(self.memory.get(self._older_key))

    async def _aread_older(self) -> list[Value]:
        return [] if self._older_key is None else older_records(await self.memory.aget(self._older_key))

    def _log_loss(self, messages: Sequence[BaseMessage], error: Exception) -> None:
        # Where LangChain calls this in a listener, it swallows what is raised: the log is the only place to see it.
        _logger.error(
            "%d chat messages were not stored in %s: %s", len(messages), self.memory.namespace, type(error).__name__
        )


def log_name(session_id: str) -> str:
    """The log that keeps a session: one for each session id, and none within another.

    `messages/` and the id, its slashes and percent signs escaped; an id that is too long for a key by its SHA-256.

    Raises:
        InvalidValueError: the id is empty or no text.

    >>> log_name("user-42"), log_name("team/7")
    ('messages/user-42', 'messages/team%2F7')
    """
    if not isinstance(session_id, str) or not session_id:
        raise InvalidValueError(
            f"session_id: {ascii(session_id)[:80]} names no session",
            hint="pass text that is not empty: sessions without a name would share one conversation",
        )
    name = "messages/" + _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", session_id)
    try:
        return check_log(name)
    except InvalidKeyError:
        # No escape starts with %=, so no other id has this name.
        return "messages/%=" + hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def _key_of_older(session_id: str) -> str | None:
    """The key under which BotWire 0.2 kept a session, or None where it cannot have."""
    try:
        return check_key(session_id)
    except InvalidKeyError:
        return None
