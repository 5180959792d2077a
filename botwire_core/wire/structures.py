"""The shapes that hold others: lists, objects, and values with their encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botwire_core.codec import encode, from_portable, to_portable
from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.protocol import MISSING
from botwire_core.wire.shapes import Misplaced, Shape, shown

__all__ = ["ENCODED", "Conditions", "Json", "Many", "Maybe", "Named", "Portable", "value_error", "value_of"]


_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
ENCODED: Final[dict[str, Any]] = {
    "if": {"properties": {"encoding": {"const": "base64"}}, "required": ["encoding"]},
    "then": {"properties": {"value": {"type": "string", "contentEncoding": "base64", "pattern": _BASE64}}},
}
"""The JSON Schema of an object with a `value` whose `encoding` says what it is."""


class Maybe(Shape):
    """Something or None."""

    __slots__ = ("inner",)

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def read(self, value: Any) -> Any:
        return None if value is None else self.inner.read(value)

    def write(self, value: Any) -> Any:
        return None if value is None else self.inner.write(value)

    def schema(self) -> dict[str, Any]:
        inner = self.inner.schema()
        if type(inner.get("type")) is str and "enum" not in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}


class Many(Shape):
    """A list, or a tuple of any length."""

    __slots__ = ("inner", "kind")

    def __init__(self, inner: Shape, kind: type = list) -> None:
        self.inner = inner
        self.kind = kind

    def read(self, value: Any) -> Any:
        if type(value) is not list:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a list"))
        read = self.inner.read
        found: list[Any] = []
        try:
            for one in value:
                found.append(read(one))  # noqa: PERF401 - how far it came is the place of an error
        except Misplaced as error:
            raise error.inside(f"[{len(found)}]") from None
        return found if self.kind is list else tuple(found)

    def write(self, value: Any) -> Any:
        write = self.inner.write
        return [write(one) for one in value]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.inner.schema()}


class Named(Shape):
    """A dict from text to something of one shape, whose order is kept."""

    __slots__ = ("inner",)

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def read(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a JSON object"))
        read = self.inner.read
        return {name: read(one) for name, one in value.items()}

    def write(self, value: Any) -> Any:
        write = self.inner.write
        return {name: write(one) for name, one in value.items()}

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.inner.schema()}


class Portable(Shape):
    """A value as `{"value": ...}`, bytes as base64 with an `encoding`, and absence as `{"missing": true}`."""

    __slots__ = ("may_be_missing",)

    def __init__(self, *, may_be_missing: bool = False) -> None:
        self.may_be_missing = may_be_missing

    def read(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a JSON object"))
        if self.may_be_missing and value == {"missing": True}:
            return MISSING
        return value_of(value)

    def write(self, value: Any) -> Any:
        return {"missing": True} if value is MISSING else to_portable(value)

    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{'ValueOrMissing' if self.may_be_missing else 'Value'}"}


class Json(Shape):
    """Any JSON value, as it is."""

    __slots__ = ()

    def write(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


class Conditions(Shape):
    """A JSON object whose inner tuples and sets count as lists."""

    __slots__ = ()

    def read(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a JSON object"))
        self._checked(value)
        return value

    def write(self, value: Any) -> Any:
        plain = _plain(value)
        self._checked(plain)
        return plain

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def _checked(self, value: Any) -> None:
        try:
            encode(value)
        except InvalidValueError as error:
            raise Misplaced(type(error)(error.message.removeprefix("value: "), hint=error.hint)) from None


def value_of(members: Mapping[str, Any]) -> Any:
    """The value of `value` and `encoding`."""
    try:
        return from_portable(dict(members))
    except InvalidValueError as error:
        raise value_error(error) from None


def value_error(error: BotWireError) -> Misplaced:
    """The error of the codec, whose message begins with the place, such as `value[3]: `, as one of a shape."""
    place, colon, rest = error.message.partition(": ")
    if not colon or not place.startswith(("value", "encoding")):
        return Misplaced(error, "value")
    return Misplaced(type(error)(rest, hint=error.hint), place)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return value
