"""From the annotations of a record to its shape in JSON, so that a new op or result needs no line here.

Made when a type is first met: the client of a single call pays for no other.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin

from botwire_core.arguments import MAX_TTL_SECONDS
from botwire_core.codec import Payload
from botwire_core.errors import InvalidKeyError
from botwire_core.names import MAX_KEY_BYTES
from botwire_core.protocol import Missing, Op
from botwire_core.wire.members import (
    REQUIRED,
    Field,
    Item,
    MomentField,
    PayloadField,
    Stored,
    Structure,
    Tagged,
    ValueField,
)
from botwire_core.wire.shapes import Choice, Flag, Moment, Namespace, Nothing, Number, Seconds, Shape, Text, Whole
from botwire_core.wire.structures import Conditions, Many, Maybe, Named, Portable

__all__ = ["result_type", "shape_of", "snake_case", "structure_of"]

# The members whose texts are keys, so that what is wrong with one is the error that an embedded store raises.
_KEYS: Final[dict[str, dict[str, Any]]] = {
    **{name: {"minLength": 1, "maxLength": MAX_KEY_BYTES} for name in ("key", "log", "target")},
    **{name: {"maxLength": MAX_KEY_BYTES} for name in ("after", "prefix")},
}
_NAMESPACES: Final = frozenset({"namespace", "other"})
_SIDES: Final = frozenset({"base", "ours", "theirs"})  # of a conflict, each of which may be absent
_RENAMED: Final = {"payloads": "values"}
_MINIMUM: Final = {"by": {}, "ttl": {"exclusiveMinimum": 0, "maximum": MAX_TTL_SECONDS}}
_SINGLE: Final[dict[Any, Callable[[], Shape]]] = {
    Payload: Stored,
    bool: Flag,
    datetime: Moment,
    type(None): Nothing,
    tuple[str, Payload]: lambda: Item(Text(InvalidKeyError, **_KEYS["key"])),
}


@cache
def structure_of(cls: type, *, strict: bool) -> Structure:
    """The shape of a record; of an op with its name as the member `op`.

    That of a stream reads only a dict, since JSON does not have all that it takes to make one.
    """
    hints = typing.get_type_hints(cls, localns={"FamilyPart": Any})
    fields = [
        _field(cls, name, hints[name], strict)
        for name in cls.__match_args__  # type: ignore[attr-defined]
        if get_origin(hints[name]) not in (Callable, Iterable)  # what a stream is handed is no JSON
    ]
    names = [one.name for one in fields]
    whole = len(names) == len(cls.__match_args__)  # type: ignore[attr-defined]
    make = cls if whole else lambda *values: dict(zip(names, values, strict=True))
    tag = ("op", snake_case(cls.__name__)) if issubclass(cls, Op) else None
    # A record inside of an op is described in its place: by its name it would be mistaken for that of a result.
    return Structure(make, fields, strict=strict, name="" if strict and not tag else cls.__name__, tag=tag)


def shape_of(kind: Any, name: str = "", *, strict: bool) -> Shape:
    """The shape of an annotation; `name` is that of the member, which says what a text or number is."""
    if kind is Any:
        return Portable(may_be_missing=name in _SIDES)
    if kind in _SINGLE:
        return _SINGLE[kind]()
    if kind is str:
        if strict and name in _NAMESPACES:
            return Namespace()
        return Text(InvalidKeyError, **_KEYS[name]) if name in _KEYS else Text()
    if kind is int:
        return Whole(minimum=0) if strict else Whole()
    if kind is float:
        return Seconds() if name == "deleted_for" else Number(**_MINIMUM.get(name, {"minimum": 0}))
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(args, name, strict)
    if origin is Literal:
        return Choice(*args)
    if origin in (list, tuple):
        return Many(shape_of(args[0], "key" if name == "keys" else name, strict=strict), origin)
    if origin is dict:
        return Named(shape_of(args[1], name, strict=strict))
    if origin is Mapping:
        return Conditions()
    return structure_of(kind, strict=strict)


def result_type(op: type[Op[Any]]) -> Any:
    """What an op gives back: the `R` of its `Op[R]`."""
    (base,) = op.__orig_bases__  # type: ignore[attr-defined]
    return get_args(base)[0]


def snake_case(name: str) -> str:
    """The name of a class as a word of the wire.

    >>> snake_case("GetEntry")
    'get_entry'
    """
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _field(cls: type, name: str, kind: Any, strict: bool) -> Field:
    default = cls.__record_defaults__.get(name, REQUIRED)  # type: ignore[attr-defined]
    if hasattr(default, "default_factory"):
        default = REQUIRED
    if kind is Payload:
        return PayloadField(name)
    if kind is Any and name == "value":
        return ValueField(name)
    if datetime in get_args(kind) and str in get_args(kind):
        return MomentField(name)
    # A fork's name is one of a namespace; that of a snapshot or of the author is any text.
    shape = Namespace() if strict and name == "name" else shape_of(kind, name, strict=strict)
    return Field(name, shape, default, _RENAMED.get(name, name))


def _union(args: tuple[Any, ...], name: str, strict: bool) -> Shape:
    if Missing in args:
        return Portable(may_be_missing=True)
    if set(args) == {int, float}:
        return Number(**_MINIMUM.get(name, {}))
    if all(isinstance(one, type) and issubclass(one, Op) for one in args):
        names = {snake_case(one.__name__): one for one in args}
        return Tagged(names, lambda one: structure_of(one, strict=strict))
    (inner,) = (one for one in args if one is not type(None))
    return Maybe(shape_of(inner, name, strict=strict))
