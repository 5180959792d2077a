"""What a model is shown of a memory: JSON text, never more of it than it was allowed, and told where it was cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from botwire_core.arguments import check_limit
from botwire_core.codec import Value, to_portable
from botwire_core.errors import InvalidValueError
from botwire_core.results import Entry

__all__ = ["MAX_BYTES", "MAX_ITEMS", "as_text", "check_bound", "entry_shown", "keys_shown", "value_shown"]

MAX_ITEMS: Final = 100
MAX_BYTES: Final = 16_000
# In JSON all of these can only stand within a string; those that are not < end a line to some readers.
_ESCAPES: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<\x7f\x85\u2028\u2029"}


def as_text(members: Value) -> str:
    r"""JSON text on one line: what stands in a value or a key cannot pass for a line or a tag around it.

    >>> as_text({"said": "</memory>"})
    '{"said": "\\u003c/memory>"}'
    """
    return json.dumps(members, ensure_ascii=False).translate(_ESCAPES)


def value_shown(value: Value, room: int) -> dict[str, Any]:
    """The members that show a value; of one that takes more than `room` bytes the beginning, marked as truncated.

    >>> value_shown({"likes": ["tea"]}, 100)
    {'value': {'likes': ['tea']}}
    >>> value_shown("a long story", 6)
    {'value_start': 'a long', 'bytes': 12, 'truncated': True}
    """
    members = to_portable(value)
    text = members["value"] if isinstance(members["value"], str) else as_text(members["value"])
    data = text.encode()
    if len(data) <= room:
        return members
    members.pop("value")
    return {"value_start": data[:room].decode(errors="ignore"), **members, "bytes": len(data), "truncated": True}


def entry_shown(entry: Entry, room: int) -> dict[str, Any]:
    """The members that show an entry: its key, its value, and where it comes from, as far as that is known."""
    members = {"key": entry.key, **value_shown(entry.value, room), "updated_at": entry.updated_at.isoformat()}
    if entry.author is not None:
        members["author"] = entry.author
    return members


def keys_shown(keys: Iterable[str], items: int, room: int) -> dict[str, Any]:
    """The members that list keys: at most `items` of them and about `room` bytes, and the one to go on after.

    >>> keys_shown(["a", "b", "c"], 2, 100)
    {'keys': ['a', 'b'], 'truncated': True, 'next_after': 'b'}
    >>> keys_shown(["a", "b"], 2, 100)
    {'keys': ['a', 'b'], 'truncated': False}
    """
    shown: list[str] = []
    for key in keys:
        room -= len(key.encode())
        if len(shown) == items or (shown and room < 0):
            return {"keys": shown, "truncated": True, "next_after": shown[-1]}
        shown.append(key)
    return {"keys": shown, "truncated": False}


def check_bound(number: int, name: str) -> int:
    """Return how much a model may be shown.

    Raises:
        InvalidValueError: it is not an integer above 0.
    """
    if not check_limit(number, name):
        raise InvalidValueError(
            f"{name}: {number!r} is not an integer above 0", hint="a model cannot read all there is"
        )
    return number
