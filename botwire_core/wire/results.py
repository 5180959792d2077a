"""Results as JSON, by what the type of the op says that it gives.

A value is `{"value": ...}`, absence `{"missing": true}`, a time epoch seconds; all else has the names of its members.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botwire_core.errors import BotWireError
from botwire_core.protocol import Op, Transact
from botwire_core.wire.annotations import result_type, shape_of
from botwire_core.wire.shapes import Misplaced, Shape
from botwire_core.wire.structures import Json, Many

__all__ = ["result_from_json", "result_shape", "result_to_json"]


@cache
def result_shape(op: Any) -> Shape:
    """The shape of what an op of this type gives."""
    if op is Transact:
        return Many(Json())  # what steps give is plain JSON: versions, numbers, keys, yes and no
    return shape_of(result_type(op), strict=False)


def result_to_json(op: Op[Any] | type[Op[Any]], result: Any) -> Any:
    """The JSON value of a result of the op, or of an op of that type.

    >>> from botwire_core.protocol import MISSING, Get
    >>> result_to_json(Get, b"hi"), result_to_json(Get, MISSING)
    ({'value': 'aGk=', 'encoding': 'base64'}, {'missing': True})
    """
    return _shape(op).write(result)


def result_from_json(op: Op[Any] | type[Op[Any]], value: Any) -> Any:
    """The result that `result_to_json` was given; members that a newer server adds are overlooked.

    Raises:
        BotWireError: the JSON value is no result of the op.

    >>> from botwire_core.protocol import Get
    >>> result_from_json(Get("space", "key"), {"value": "aGk=", "encoding": "base64"})
    b'hi'
    """
    try:
        return _shape(op).read(value)
    except Misplaced as error:
        raise BotWireError(
            f"the answer is not understood: {error.placed().message}",
            hint="is there a BotWire server at this URL, and of a version like this one?",
        ) from None


def _shape(op: Any) -> Shape:
    return result_shape(op if isinstance(op, type) else type(op))
