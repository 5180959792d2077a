"""Values to bytes and back: the only codec, and the validator that stands before it.

A value is any JSON value, or `bytes`. What cannot be kept exactly is refused when it is written,
with the path to the place; so whatever was accepted can be read, with the same types. Text is
compact UTF-8 with the order of members kept.

orjson does the work, behind a walk that refuses what it would change in silence: it writes NaN as
null, tuples as lists, and enums, UUIDs and datetimes as text. Integers outside of 64 bits go
through `json`, since orjson reads them as floats; a payload names its codec, so a read never guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final, TypeAlias

from botwire_core.errors import InvalidValueError, TooLargeError
from botwire_core.records import record

__all__ = [
    "BYTES",
    "JSON",
    "MAX_DEPTH",
    "MAX_INTEGER_DIGITS",
    "MAX_VALUE_BYTES",
    "WIDE_JSON",
    "Payload",
    "Value",
    "decode",
    "encode",
    "from_portable",
    "to_portable",
]

Value: TypeAlias = Any
"""A JSON value (`None bool int float str list dict`) or, at the top level, `bytes`."""

MAX_VALUE_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 128
MAX_INTEGER_DIGITS: Final = 4300  # what CPython converts by default: sys.int_info.default_max_str_digits

JSON: Final = 1
"""JSON text that orjson reads exactly."""
WIDE_JSON: Final = 2
"""JSON text that holds an integer outside of 64 bits."""
BYTES: Final = 3
"""Bytes as they are."""

_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
_TOO_WIDE = 10**MAX_INTEGER_DIGITS


@record
class Payload:
    """A value as it is stored: `codec` says how to read `data`."""

    codec: int
    data: bytes

    @property
    def value(self) -> Value:
        """A fresh copy of the value."""
        return decode(self.codec, self.data)

    def __repr__(self) -> str:
        return f"Payload(codec={self.codec}, {len(self.data)} bytes)"  # never the data: it may be personal


def encode(value: Value) -> Payload:
    """The payload of `value`.

    A pydantic model or dataclass instance at the top level is kept as its JSON form.

    Raises:
        InvalidValueError: a part of it is not JSON; the message names the path.
        TooLargeError: it takes more than 16 MiB.

    >>> encode({"likes": ["tea"]}).data
    b'{"likes":["tea"]}'
    """
    kind = type(value)
    if kind is bytes:
        return Payload(BYTES, _sized(value))
    if kind not in _PLAIN:
        value = _json_form(value)
    data = None
    try:
        exact = _fits(value, 1)
        data = _dumps(value) if exact else _dump_wide(value)
    except (_Refused, TypeError, UnicodeEncodeError):
        pass  # explained below, so that the error carries no inner one
    if data is None:
        _explain(value, "value", 1, [])
        raise InvalidValueError("value: not JSON, or it was changed while it was stored")
    return Payload(JSON if exact else WIDE_JSON, _sized(data))


def decode(codec: int, data: bytes) -> Value:
    """The value that `encode` was given, as a fresh object.

    Raises:
        InvalidValueError: `codec` is unknown, or `data` was not written by `encode`.
    """
    try:
        if codec == JSON:
            return loads(data)
        if codec == BYTES:
            return bytes(data)
        if codec == WIDE_JSON:
            import json

            return json.loads(data)
    except ValueError as error:
        raise InvalidValueError(f"stored bytes are not JSON: {error}") from error
    raise InvalidValueError(f"codec {codec} is unknown", hint="a newer BotWire may have written it")


def to_portable(value: Value) -> dict[str, Value]:
    """The members by which JSON carries a value: `{"value": v}`, bytes as base64 with an `encoding`.

    >>> to_portable(b"hi")
    {'value': 'aGk=', 'encoding': 'base64'}
    """
    if isinstance(value, bytes):
        import base64

        return {"value": base64.b64encode(value).decode("ascii"), "encoding": "base64"}
    return {"value": value}


def from_portable(members: dict[str, Value]) -> Value:
    """The value that `to_portable` was given.

    Raises:
        InvalidValueError: there is no value, or the encoding is unknown or broken.
    """
    if "value" not in members:
        raise InvalidValueError("value: missing")
    value, encoding = members["value"], members.get("encoding")
    if encoding is None:
        return value
    if encoding != "base64" or not isinstance(value, str):
        raise InvalidValueError(f"encoding: {encoding!r} is unknown", hint='the one encoding is "base64"')
    import base64

    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise InvalidValueError(f"value: not base64: {error}") from error


def _loads_at_first(data: bytes) -> Value:
    """`json.loads` for the first few values, so that a script which reads one does not wait 25 ms for orjson."""
    global loads, _left
    if _left and len(data) < _SMALL:
        import json

        _left -= 1
        return json.loads(data)
    import orjson

    loads = orjson.loads
    return loads(data)


def _dumps_at_first(value: Value) -> bytes:
    global _dumps
    import orjson

    _dumps = orjson.dumps
    return _dumps(value)


# What is written is always orjson's: two libraries would write some floats in two ways.
loads: Callable[[bytes], Value] = _loads_at_first
"""The value of `JSON` data."""
_dumps: Callable[[Value], bytes] = _dumps_at_first
_left = 20
_SMALL = 4096


class _Refused(Exception):
    """Something in the value is not JSON; `_explain` says what and where."""


_PLAIN = frozenset({str, int, float, bool, type(None), list, dict})
_ALWAYS_FINE = frozenset({str, bool, type(None)})


def _fits(value: Value, depth: int) -> bool:
    """Whether orjson keeps the value exactly; raises `_Refused` where nothing does.

    Says only that something is wrong: this runs at every write, `_explain` at none that succeeds.
    """
    kind = type(value)
    if kind in _ALWAYS_FINE:
        return True
    if kind is int:
        if _LOWEST <= value <= _HIGHEST:
            return True
        if -_TOO_WIDE < value < _TOO_WIDE:
            return False
        raise _Refused
    if kind is float:
        if isfinite(value):
            return True
        raise _Refused
    if depth > MAX_DEPTH:
        raise _Refused
    exact = True
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise _Refused
            if type(item) not in _ALWAYS_FINE and not _fits(item, depth + 1):
                exact = False
        return exact
    if kind is list:
        for item in value:
            if type(item) not in _ALWAYS_FINE and not _fits(item, depth + 1):
                exact = False
        return exact
    raise _Refused


def _dump_wide(value: Value) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _sized(data: bytes) -> bytes:
    if len(data) > MAX_VALUE_BYTES:
        raise TooLargeError(
            f"value: {len(data):,} bytes, the limit is {MAX_VALUE_BYTES:,}",
            hint="keep large things elsewhere and remember where, or split them over several keys",
        )
    return data


def _json_form(value: Value) -> Value:
    """What a model or dataclass instance is as JSON; anything else as it is, to be refused by the walk."""
    dump = getattr(value, "model_dump", None)
    if dump is not None and hasattr(type(value), "__pydantic_validator__"):
        return dump(mode="json")
    if hasattr(type(value), "__dataclass_fields__") and not isinstance(value, type):
        from pydantic import TypeAdapter

        return TypeAdapter(type(value)).dump_python(value, mode="json")
    return value


def _explain(value: Value, path: str, depth: int, holders: list[int]) -> None:
    """Raise the error that names the first place which cannot be kept; return where there is none."""
    kind = type(value)
    if kind is str:
        if not _encodable(value):
            raise InvalidValueError(
                f"{path}: half a surrogate pair is not JSON", hint="decode the text with errors='replace'"
            )
    elif kind is int:
        if not -_TOO_WIDE < value < _TOO_WIDE:
            raise InvalidValueError(f"{path}: an integer of more than {MAX_INTEGER_DIGITS:,} digits is too wide")
    elif kind is float:
        if not isfinite(value):
            name = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
            raise InvalidValueError(f"{path}: {name} is not JSON", hint="use None for a number that is not known")
    elif kind in (list, dict):
        if id(value) in holders:
            raise InvalidValueError(f"{path}: the {kind.__name__} contains itself")
        if depth > MAX_DEPTH:
            # A cycle is longer than it looks; only the holders tell it from a value that is merely deep.
            deeper = _cycle(value, holders)
            raise InvalidValueError(f"{path}: {deeper or f'nested more than {MAX_DEPTH} levels deep'}")
        holders.append(id(value))
        if kind is list:
            for i, item in enumerate(value):
                _explain(item, f"{path}[{i}]", depth + 1, holders)
        else:
            for key, item in value.items():
                if type(key) is not str:
                    raise InvalidValueError(
                        f"{path}: the member name {key!r} is {_a(key)}, and JSON names are text",
                        hint="convert it with str() first",
                    )
                if not _encodable(key):
                    raise InvalidValueError(f"{path}: the member name {key!a} holds half a surrogate pair")
                _explain(item, f"{path}[{_quoted(key)}]", depth + 1, holders)
        holders.pop()
    elif kind not in _ALWAYS_FINE:
        raise InvalidValueError(f"{path}: {_a(value)} is not JSON", hint=_hint(value))


def _cycle(value: Value, holders: list[int]) -> str:
    seen = set(holders)
    for _ in range(MAX_DEPTH):
        children = value.values() if type(value) is dict else value
        inner = next((child for child in children if type(child) in (list, dict)), None)
        if inner is None:
            return ""
        if id(inner) in seen:
            return f"the {type(inner).__name__} contains itself"
        seen.add(id(inner))
        value = inner
    return ""


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quoted(key: str) -> str:
    text = key if len(key) <= 40 else key[:37] + "..."
    return _dumps(text).decode()


def _a(value: Value) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _hint(value: Value) -> str:
    import datetime
    import enum

    if isinstance(value, enum.Enum):
        return "store its .value"
    if isinstance(value, tuple | set | frozenset):
        return "convert it with list() first"
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return "store its .isoformat()"
    if isinstance(value, bytes | bytearray | memoryview):
        if type(value) is bytes:
            return "bytes can be a whole value, not a part of one"
        return "convert it with bytes() first"
    if hasattr(type(value), "__pydantic_validator__"):
        return 'a model can be a whole value; inside one, use .model_dump(mode="json")'
    if hasattr(type(value), "__dataclass_fields__"):
        return "a dataclass can be a whole value; inside one, use dataclasses.asdict()"
    for base in (str, int, float, list, dict):
        if isinstance(value, base):
            return f"convert it with {base.__name__}() first"
    return "store its text, with str()"
