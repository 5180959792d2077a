"""Three-way merges of JSON values: what both sides changed in different places goes together."""

from __future__ import annotations

from typing import Any

from botwire_core.codec import Value
from botwire_core.diff import same_value
from botwire_core.protocol import MISSING, Strategy
from botwire_core.results import Conflict

__all__ = ["merge_values"]


def merge_values(key: str, base: Value, ours: Value, theirs: Value, strategy: Strategy) -> tuple[Value, list[Conflict]]:
    """The value of a key that both sides may have changed since `base`, and the conflicts in it.

    An absent side is `MISSING`, in the arguments and in the value. Objects are merged member by member, in the
    order of ours with what is new from theirs behind; anything else is one whole. A conflict is resolved
    to ours, or with the strategy "theirs" to theirs.

    >>> merge_values("k", {"a": 1}, {"a": 1, "b": 2}, {"a": 9}, "fail")
    ({'a': 9, 'b': 2}, [])
    """
    conflicts: list[Conflict] = []

    def merge(base: Any, ours: Any, theirs: Any, path: tuple[str, ...]) -> Any:
        if same_value(ours, theirs) or same_value(theirs, base):
            return ours
        if same_value(ours, base):
            return theirs
        if type(ours) is dict and type(theirs) is dict:
            before = base if type(base) is dict else {}
            merged = {}
            for name in {**ours, **theirs}:
                value = merge(
                    before.get(name, MISSING), ours.get(name, MISSING), theirs.get(name, MISSING), (*path, name)
                )
                if value is not MISSING:
                    merged[name] = value
            return merged
        conflicts.append(Conflict(key, path, base, ours, theirs))
        return theirs if strategy == "theirs" else ours

    return merge(base, ours, theirs, ()), conflicts
