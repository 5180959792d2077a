"""LangGraph's filters as conditions of the core's search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from botwire_core.errors import InvalidValueError

__all__ = ["conditions"]

_OPERATORS: Final = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"})
_NAME: Final = re.compile(r"[\w.\-]+")


def conditions(filter: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The conditions for a filter, None where there are none.

    Raises:
        InvalidValueError: a name holds more than letters, digits, `_`, `-` and dots, or an operator is none of
            `$eq $ne $gt $gte $lt $lte`.

    >>> conditions({"score": {"$gte": 0.5}, "tags": ("a", "b")})
    {'score': {'$gte': 0.5}, 'tags': ['a', 'b']}
    """
    if not filter:
        return None
    if not isinstance(filter, Mapping):
        raise InvalidValueError(f"filter: {type(filter).__name__} is not a mapping of names to conditions")
    for name in filter:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidValueError(
                f"filter: {ascii(name)[:80]} is not the name of a member",
                hint="use letters, digits, _, - and dots, which lead inside of objects",
            )
    return {name: _condition(wanted) for name, wanted in filter.items()}


def _condition(wanted: Any) -> Any:
    if isinstance(wanted, Mapping):
        for operator in wanted:
            if isinstance(operator, str) and operator.startswith("$") and operator not in _OPERATORS:
                raise InvalidValueError(
                    f"filter: {operator[:40]!a} is no operator", hint="use $eq $ne $gt $gte $lt $lte"
                )
        return {name: _condition(item) for name, item in wanted.items()}
    return [_condition(item) for item in wanted] if isinstance(wanted, list | tuple) else wanted
