"""Values as the text that the first BotWire service keeps, so that SDK 0.2.1 reads them too.

That service keeps text only. SDK 0.2.1 wrote text as it is and everything else as JSON text; it reads what starts
with `[` or `{` as JSON and everything else as text. So lists, objects and nearly all text need nothing more to be
the same to both. A number, true, false, null, bytes, and text that would be read as something else are written as JSON
with three characters of white space after it, which no SDK wrote: this module knows them again by it, every reader of
JSON skips it, and so does `int()`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from botwire_core.codec import BYTES, Payload, Value, encode, from_portable, to_portable
from botwire_core.errors import InvalidValueError

__all__ = ["MARK", "text_of", "value_of"]

MARK: Final = "\t \t"
"""Stands after JSON text that is to be read as the value it is."""


def text_of(payload: Payload) -> str:
    r"""The text to keep for a value.

    >>> text_of(encode(["tea"])), text_of(encode("plain")), text_of(encode(5))
    ('["tea"]', 'plain', '5\t \t')
    """
    if payload.codec == BYTES:
        return json.dumps(to_portable(payload.value)) + MARK
    written = payload.data.decode()
    if written[0] in "[{":
        return written
    value = payload.value
    if isinstance(value, str) and value_of(value) == value:
        return value
    return written + MARK


def value_of(text: str) -> Value:
    r"""The value that a kept text stands for, whoever wrote it; what is no JSON that can be kept is text.

    >>> value_of('{"likes": "tea"}'), value_of("5"), value_of("5\t \t")
    ({'likes': 'tea'}, '5', 5)
    """
    if text.endswith(MARK):
        value = _parsed(text[: -len(MARK)])
        if isinstance(value, dict):
            try:
                return from_portable(value) if value.keys() == {"value", "encoding"} else value
            except InvalidValueError:
                return value
        return text if value is _NOTHING else value
    if text[:1] in ("[", "{"):
        value = _parsed(text)
        return text if value is _NOTHING else value
    return text


_NOTHING: Final[Any] = object()


def _parsed(text: str) -> Any:
    """The value of JSON text; `_NOTHING` where it is none, or none that any store of ours keeps."""
    try:
        value = json.loads(text)
        encode(value)
    except (ValueError, RecursionError):
        return _NOTHING
    return value
