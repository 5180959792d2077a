"""The namespaces that have items: found among the keys, matched by prefix, suffix and wildcard."""

from __future__ import annotations

from collections.abc import Iterable

from langgraph.store.base import ListNamespacesOp, MatchCondition

from botwire_core.errors import InvalidValueError
from botwire_langgraph.item_keys import ROOT, namespace_of, namespace_prefix

__all__ = ["listed", "literal_prefix"]

_ANY = "*"


def literal_prefix(conditions: Iterable[MatchCondition]) -> str:
    """What the keys of all namespaces that match these conditions start with, as far as they say.

    Raises:
        InvalidNamespaceError: a label is empty, no text, or holds a period or NUL.
    """
    longest: list[str] = []
    for condition in conditions:
        namespace_prefix(condition.path)
        if condition.match_type == "prefix":
            path = list(condition.path)
            literal = path[: path.index(_ANY)] if _ANY in path else path
            longest = max(longest, literal, key=len)
    return namespace_prefix(longest)


def listed(keys: Iterable[str], op: ListNamespacesOp) -> list[tuple[str, ...]]:
    """The namespaces of items with these keys, as a `ListNamespacesOp` asks for them, sorted by their labels."""
    paths = {key[len(ROOT) : max(key.rfind("/"), len(ROOT))] for key in keys}
    conditions = op.match_conditions or ()
    namespaces = {
        namespace if op.max_depth is None else namespace[: op.max_depth]
        for namespace in map(namespace_of, paths)
        if all(_matches(condition, namespace) for condition in conditions)
    }
    return sorted(namespaces)[op.offset : op.offset + op.limit]


def _matches(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    path = tuple(condition.path)
    if len(path) > len(namespace):
        return False
    match condition.match_type:
        case "prefix":
            part = namespace[: len(path)]
        case "suffix":
            part = namespace[len(namespace) - len(path) :]
        case other:
            raise InvalidValueError(f"{other!a} is no way to match a namespace", hint='use "prefix" or "suffix"')
    return all(wanted in (_ANY, label) for wanted, label in zip(path, part, strict=True))
