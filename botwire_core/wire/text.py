"""JSON text: strict and exact in both directions, and as quick as orjson where that is exact by itself.

orjson takes the last of two members of one name, and makes floats of integers beyond 64 bits. Both show when what
it read is written again: text that comes out as it went in was read exactly, and that is how our own client writes.
Everything else (spaces, escapes, wide integers, errors) goes through the strict parser of `botwire_core.exchange`.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

import orjson

from botwire_core.errors import InvalidValueError
from botwire_core.exchange import parse_json

__all__ = ["MAX_TEXT_DEPTH", "dump", "parse"]

MAX_TEXT_DEPTH: Final = 254
"""Levels of nesting that are read at all: those of a value, and those around it. orjson writes no more."""


def parse(data: bytes) -> Any:
    """The value of JSON text in UTF-8.

    Raises:
        MalformedJsonError: it is no JSON: cut off, with a comment, in another encoding, or with something behind it.
        InvalidValueError: it is JSON that cannot be kept exactly: NaN, a number beyond all floats, an integer of more
            than 4,300 digits, a member twice in an object, half a surrogate pair, or nesting beyond `MAX_TEXT_DEPTH`.

    >>> parse(b'{"n": 100000000000000000000}')
    {'n': 100000000000000000000}
    """
    try:
        value = orjson.loads(data)
        if orjson.dumps(value) == data:
            return value
    except (orjson.JSONDecodeError, TypeError):
        pass  # what is wrong, if anything is, the strict parser says
    value = parse_json(bytes(data))
    try:
        if b"null" not in orjson.dumps(value):  # the null may stand for an infinity
            return value
    except TypeError:
        pass  # a wide integer, half a surrogate pair, or too deep
    _check(value)
    return value


def dump(value: Any) -> bytes:
    """The compact JSON text of a value, integers of any size exact.

    The value is made of what `botwire_core.codec` accepts, as `botwire_core.wire` makes it: that it is, is not
    checked again.

    Raises:
        InvalidValueError: a text in it holds half a surrogate pair.

    >>> dump({"n": 10**20})
    b'{"n":100000000000000000000}'
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        pass  # wide integers most often
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError("half a surrogate pair is not JSON") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValueError(f"not JSON: {error}") from error


def _check(value: Any) -> None:
    """Refuse what the strict parser let through: infinities, halves of surrogate pairs, depth."""
    level = [value]
    for _ in range(MAX_TEXT_DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            if type(one) is dict:
                inner += one
                inner += one.values()
            elif type(one) is list:
                inner += one
            elif type(one) is float:
                if not isfinite(one):
                    raise InvalidValueError("a number beyond all floats cannot be kept", hint="write it as text")
            elif type(one) is str and not one.isascii():
                _check_text(one)
        if not inner:
            return
        level = inner
    raise InvalidValueError(f"nested more than {MAX_TEXT_DEPTH} levels deep")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            "half a surrogate pair is not text", hint="decode the text with errors='replace'"
        ) from error
