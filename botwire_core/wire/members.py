"""Records as JSON objects: each member of a record is one of the object, save those that JSON spells in two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from botwire_core.codec import Payload, encode, from_portable, to_portable
from botwire_core.errors import InvalidValueError
from botwire_core.wire.shapes import Misplaced, Moment, Shape, shown
from botwire_core.wire.structures import ENCODED, Json, value_error, value_of

__all__ = [
    "REQUIRED",
    "Field",
    "Item",
    "MomentField",
    "PayloadField",
    "Stored",
    "Structure",
    "Tagged",
    "ValueField",
]

REQUIRED: Final[Any] = object()
"""The default of a member that has none."""


class Field:
    """One member of a record, and the member of a JSON object by which it goes."""

    __slots__ = ("default", "name", "names", "shape")

    def __init__(self, name: str, shape: Shape, default: Any = REQUIRED, *names: str) -> None:
        self.name = name
        self.shape = shape
        self.default = default
        self.names = names or (name,)

    def take(self, members: Mapping[str, Any]) -> Any:
        """What the JSON members say, the default where they say nothing."""
        name = self.names[0]
        try:
            found = members[name]
        except KeyError:
            if self.default is REQUIRED:
                raise Misplaced(InvalidValueError("missing"), name) from None
            return self.default
        try:
            return self.shape.read(found)
        except Misplaced as error:
            raise error.inside(name) from None

    def put(self, value: Any, members: dict[str, Any]) -> None:
        """Add the JSON members of a value."""
        try:
            members[self.names[0]] = self.shape.write(value)
        except Misplaced as error:
            raise error.inside(self.names[0]) from None

    def properties(self) -> dict[str, Any]:
        """The JSON Schema of each of its members."""
        return {self.names[0]: self.shape.schema()}

    def rules(self) -> dict[str, Any]:
        """What the JSON Schema of the whole object says about its members together."""
        return {}


class PayloadField(Field):
    """A stored value, spread over `value` and `encoding`."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, Json(), REQUIRED, "value", "encoding")

    def take(self, members: Mapping[str, Any]) -> Payload:
        try:
            # Through the codec again, which alone decides what a value is.
            return encode(members["value"] if "encoding" not in members else from_portable(dict(members)))
        except KeyError:
            raise Misplaced(InvalidValueError("missing"), "value") from None
        except InvalidValueError as error:
            raise value_error(error) from None

    def put(self, value: Payload, members: dict[str, Any]) -> None:
        members.update(to_portable(value.value))

    def properties(self) -> dict[str, Any]:
        return {"value": {}, "encoding": {"enum": ["base64", None]}}

    def rules(self) -> dict[str, Any]:
        return ENCODED


class ValueField(PayloadField):
    """A value, spread over `value` and `encoding`."""

    __slots__ = ()

    def take(self, members: Mapping[str, Any]) -> Any:
        return value_of(members)

    def put(self, value: Any, members: dict[str, Any]) -> None:
        members.update(to_portable(value))


class MomentField(Field):
    """A revision's number or label as it is, and a datetime under another name as epoch seconds."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, Json(), None, name, f"{name}_time")

    def take(self, members: Mapping[str, Any]) -> Any:
        name, time = self.names
        if time in members:
            if name in members:
                raise Misplaced(InvalidValueError(f"{name} says it already"), time)
            try:
                return Moment().read(members[time])
            except Misplaced as error:
                raise error.inside(time) from None
        moment = members.get(name)
        if moment is not None and type(moment) not in (int, str):
            raise Misplaced(InvalidValueError(f"{shown(moment)} is neither a number nor a label"), name)
        return moment

    def put(self, value: Any, members: dict[str, Any]) -> None:
        name, time = self.names
        if isinstance(value, datetime):
            try:
                members[time] = Moment().write(value)
            except Misplaced as error:
                raise error.inside(name) from None
        elif value is not None:
            members[name] = value

    def properties(self) -> dict[str, Any]:
        name, time = self.names
        return {name: {"type": ["integer", "string", "null"], "minimum": 0}, time: Moment().schema()}

    def rules(self) -> dict[str, Any]:
        return {"not": {"required": list(self.names)}}


class Structure(Shape):
    """A record as a JSON object.

    A strict one is what a client asks: it refuses members that it does not know, and writes no defaults. Any other is
    what a server tells: it writes all members, and overlooks those that a newer server may add.
    """

    __slots__ = ("_known", "cls", "fields", "name", "tag")

    def __init__(
        self,
        cls: Callable[..., Any],
        fields: list[Field],
        *,
        strict: bool,
        name: str = "",
        tag: tuple[str, str] | None = None,
    ) -> None:
        self.cls = cls
        self.fields = fields
        self.name = name
        self.tag = tag
        names = {name for one in fields for name in one.names} | ({tag[0]} if tag else set())
        self._known = frozenset(names) if strict else None

    def read(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a JSON object"))
        if self._known is not None and not value.keys() <= self._known:
            unknown = min(value.keys() - self._known)
            known = ", ".join(sorted(self._known))
            raise Misplaced(InvalidValueError(f"the member {shown(unknown)} is unknown", hint=f"known are {known}"))
        try:
            return self.cls(*[one.take(value) for one in self.fields])
        except InvalidValueError as error:  # of a record that judges its members
            raise Misplaced(error) from None

    def write(self, value: Any) -> dict[str, Any]:
        members: dict[str, Any] = {self.tag[0]: self.tag[1]} if self.tag else {}
        for one in self.fields:
            found = getattr(value, one.name)
            if self._known is None or found != one.default or type(found) is not type(one.default):
                one.put(found, members)
        return members

    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{self.name}"} if self.name else self.definition()

    def definition(self) -> dict[str, Any]:
        """The JSON Schema itself, where `schema` may be a reference to it by name."""
        properties: dict[str, Any] = {self.tag[0]: {"const": self.tag[1]}} if self.tag else {}
        required = list(properties)
        rules: dict[str, Any] = {}
        for one in self.fields:
            properties |= one.properties()
            rules |= one.rules()
            if one.default is REQUIRED or self._known is None:
                required.append(one.names[0])
        found: dict[str, Any] = {"type": "object", "properties": properties, "required": required, **rules}
        if self._known is not None:
            found["additionalProperties"] = False
        return found


class Stored(Shape):
    """A payload as `{"value": ..., "encoding"?}`."""

    __slots__ = ("_structure",)

    def __init__(self) -> None:
        self._structure = Structure(lambda payload: payload, [PayloadField("payload")], strict=True)

    def read(self, value: Any) -> Any:
        return self._structure.read(value)

    def write(self, value: Any) -> Any:
        return to_portable(value.value)

    def schema(self) -> dict[str, Any]:
        return self._structure.schema()


class Item(Shape):
    """A key and a payload as `{"key": ..., "value": ..., "encoding"?}`."""

    __slots__ = ("_key", "_structure")

    def __init__(self, key: Shape) -> None:
        self._key = Field("key", key)
        self._structure = Structure(lambda *pair: pair, [self._key, PayloadField("payload")], strict=True)

    def read(self, value: Any) -> Any:
        return self._structure.read(value)

    def write(self, value: Any) -> Any:
        members: dict[str, Any] = {}
        self._key.put(value[0], members)
        return members | to_portable(value[1].value)

    def schema(self) -> dict[str, Any]:
        return self._structure.schema()


class Tagged(Shape):
    """One of several records, named by the member `op`."""

    __slots__ = ("_structure_of", "types")

    def __init__(self, types: Mapping[str, type], structure_of: Callable[[type], Structure]) -> None:
        self.types = types
        self._structure_of = structure_of

    def read(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a JSON object"))
        name = value.get("op")
        kind = self.types.get(name) if type(name) is str else None
        if kind is None:
            what = f"{shown(name)} is unknown" if "op" in value else "missing"
            raise Misplaced(InvalidValueError(what, hint=f"use one of {', '.join(self.types)}"), "op")
        return self._structure_of(kind).read(value)

    def write(self, value: Any) -> Any:
        if type(value) not in self.types.values():
            raise Misplaced(InvalidValueError(f"{type(value).__name__} cannot be one of these"))
        return self._structure_of(type(value)).write(value)

    def schema(self) -> dict[str, Any]:
        refs = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in self.types.values()]
        return {"oneOf": refs}
