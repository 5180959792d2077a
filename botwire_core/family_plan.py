"""Which families a store has: what to export, so that every namespace comes, and comes once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from botwire_core.errors import InvalidValueError
from botwire_core.family import FamilyMember, FamilyPart
from botwire_core.family_copy import is_there
from botwire_core.protocol import ExportFamily, ListNamespaces
from botwire_core.store import Store

__all__ = ["first_of_families"]


def first_of_families(store: Store, prefix: str = "") -> list[str]:
    """The namespaces of which each one whose name starts with the prefix is one or a fork, in byte order.

    None of them is a fork of another, however many that were dropped stand between.
    """
    infos = store.run(ListNamespaces())
    parents = {info.name: info.parent for info in infos}
    chosen = {info.name: info for info in infos if info.name.startswith(prefix)}

    def is_below_another(name: str) -> bool:
        above = parents[name]
        while above is not None and above not in chosen:
            above = parents.get(above)
        return above is not None

    first = [name for name in chosen if not is_below_another(name)]
    if all(chosen[name].parent is not None or chosen[name].forked_at is None for name in first):
        return first
    # Where a parent was dropped, only the families themselves tell what is above.
    times = Counter(one for name in first for one in _names_in_family(store, name))
    return [name for name in first if times[name] <= 1]


class _Enough(Exception):
    """All members have come."""


def _names_in_family(store: Store, namespace: str) -> set[str]:
    """The names in the family of a namespace, its own among them; none where it is not there any more."""
    names: set[str] = set()

    def write(parts: Sequence[FamilyPart]) -> None:
        members = [part for part in parts if isinstance(part, FamilyMember)]
        names.update(one.name for one in members if one.name is not None)
        if len(members) < len(parts):
            raise _Enough

    try:
        store.run(ExportFamily(namespace, write))
    except _Enough:
        pass
    except InvalidValueError:
        if is_there(store, namespace):
            raise
    return names
