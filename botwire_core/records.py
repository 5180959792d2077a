"""`@record`: what `@dataclass(frozen=True, slots=True)` is, for a twentieth of its price at import.

The standard module costs 21 milliseconds to load (it needs `inspect`), and half of one for each class, since it
compiles six methods for every class that is never used in a run. A record shares its methods and compiles its
constructor when the first instance is made; for the 80 classes of the core that is the difference between an
import of 25 and of 90 milliseconds. To everybody else a record is a dataclass: `dataclasses.fields`, `asdict`,
`replace` and pydantic take it for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, dataclass_transform, overload

__all__ = ["field", "record", "replace"]

C = TypeVar("C", bound=type)
T = TypeVar("T")

_NONE: Final[Any] = object()


class _Field:
    """How a member is filled and shown, where it is not simply given."""

    __slots__ = ("default_factory", "repr")

    def __init__(self, default_factory: Any, repr: bool) -> None:
        self.default_factory = default_factory
        self.repr = repr


def field(*, default_factory: Callable[[], T] = _NONE, repr: bool = True) -> T:
    """A member with a default that is made anew for each record, or one that `repr` leaves out."""
    return _Field(default_factory, repr)  # type: ignore[return-value]


@overload
def record(cls: C) -> C: ...
@overload
def record(*, frozen: bool) -> Callable[[C], C]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: Any = None, *, frozen: bool = True) -> Any:
    """Make a slotted class of annotated members with a constructor, `repr`, and `==`; frozen ones can be hashed.

    `__post_init__` runs after the members are set. Methods that the class defines itself stay.
    """
    return _make(cls, frozen) if cls is not None else lambda cls: _make(cls, frozen)


def replace(one: T, **changes: Any) -> T:
    """A copy of a record with some members changed."""
    kept = {name: getattr(one, name) for name in type(one).__match_args__}  # type: ignore[attr-defined]
    return type(one)(**{**kept, **changes})


def _make(cls: type, frozen: bool) -> type:
    # inspect.get_annotations would load the module that records exist to spare.
    annotations = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
    names = [name for name, kind in annotations.items() if not kind.startswith("ClassVar")]
    body = {name: value for name, value in cls.__dict__.items() if name not in ("__dict__", "__weakref__", *names)}
    own = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    inherited = [base for base in reversed(cls.__mro__[1:]) if "__record_defaults__" in base.__dict__]
    members = list(dict.fromkeys([*(name for base in inherited for name in base.__match_args__), *names]))  # type: ignore[attr-defined]
    defaults = {name: value for base in inherited for name, value in base.__record_defaults__.items()}  # type: ignore[attr-defined]
    body |= {
        "__slots__": tuple(names),
        "__match_args__": tuple(members),
        "__record_defaults__": {**defaults, **own},
        "__dataclass_fields__": _DataclassFields(),
        "__qualname__": cls.__qualname__,
    }
    shared: dict[str, Any] = {"__init__": _first_init, "__repr__": _repr, "__eq__": _eq, "__reduce__": _reduce}
    if frozen:
        shared |= {"__hash__": _hash, "__setattr__": _refuse_set, "__delattr__": _refuse_delete}
    else:
        shared["__hash__"] = None
    for name, method in shared.items():
        if name not in cls.__dict__ or (name == "__hash__" and cls.__dict__[name] is None):
            body[name] = method
    return type(cls)(cls.__name__, cls.__bases__, body)


def _first_init(self: Any, *args: Any, **kwargs: Any) -> None:
    cls: Any = type(self)
    while "__record_defaults__" not in cls.__dict__:
        cls = cls.__base__
    cls.__init__ = _constructor(cls)
    cls.__init__(self, *args, **kwargs)


def _constructor(cls: Any) -> Any:
    """The constructor, compiled: it sets the slots past `__setattr__`, which a frozen record refuses."""
    scope: dict[str, Any] = {"_NONE": _NONE}
    parameters, lines = [], []
    for name in cls.__match_args__:
        scope[f"_set_{name}"] = getattr(cls, name).__set__
        default = cls.__record_defaults__.get(name, _NONE)
        value = name
        if isinstance(default, _Field) and default.default_factory is not _NONE:
            scope[f"_make_{name}"] = default.default_factory
            parameters.append(f"{name}=_NONE")
            value = f"_make_{name}() if {name} is _NONE else {name}"
        elif default is _NONE or isinstance(default, _Field):
            parameters.append(name)
        else:
            scope[f"_default_{name}"] = default
            parameters.append(f"{name}=_default_{name}")
        lines.append(f" _set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    source = f"def __init__(self, {', '.join(parameters)}):\n" + ("\n".join(lines) or " pass")
    exec(source, scope)  # noqa: S102 - made of the member names of a class of ours
    made = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _values(one: Any) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in one.__match_args__)


def _repr(self: Any) -> str:
    shown = []
    for name in self.__match_args__:
        default = self.__record_defaults__.get(name)
        if not isinstance(default, _Field) or default.repr:
            shown.append(f"{name}={getattr(self, name)!r}")
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), _values(self)


def _refuse_set(self: Any, name: str, value: object) -> None:
    raise _frozen(f"cannot assign to {name!r} of a {type(self).__name__}")


def _refuse_delete(self: Any, name: str) -> None:
    raise _frozen(f"cannot delete {name!r} of a {type(self).__name__}")


def _frozen(message: str) -> Exception:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(message)


class _DataclassFields:
    """What makes a record a dataclass to the standard library, made when somebody asks."""

    def __get__(self, one: object, cls: type) -> dict[str, Any]:
        import dataclasses
        import inspect

        kinds: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            kinds |= inspect.get_annotations(base)
        made = []
        for name in cls.__match_args__:  # type: ignore[attr-defined]
            default = cls.__record_defaults__.get(name, dataclasses.MISSING)  # type: ignore[attr-defined]
            if isinstance(default, _Field):
                factory: Any = dataclasses.MISSING if default.default_factory is _NONE else default.default_factory
                made.append((name, kinds[name], dataclasses.field(default_factory=factory, repr=default.repr)))
            else:
                made.append((name, kinds[name], dataclasses.field(default=default)))
        twin = dataclasses.make_dataclass(cls.__name__, made, frozen=True)
        return dict(twin.__dataclass_fields__)  # type: ignore[attr-defined]
