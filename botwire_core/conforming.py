"""From a stored JSON value to a pydantic model, a dataclass, or any type that pydantic knows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botwire_core.codec import Value, encode
from botwire_core.errors import InvalidValueError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["conform"]


def conform(value: Value, wanted: Any, key: str) -> Any:
    """The value at `key` as `wanted`, which is anything that pydantic can validate into.

    Raises:
        InvalidValueError: the value does not fit, or pydantic does not know such a type.
    """
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, ValidationError

    try:
        adapter = _adapter(wanted)
        if isinstance(value, bytes):
            return adapter.validate_python(value)
        # As JSON, not as Python objects: a strict model takes text for a date, or a list for a tuple, only from JSON.
        return adapter.validate_json(encode(value).data)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        shown = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in problems[:3])
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise InvalidValueError(
            f"what stands at {key!r} does not fit {getattr(wanted, '__name__', wanted)}: {shown}{more}",
            hint="get it without as_= to see what is there",
        ) from error
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise InvalidValueError(
            f"as_: {wanted!r} is not a type that pydantic can validate into",
            hint="use a pydantic model, a dataclass, or a type such as list[int]",
        ) from error


def _adapter(wanted: Any) -> TypeAdapter[Any]:
    try:
        return _cached(wanted)
    except TypeError:  # a type that cannot be hashed, such as Annotated with a list in it
        return _made(wanted)


def _made(wanted: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(wanted)


_cached = lru_cache(maxsize=256)(_made)
