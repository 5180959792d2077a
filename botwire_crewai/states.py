"""The state of a flow as JSON, with whatever programs put into it: as CrewAI's own store writes it, and stricter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Any, Final

from pydantic import BaseModel

from botwire_core.codec import MAX_DEPTH, Value
from botwire_core.errors import InvalidValueError

__all__ = ["json_state", "plain"]

_NOT_FINITE: Final = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def json_state(state: Mapping[str, Any] | BaseModel) -> dict[str, Value]:
    """The members of a state, each as a JSON value.

    A model is dumped as its JSON form; what has none is kept as `plain` says.

    Raises:
        InvalidValueError: it is neither a mapping nor a model, or is nested too deeply.
    """
    if not isinstance(state, BaseModel | dict):
        raise InvalidValueError(
            f"the state of a flow is a dict or a pydantic model, not {type(state).__name__}",
            hint="give the flow a state of one of the two",
        )
    members = plain(state)
    assert isinstance(members, dict)
    return members


def plain(value: object, depth: int = 0) -> Value:
    """A value as JSON has it.

    Tuples and sets become lists, dates their ISO form, keys of mappings text as JSON has it, numbers that are not
    finite the words that pydantic reads back, and any other object what `str` says of it.

    Raises:
        InvalidValueError: it is nested too deeply, or within itself.

    >>> plain({"when": date(2026, 11, 23), 1: (2, None), "worst": float("inf")})
    {'when': '2026-11-23', '1': [2, None], 'worst': 'Infinity'}
    """
    if depth > MAX_DEPTH:
        raise InvalidValueError(
            f"the state is nested deeper than {MAX_DEPTH} levels, or within itself", hint="keep less in the state"
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration that is text: its value, not its name
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else _NOT_FINITE[str(float(value))]
    if isinstance(value, BaseModel):
        return plain(_dumped(value), depth)
    if isinstance(value, dict):
        return {_member(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _dumped(model: BaseModel) -> dict[str, Any]:
    try:
        return model.model_dump(mode="json")
    except ValueError:  # a member has no JSON form
        return model.model_dump(mode="python")


def _member(key: object) -> str:
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str.__str__(key) if isinstance(key, str) else str(key)
