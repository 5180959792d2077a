"""Ops as JSON: `{"op": "set", "namespace": ..., ...}`, made and read by the annotations of the protocol.

A payload is spelled `value`, for bytes with `"encoding": "base64"`; a member that is absent has its default, and an
unknown one is refused. Streams move more than a body should hold, so they are no ops of a list but have routes of
their own: their JSON is everything but what they are handed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botwire_core import protocol
from botwire_core.errors import UnsupportedError
from botwire_core.protocol import ExportAll, ExportFamily, Import, ImportFamily, Op
from botwire_core.scopes import ops as scopes
from botwire_core.wire.annotations import snake_case, structure_of
from botwire_core.wire.members import Structure, Tagged
from botwire_core.wire.shapes import Misplaced

__all__ = ["OP_TYPES", "STREAM_TYPES", "op_from_json", "op_name", "op_to_json", "stream_from_json", "stream_to_json"]


def op_name(op: type[Op[Any]]) -> str:
    """The name of an op on the wire.

    >>> op_name(protocol.GetEntry)
    'get_entry'
    """
    return snake_case(op.__name__)


STREAM_TYPES: Final[Mapping[str, type[Op[Any]]]] = {
    op_name(kind): kind for kind in (ExportAll, ExportFamily, Import, ImportFamily)
}
"""The ops that are handed a callable or an iterable, by name."""

OP_TYPES: Final[Mapping[str, type[Op[Any]]]] = {
    op_name(kind): kind
    for module in (protocol, scopes)
    for kind in map(vars(module).__getitem__, module.__all__)
    if isinstance(kind, type) and issubclass(kind, Op) and kind is not Op and kind not in STREAM_TYPES.values()
}
"""Every other op of the protocol and of scopes, by name."""


def op_to_json(op: Op[Any]) -> dict[str, Any]:
    """The JSON members of an op; those that have their defaults are left out.

    Raises:
        InvalidValueError, InvalidKeyError: JSON cannot carry it; the message names the place.
        UnsupportedError: the op is a stream, or none of the protocol.

    >>> op_to_json(protocol.Get("space", "key"))
    {'op': 'get', 'namespace': 'space', 'key': 'key'}
    """
    return _write(op, OP_TYPES)


def op_from_json(members: Any, place: str = "") -> Op[Any]:
    """The op of JSON members; `place` is where they stand, such as `ops[0]`, for the message of an error.

    Only what the members are is judged here; which keys, times and limits make sense is up to the store.

    Raises:
        InvalidValueError, InvalidKeyError, InvalidNamespaceError: they are no op; the message names the place.

    >>> op_from_json({"op": "get", "namespace": "space", "key": "key"})
    Get(namespace='space', key='key', at=None)
    """
    op: Op[Any] = _read(_ANY_OP, members, place)
    return op


def stream_to_json(op: Op[Any]) -> dict[str, Any]:
    """The JSON members of a stream, without what it is handed.

    Raises:
        UnsupportedError: the op is no stream.

    >>> stream_to_json(ExportAll("space", print))
    {'op': 'export_all', 'namespace': 'space'}
    """
    return _write(op, STREAM_TYPES)


def stream_from_json(members: Any, handed: Any, place: str = "") -> Op[Any]:
    """The stream of JSON members: `handed` is the callable that an export writes to, or what an import reads.

    Raises:
        InvalidValueError, InvalidNamespaceError: they are no stream; the message names the place.
    """
    bare: Mapping[str, Any] = _read(_ANY_STREAM, members, place)
    kind: Any = STREAM_TYPES[members["op"]]
    (name,) = set(kind.__match_args__) - bare.keys()
    op: Op[Any] = kind(**bare, **{name: handed})
    return op


def _write(op: Op[Any], types: Mapping[str, type[Op[Any]]]) -> dict[str, Any]:
    kind: Any = type(op)
    if types.get(op_name(kind)) is not kind:
        raise UnsupportedError(f"{kind.__name__} does not go over the wire")
    try:
        return _structure_of(kind).write(op)
    except Misplaced as error:
        raise error.placed() from None


def _read(shape: Tagged, members: Any, place: str) -> Any:
    try:
        return shape.read(members)
    except Misplaced as error:
        raise (error.inside(place) if place else error).placed() from None


def _structure_of(kind: Any) -> Structure:
    return structure_of(kind, strict=True)


_ANY_OP: Final = Tagged(OP_TYPES, _structure_of)
_ANY_STREAM: Final = Tagged(STREAM_TYPES, _structure_of)
