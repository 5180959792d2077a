"""How one type looks in JSON: read strictly, written, and described as a JSON Schema.

Here are the shapes of single things; `botwire_core.wire.structures` has those that hold others. Whatever a shape cannot
read is a `Misplaced`, which collects its place on the way up: `steps[2].ttl`.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from math import inf, isfinite
from typing import Any, Final

from botwire_core.clock import from_microseconds, to_microseconds
from botwire_core.errors import BotWireError, InvalidNamespaceError, InvalidValueError
from botwire_core.names import check_namespace

__all__ = [
    "Choice",
    "Flag",
    "Misplaced",
    "Moment",
    "Namespace",
    "Nothing",
    "Number",
    "Seconds",
    "Shape",
    "Text",
    "Whole",
    "shown",
]

LAST_SECOND: Final = 253_402_300_799  # of the year 9999, which is how far a datetime goes

_known_namespace = lru_cache(maxsize=4096)(check_namespace)


class Misplaced(Exception):
    """Something in JSON is not what belongs there; `place` is grown from the inside out."""

    def __init__(self, error: BotWireError, place: str = "") -> None:
        super().__init__(place, error)
        self.error = error
        self.place = place

    def inside(self, outer: str) -> Misplaced:
        """The same, seen from one level further out."""
        return Misplaced(self.error, outer + ("." if self.place[:1] not in ("", "[") else "") + self.place)

    def placed(self) -> BotWireError:
        """The error with the place in front of its message."""
        return type(self.error)(f"{self.place}: {self.error.message}", hint=self.error.hint)


class Shape:
    """How one type looks in JSON."""

    __slots__ = ()

    def read(self, value: Any) -> Any:
        """What the JSON value stands for; raises `Misplaced` where it stands for nothing."""
        return value

    def write(self, value: Any) -> Any:
        """The JSON value that stands for it."""
        return value

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what `read` accepts."""
        raise NotImplementedError


class Text(Shape):
    """A `str`; `error` is the class of what is raised for anything else."""

    __slots__ = ("error", "limits")

    def __init__(self, error: type[BotWireError] = InvalidValueError, **limits: Any) -> None:
        self.error = error
        self.limits = limits

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise Misplaced(self.error(f"{shown(value)} is not text"))
        return value

    def write(self, value: Any) -> Any:
        if not isinstance(value, str):  # the store would refuse it, but JSON cannot carry everything there
            raise Misplaced(self.error(f"{shown(value)} is not text"))
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Misplaced(self.error(f"{shown(value)} holds half a surrogate pair")) from None
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", **self.limits}


class Namespace(Text):
    """A `str` that can name a namespace; reserved names, which start with a dot, cannot."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(InvalidNamespaceError)

    def read(self, value: Any) -> str:
        try:
            return _known_namespace(value) if type(value) is str else check_namespace(value)
        except InvalidNamespaceError as error:
            raise Misplaced(error) from None

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Namespace"}


class Whole(Shape):
    """An `int` of any size."""

    __slots__ = ("limits",)

    def __init__(self, **limits: Any) -> None:
        self.limits = limits

    def read(self, value: Any) -> int:
        if type(value) is not int:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not an integer"))
        return value

    def write(self, value: Any) -> int:
        return self.read(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", **self.limits}


class Number(Shape):
    """An `int` or a finite `float`, whose type is kept."""

    __slots__ = ("limits",)

    def __init__(self, **limits: Any) -> None:
        self.limits = limits

    def read(self, value: Any) -> int | float:
        if type(value) is not int and type(value) is not float:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a number"))
        return value

    def write(self, value: Any) -> Any:
        if isinstance(value, float) and not isfinite(value):
            raise Misplaced(InvalidValueError(f"{value!r} is not a number that JSON has"))
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "number", **self.limits}


class Seconds(Number):
    """A `float` that may be infinite, which is null."""

    __slots__ = ()

    def read(self, value: Any) -> int | float:
        return inf if value is None else super().read(value)

    def write(self, value: Any) -> Any:
        return None if value == inf else super().write(value)

    def schema(self) -> dict[str, Any]:
        return {"type": ["number", "null"], "minimum": 0}


class Flag(Shape):
    """A `bool`."""

    __slots__ = ()

    def read(self, value: Any) -> bool:
        if type(value) is not bool:
            raise Misplaced(InvalidValueError(f"{shown(value)} is neither true nor false"))
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Nothing(Shape):
    """None."""

    __slots__ = ()

    def read(self, value: Any) -> None:
        if value is not None:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not null"))

    def schema(self) -> dict[str, Any]:
        return {"type": "null"}


class Choice(Shape):
    """One of a few texts."""

    __slots__ = ("choices",)

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def read(self, value: Any) -> str:
        if type(value) is not str or value not in self.choices:
            raise Misplaced(
                InvalidValueError(f"{shown(value)} is unknown", hint=f"use one of {', '.join(self.choices)}")
            )
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}


class Moment(Shape):
    """A `datetime` as epoch seconds, exact to the microsecond until the year 2242."""

    __slots__ = ()

    def read(self, value: Any) -> datetime:
        if type(value) not in (int, float) or not 0 <= value <= LAST_SECOND:
            raise Misplaced(InvalidValueError(f"{shown(value)} is not a time", hint="use seconds since 1970 in UTC"))
        whole = int(value)
        # Apart, because a product of all of it would round twice.
        return from_microseconds(whole * 1_000_000 + round((value - whole) * 1_000_000))

    def write(self, value: Any) -> Any:
        if value.tzinfo is None:
            raise Misplaced(InvalidValueError("a datetime without a time zone", hint="use datetime.now(UTC)"))
        return to_microseconds(value) / 1_000_000

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": LAST_SECOND, "description": "epoch seconds, UTC"}


def shown(value: Any) -> str:
    """A JSON value as an error message shows it: short, and in ASCII."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**20 else "an integer of that size"
    return text if len(text) <= 60 else f"{text[:57]}..."
