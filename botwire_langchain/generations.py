"""LangChain generations to JSON values and back; what comes back is generations and plain data, whatever was stored."""

from __future__ import annotations

from typing import Any, Final

from langchain_core.messages import RemoveMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk

from botwire_core.codec import Value, encode
from botwire_core.errors import InvalidValueError
from botwire_langchain.messages import from_record, plain, to_record

__all__ = ["from_generation_record", "to_generation_record"]

_CLASSES: Final[dict[str, type[Generation]]] = {
    kind.__name__: kind for kind in (Generation, GenerationChunk, ChatGeneration, ChatGenerationChunk)
}
_WITH_MESSAGE: Final = frozenset({"ChatGeneration", "ChatGenerationChunk"})


def to_generation_record(generation: Generation) -> dict[str, Any]:
    """The JSON form of a generation; a class of somebody's own has that of the nearest one of LangChain's.

    What JSON lacks is kept as text: dates in ISO 8601, bytes in base64.

    Raises:
        InvalidValueError: a part of it has no JSON form, or it could not be read back.
    """
    name = next((kind.__name__ for kind in type(generation).__mro__ if kind is _CLASSES.get(kind.__name__)), None)
    if name is None:
        raise InvalidValueError(
            f"a {type(generation).__name__} is no generation", hint="a cache keeps what a model generated"
        )
    record: dict[str, Any] = {"type": name, "generation_info": generation.generation_info}
    if isinstance(generation, ChatGeneration):
        record["message"] = to_record(generation.message)
    else:
        record["text"] = generation.text
    try:
        encode(record)
    except InvalidValueError:
        record = plain(record)
    return record


def from_generation_record(record: Value) -> Generation | None:
    """The generation that a stored value stands for; None where it stands for none."""
    # A closed list of classes, each made by its own constructor: stored data chooses among four and imports nothing.
    if not isinstance(record, dict):
        return None
    name, info = record.get("type"), record.get("generation_info")
    kind = _CLASSES.get(name) if isinstance(name, str) else None
    if kind is None or not (info is None or isinstance(info, dict)):
        return None
    try:
        if name not in _WITH_MESSAGE:
            return kind(text=record["text"], generation_info=info)
        message = from_record(record["message"])
        if message is None or isinstance(message, RemoveMessage):  # an agent would obey it, and no model says it
            return None
        made = kind(message=message, generation_info=info)  # type: ignore[call-arg]
        return made if isinstance(made.text, str) else None  # older versions put there what the content has for a text
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
