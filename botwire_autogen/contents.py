"""What AutoGen remembers to JSON values and back; what comes back is content and plain data, whatever was stored."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

from autogen_core import Image
from autogen_core.memory import MemoryContent, MemoryMimeType
from pydantic_core import to_jsonable_python

from botwire_autogen.images import image_from, text_of
from botwire_autogen.unreadable import readable
from botwire_core.codec import Value, encode
from botwire_core.errors import InvalidValueError

__all__ = ["from_record", "from_records", "has_image", "is_image", "to_record", "words_of"]

_MIME_TYPES: Final = {mime_type.value: mime_type for mime_type in MemoryMimeType}


def to_record(content: MemoryContent) -> dict[str, Any]:
    """The JSON form of a content: its kind, the content itself, its type and what is known about it.

    Of `metadata`, what JSON lacks is kept as text: dates in ISO 8601, bytes in base64. The content is kept as it is.

    Raises:
        InvalidValueError: it is no content, or has no JSON form.
    """
    if not isinstance(content, MemoryContent):
        raise InvalidValueError(
            f"a {type(content).__name__} is no memory content",
            hint='wrap it: MemoryContent(content="...", mime_type=MemoryMimeType.TEXT)',
        )
    record = _content_record(content.content)
    mime_type = content.mime_type
    record["mime_type"] = mime_type.value if isinstance(mime_type, MemoryMimeType) else mime_type
    if isinstance(mime_type, str) and mime_type in _MIME_TYPES:
        record["mime_type_given"] = "text"  # AutoGen tells the text from the member of the enumeration
    if content.metadata is not None:
        record["metadata"] = _metadata(content.metadata)
    encode(record)
    return record


def from_record(record: Value) -> MemoryContent | None:
    """The content that a stored value stands for; None where it stands for none."""
    if not isinstance(record, dict):
        return None
    kind, stored = record.get("kind"), record.get("content")
    content: Any = None
    if (kind == "text" and isinstance(stored, str)) or (kind == "json" and isinstance(stored, dict)):
        content = stored
    elif kind == "bytes" and isinstance(stored, str):
        try:
            content = base64.b64decode(stored, validate=True)
        except (binascii.Error, ValueError):
            return None
    elif kind == "image":
        content = image_from(stored)
    mime_type, metadata = record.get("mime_type"), record.get("metadata")
    if content is None or not isinstance(mime_type, str) or not isinstance(metadata, dict | None):
        return None
    known = None if record.get("mime_type_given") == "text" else _MIME_TYPES.get(mime_type)
    # Made and not validated: pydantic's union would read an image out of a dict that has the member "data".
    return MemoryContent.model_construct(content=content, mime_type=known or mime_type, metadata=metadata)


def from_records(records: Iterable[Value]) -> list[MemoryContent]:
    """The contents that stored values stand for, fresh objects; what stands for none is left out, with a warning."""
    return readable(records, from_record, "contents")


def is_image(content: object) -> bool:
    """Whether it takes time to make the JSON form of this."""
    return isinstance(content, MemoryContent) and isinstance(content.content, Image)


def has_image(records: Iterable[Value]) -> bool:
    """Whether it takes time to read the contents of these."""
    return any(isinstance(record, dict) and record.get("kind") == "image" for record in records)


def words_of(record: Value) -> Value:
    """What of a stored content is text that people search for."""
    if not isinstance(record, dict):
        return None
    content = record.get("content") if record.get("kind") in {"text", "json"} else None
    return [content, record.get("metadata")]


def _content_record(content: object) -> dict[str, Any]:
    if isinstance(content, str):
        return {"kind": "text", "content": content}
    if isinstance(content, bytes):
        return {"kind": "bytes", "content": base64.b64encode(content).decode("ascii")}
    if isinstance(content, Image):
        return {"kind": "image", "content": text_of(content)}
    return {"kind": "json", "content": content}


def _metadata(metadata: dict[str, Any]) -> Any:
    try:
        encode(metadata)
        return metadata
    except InvalidValueError:
        pass
    try:
        return to_jsonable_python(metadata, bytes_mode="base64", inf_nan_mode="constants")
    except ValueError as error:
        raise InvalidValueError(
            "metadata: a part of it has no JSON form", hint="keep text, numbers, lists and objects in it"
        ) from error
