"""Ops and results of every kind, made by what their annotations say."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import settings
from hypothesis import strategies as st

from botwire_core.codec import Payload, encode
from botwire_core.protocol import MISSING, Missing, Op, Transact
from botwire_core.results import Retention
from botwire_core.scopes import Scope

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = (
    st.integers()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 2**53 + 1, 2**64, 10**40, 1e308])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
VALUES = JSON | st.binary(max_size=20)
NAMESPACES = st.from_regex(r"[A-Za-z0-9_\-:@~+][A-Za-z0-9._\-:@~+]{0,30}", fullmatch=True)
# Beyond the year 2242 a float has no room for microseconds.
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2242, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC, fold=0)
)
FEW = settings(max_examples=settings.default.max_examples // 5)
"""For what is tried with each of forty types."""
KEYS = TEXTS.filter(bool)
KEYED = {"key", "keys", "log", "target"}
HANDED = (Callable, Iterable)
SIDES = {"base", "ours", "theirs"}


def ops(kind: type[Op[Any]]) -> st.SearchStrategy[Any]:
    """Ops of one type, with any members that it can have."""
    return records(kind)


def results(kind: type[Op[Any]]) -> st.SearchStrategy[Any]:
    """What an op of this type may give."""
    if kind is Transact:
        return st.lists(st.none() | st.booleans() | NUMBERS | st.lists(TEXTS, max_size=3), max_size=4)
    (base,) = kind.__orig_bases__  # type: ignore[attr-defined]
    return of(get_args(base)[0])


def records(cls: Any) -> st.SearchStrategy[Any]:
    if cls is Retention:
        kept = st.floats(0, 1e9) | st.just(float("inf"))
        return st.builds(Retention, st.integers(1, 1000), kept)
    if cls is Scope:
        ids = [name for name in Scope.__match_args__ if name != "trial"]
        return st.builds(Scope, trial=st.none() | st.integers(0, 999), **{name: st.none() | KEYS for name in ids})
    hints = typing.get_type_hints(cls, localns={"FamilyPart": Any})
    members = {name: of(hints[name], name) for name in cls.__match_args__}
    defaults = {name for name, default in cls.__record_defaults__.items() if get_origin(hints[name]) not in HANDED}
    required = {name: one for name, one in members.items() if name not in defaults}
    return st.builds(cls, **members) | st.builds(cls, **required)


def of(kind: Any, name: str = "") -> st.SearchStrategy[Any]:
    if kind is Any:
        return VALUES | st.just(MISSING) if name in SIDES else VALUES
    simple: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(0, 2**62),
        float: st.floats(0, 3e8, exclude_min=True) | st.integers(1, 10**6),
        datetime: MOMENTS,
        type(None): st.none(),
        Missing: st.just(MISSING),
        Payload: VALUES.map(encode),
        str: NAMESPACES if name in {"namespace", "other", "name"} else KEYS if name in KEYED else TEXTS,
    }
    if isinstance(kind, type) and kind in simple:
        return simple[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if set(args) == {int, float}:
            return NUMBERS
        return st.one_of([of(one, name) for one in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is list:
        return st.lists(of(args[0], name), max_size=4)
    if origin is tuple:
        if args[-1] is Ellipsis:
            return st.lists(of(args[0], name), max_size=4).map(tuple)
        return st.tuples(*[of(one, "key") for one in args])
    if origin is dict:
        return st.dictionaries(TEXTS, of(args[1], name), max_size=4)
    if origin is Mapping:
        return st.dictionaries(TEXTS, JSON, max_size=3)
    if origin in HANDED:
        return st.just(None)
    return records(kind)
