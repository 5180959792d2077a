"""The conditions of a search: filters on fields, and words ranked by how well they match."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from botwire_core.codec import Value
from botwire_core.diff import same_value
from botwire_core.errors import InvalidValueError

__all__ = ["Predicate", "compile_where", "rank", "tokens"]

Predicate: TypeAlias = Callable[[Value], bool]

_WORD = re.compile(r"\w+")
_ABSENT: Any = object()


def compile_where(where: Mapping[str, Any] | None) -> Predicate:
    """The test of a filter such as `{"kind": "fact", "score": {"$gte": 0.5}}`: all members must hold.

    A name is a member of the value, dots lead inside objects (`profile.city`) where no member has the whole name.
    Operators are `$eq $ne $gt $gte $lt $lte $in $exists`; an object without operators must be contained in the
    member, and conditions may stand inside of it. Numbers compare with numbers and text with text; a member that is
    absent equals None.

    Raises:
        InvalidValueError: an operator is unknown or its argument has the wrong type.

    >>> compile_where({"score": {"$gte": 0.5}})({"score": 0.7})
    True
    >>> compile_where({"profile": {"age": {"$lt": 30}}})({"profile": {"age": 29, "city": "Berlin"}})
    True
    """
    if where is None:
        return lambda value: True
    if not isinstance(where, Mapping):
        raise InvalidValueError(f"where: {type(where).__name__} is not a mapping of names to conditions")
    tests = [(_name(name), _condition(name, wanted)) for name, wanted in where.items()]
    return lambda value: isinstance(value, dict) and all(test(_member(value, name)) for name, test in tests)


def rank(words: str, texts: Sequence[Value]) -> list[float]:
    """A score for each value, 0 where none of the words is in it; more, rarer and closer matches score higher.

    Okapi BM25 with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza, 2009) over the text in the values.
    """
    wanted = set(tokens(words))
    counts = [Counter(tokens(value)) for value in texts]
    sizes = [sum(count.values()) for count in counts]
    mean = sum(sizes) / len(sizes) if sizes and sum(sizes) else 1.0
    weights = {}
    for word in wanted:
        having = sum(1 for count in counts if word in count)
        weights[word] = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
    return [
        sum(
            weights[word] * count[word] * 2.2 / (count[word] + 1.2 * (0.25 + 0.75 * size / mean))
            for word in wanted
            if word in count
        )
        for count, size in zip(counts, sizes, strict=True)
    ]


def tokens(value: Value) -> Iterator[str]:
    """The words in a value, case-folded: of texts, member names and numbers, at every depth."""
    if isinstance(value, str):
        yield from _WORD.findall(value.casefold())
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _WORD.findall(name.casefold())
            yield from tokens(item)
    elif isinstance(value, list):
        for item in value:
            yield from tokens(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidValueError(f"where: the name {name!r} is not text")
    if name.startswith("$"):
        raise InvalidValueError(
            f"where: {name!r} stands where a name belongs", hint='write {"name": {"$gt": 1}}, the operator inside'
        )
    return name


def _member(value: Value, name: str) -> Value:
    if name in value:
        return value[name]
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _condition(name: str, wanted: Any) -> Predicate:
    if isinstance(wanted, Mapping) and any(isinstance(key, str) and key.startswith("$") for key in wanted):
        tests = [_operator(name, operator, argument) for operator, argument in wanted.items()]
        return lambda found: all(test(found) for test in tests)
    if isinstance(wanted, Mapping):
        inner = [(key, _condition(f"{name}.{key}", item)) for key, item in wanted.items()]
        return lambda found: isinstance(found, dict) and all(test(found.get(key, _ABSENT)) for key, test in inner)
    return lambda found: _equal(found, wanted)


def _operator(name: str, operator: Any, argument: Any) -> Predicate:
    match operator:
        case "$eq":
            return lambda found: _equal(found, argument)
        case "$ne":
            return lambda found: not _equal(found, argument)
        case "$in" if isinstance(argument, list | tuple | set | frozenset):
            return lambda found: any(_equal(found, one) for one in argument)
        case "$exists" if isinstance(argument, bool):
            return lambda found: (found is not _ABSENT) is argument
        case "$gt" if _ordered(argument):
            return lambda found: _comparable(found, argument) and found > argument
        case "$gte" if _ordered(argument):
            return lambda found: _comparable(found, argument) and found >= argument
        case "$lt" if _ordered(argument):
            return lambda found: _comparable(found, argument) and found < argument
        case "$lte" if _ordered(argument):
            return lambda found: _comparable(found, argument) and found <= argument
        case "$in" | "$exists" | "$gt" | "$gte" | "$lt" | "$lte":
            raise InvalidValueError(f"where[{name!r}]: {operator} cannot take {type(argument).__name__}")
        case _:
            raise InvalidValueError(
                f"where[{name!r}]: {operator!r} is no operator",
                hint="use $eq $ne $gt $gte $lt $lte $in $exists",
            )


def _ordered(argument: Any) -> bool:
    return isinstance(argument, int | float | str) and not isinstance(argument, bool)


def _comparable(found: Value, argument: Any) -> bool:
    return _ordered(found) and isinstance(found, str) is isinstance(argument, str)


def _equal(found: Value, wanted: Any) -> bool:
    if found is _ABSENT:
        return wanted is None
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return isinstance(found, bool) is isinstance(wanted, bool) and found == wanted
    return same_value(found, wanted)
