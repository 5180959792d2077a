"""A serializer for one call that reads many checkpoints of a thread, most of whose messages are the same.

LangGraph's serializer takes ten times as long to make a message of bytes as it takes to copy one. In a list of all
checkpoints of a thread the first message is in each of them.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

__all__ = ["remembering"]

_MESSAGES: Final = frozenset({AIMessage, HumanMessage, SystemMessage, ToolMessage})
_FIXED: Final = frozenset({str, int, float, bool, type(None)})
_MOST: Final = 10_000  # messages
_LONGEST: Final = 64 * 1024  # bytes
_new: Final = object.__new__
_put: Final = object.__setattr__


def remembering(serde: SerializerProtocol) -> SerializerProtocol:
    """A serializer that reads what another one reads, and makes LangChain's messages of the same bytes only twice.

    What it gives is always an object of its own. It is for one call, since it holds on to what it has read; a
    serializer other than LangGraph's own is given back as it is.
    """
    hook = getattr(serde, "_unpack_ext_hook", None)
    if type(serde) is not JsonPlusSerializer or hook is None:
        return serde
    known: dict[tuple[int, bytes], BaseMessage | None] = {}

    def unpack(code: int, data: bytes) -> Any:
        key = code, data
        message = known.get(key)
        if message is not None:
            return _copied(message)
        made = hook(code, data)
        # Most of what is read once is never read again, and would be copied for nothing.
        if key in known:
            if _can_be_copied(made):
                known[key] = made
                return _copied(made)
        elif len(known) < _MOST and len(data) <= _LONGEST:
            known[key] = None
        return made

    other = copy.copy(serde)
    vars(other)["_unpack_ext_hook"] = unpack
    return other


def _can_be_copied(made: Any) -> bool:
    return (
        type(made) in _MESSAGES
        and not made.__pydantic_extra__
        and not made.__pydantic_private__
        and all(type(value) in _FIXED or type(value) in (list, dict) for value in made.__dict__.values())
    )


def _copied(message: BaseMessage) -> BaseMessage:
    """A message that shares nothing with another that could be changed."""
    # As pydantic copies, in a quarter of the time: all is known to be there, and most of it to be empty.
    made = _new(type(message))
    told = {
        name: value if type(value) in _FIXED else copy.deepcopy(value) if value else type(value)()
        for name, value in message.__dict__.items()
    }
    _put(made, "__dict__", told)
    _put(made, "__pydantic_fields_set__", message.__pydantic_fields_set__.copy())
    _put(made, "__pydantic_extra__", None if message.__pydantic_extra__ is None else {})
    _put(made, "__pydantic_private__", None)
    return made
