"""LangChain messages to JSON values and back; what comes back is messages and plain data, whatever was stored."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any, TypeGuard

from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from pydantic_core import to_jsonable_python

from botwire_core.codec import Value, encode
from botwire_core.errors import InvalidValueError

__all__ = ["ChatHistoryWarning", "from_record", "from_records", "older_records", "plain", "to_record"]


class ChatHistoryWarning(UserWarning):
    """Something that is stored in a chat history is no message that this LangChain knows, and was left out."""


def to_record(message: BaseMessage) -> dict[str, Any]:
    """The JSON form of a message.

    What JSON lacks is kept as text: dates in ISO 8601, bytes in base64.

    Raises:
        InvalidValueError: a part of it has no JSON form, or it could not be read back.
    """
    if not isinstance(message, BaseMessage):
        raise InvalidValueError(
            f"a {type(message).__name__} is no message",
            hint="convert it with langchain_core.messages.convert_to_messages",
        )
    record: dict[str, Any] = message_to_dict(message)
    try:
        encode(record)
    except InvalidValueError:
        record = plain(record)
    if not type(message).__module__.startswith("langchain_core.") and from_record(record) is None:
        raise InvalidValueError(
            f"messages of type {message.type!r} cannot be read back", hint="LangChain reads only its own types"
        )
    return record


def from_record(record: Value) -> BaseMessage | None:
    """The message that a stored value stands for; None where it stands for none that is known."""
    # Never `load`: it makes objects of the classes that stored data names. This makes messages and imports nothing.
    try:
        return messages_from_dict([record])[0]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def from_records(records: Iterable[Value]) -> list[BaseMessage]:
    """The messages that stored values stand for, fresh objects; the rest stays stored and is told by a warning."""
    messages = []
    unknown = 0
    for record in records:
        message = from_record(record)
        if message is None:
            unknown += 1
        else:
            messages.append(message)
    if unknown:
        warnings.warn(
            f"{unknown} of {unknown + len(messages)} stored messages are of a kind that this version of langchain-core "
            "does not know, and were left out",
            ChatHistoryWarning,
            stacklevel=4,
        )
    return messages


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record with text in place of what JSON lacks: dates in ISO 8601, bytes in base64.

    Raises:
        InvalidValueError: a part of it has no JSON form.
    """
    try:
        made: dict[str, Any] = to_jsonable_python(record, bytes_mode="base64", inf_nan_mode="constants")
    except ValueError as error:
        raise InvalidValueError(
            "a part of the message has no JSON form",
            hint="look at its additional_kwargs, response_metadata and artifact",
        ) from error
    return made


def older_records(value: Value) -> list[Value]:
    """The records in what BotWire 0.2 kept: all messages of a session as one list, or as the text of one."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return value if _is_older(value) else []


def _is_older(value: Value) -> TypeGuard[list[Value]]:
    # The key is a user's as much as ours: only a list of nothing but message records was written by a chat history.
    return isinstance(value, list) and all(
        isinstance(record, dict) and record.keys() == {"type", "data"} for record in value
    )
