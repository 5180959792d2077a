"""AutoGen's messages for models to JSON values and back; what comes back is its four kinds of messages, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from autogen_core import Image
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from pydantic import TypeAdapter, ValidationError

from botwire_autogen.images import image_from
from botwire_autogen.unreadable import readable
from botwire_core.codec import Value
from botwire_core.errors import InvalidValueError

__all__ = ["from_record", "from_records", "has_image", "to_record", "to_records"]

_KINDS: Final = (AssistantMessage, FunctionExecutionResultMessage, SystemMessage, UserMessage)
_MESSAGES: Final[TypeAdapter[LLMMessage]] = TypeAdapter(LLMMessage)


def to_record(message: LLMMessage) -> dict[str, Any]:
    """The JSON form of a message; an image in it is a PNG in base64.

    Raises:
        InvalidValueError: it is no message.
    """
    if not isinstance(message, _KINDS):
        raise InvalidValueError(
            f"a {type(message).__name__} is no message for a model", hint="use the classes of autogen_core.models"
        )
    return message.model_dump(mode="json")


def to_records(messages: Iterable[LLMMessage]) -> list[dict[str, Any]]:
    """The JSON forms of messages, in their order."""
    return [to_record(message) for message in messages]


def from_record(record: Value) -> LLMMessage | None:
    """The message that a stored value stands for; None where it stands for none."""
    if not isinstance(record, dict):
        return None
    content = record.get("content")
    if isinstance(content, list) and record.get("type") == "UserMessage":
        # Opened here: AutoGen would let any decoder there is work on what is stored.
        parts = [image_from(part.get("data")) if isinstance(part, dict) else part for part in content]
        if not all(isinstance(part, str | Image) for part in parts):
            return None
        record = {**record, "content": parts}
    try:
        return _MESSAGES.validate_python(record)
    except (ValidationError, TypeError):  # a union that ends with an image lets its TypeError out
        return None


def from_records(records: Iterable[Value]) -> list[LLMMessage]:
    """The messages that stored values stand for, fresh objects; what stands for none is left out, with a warning."""
    return readable(records, from_record, "messages")


def has_image(messages: Iterable[LLMMessage | Value]) -> bool:
    """Whether an image is in one of these messages, or of their records; it takes time to pack and to unpack."""
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else getattr(message, "content", None)
        if isinstance(content, list) and any(
            isinstance(part, Image) or (isinstance(part, dict) and "data" in part) for part in content
        ):
            return True
    return False
