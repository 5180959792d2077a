"""Values as they are kept: as readable JSON where they are JSON, else as what LangGraph's serializer makes of them.

A row is an object that says what it is and has the value in it, `{"channel": "topic", ..., "value": "tea"}`, or bytes:
the same object without the value as a line of JSON that names the type of the bytes, and the bytes themselves.
"""

from __future__ import annotations

import json
from typing import Any, Final

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from botwire_core.codec import JSON, WIDE_JSON, Value, encode
from botwire_core.errors import InvalidValueError, StoreCorruptError
from botwire_core.records import record

__all__ = ["SMALL", "Packed", "default_serializer", "framed", "loaded", "packed", "plain", "unframed", "unpacked"]

SMALL: Final = 4096
"""Bytes up to which a value is kept in its row, and as JSON where it can be."""


def default_serializer() -> JsonPlusSerializer:
    """LangGraph's serializer, with the types that it knows as safe and no others, and no pickle."""
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=())


@record
class Packed:
    """A value as it is kept: `plain` JSON in an object under "value", or the bytes that a serializer made of it."""

    type: str
    data: bytes
    plain: bool = False
    value: Value = None


def packed(serde: SerializerProtocol, value: Any, *, readable: bool) -> Packed:
    """A value to be kept; `readable`: as JSON where it is JSON and small.

    Raises:
        TypeError: the serializer cannot keep it.
    """
    type_, data = serde.dumps_typed(value)
    if readable and len(data) <= SMALL and type_ != "bytes" and plain(value):
        return Packed("", b"", True, value)
    return Packed(type_, data)


def unpacked(serde: SerializerProtocol, kept: Packed) -> Any:
    """The value that `packed` was given.

    Raises:
        StoreCorruptError: the serializer cannot read it.
    """
    return kept.value if kept.plain else loaded(serde, kept.type, kept.data)


def loaded(serde: SerializerProtocol, type_: str, data: bytes) -> Any:
    """What a serializer makes of bytes.

    Raises:
        StoreCorruptError: nothing; another serializer wrote them, or somebody else.
    """
    try:
        return serde.loads_typed((type_, data))
    except (NotImplementedError, ValueError) as error:
        raise StoreCorruptError(
            f"{len(data):,} bytes of type {ascii(type_)[:80]} are nothing that {type(serde).__name__} can read",
            hint="pass the serde that wrote them; what another program planted stays unread",
        ) from error


def plain(value: Any) -> bool:
    """Whether a value is JSON, and comes back from it with the same types."""
    try:
        return type(value) in _PLAIN and encode(value).codec in (JSON, WIDE_JSON)
    except InvalidValueError:
        return False


def framed(members: dict[str, Any], kept: Packed) -> Value:
    """The row for a value and what else is to be said of it."""
    if kept.plain:
        return {**members, "value": kept.value}
    head = json.dumps({**members, "type": kept.type}, ensure_ascii=True, separators=(",", ":"))
    return head.encode() + b"\n" + kept.data


def unframed(key: str, row: Value) -> tuple[dict[str, Any], Packed]:
    """What `framed` was given.

    Raises:
        StoreCorruptError: the row is none of ours.
    """
    if isinstance(row, dict) and "value" in row:
        return row, Packed("", b"", True, row["value"])
    if isinstance(row, bytes):
        head, _, data = row.partition(b"\n")
        try:
            members = json.loads(head)
            if isinstance(members, dict) and isinstance(members["type"], str):
                return members, Packed(members["type"], data)
        except (ValueError, KeyError, RecursionError):
            pass
    raise StoreCorruptError(
        f"what is stored at {key!r} is no value of a checkpoint",
        hint="delete the thread with saver.delete_thread, or restore the key: memory.history() shows what stood there",
    )


_PLAIN: Final = frozenset({str, int, float, bool, type(None), list, dict})
