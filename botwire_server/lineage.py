"""To whom the namespace of an experiment belongs, as the store has it; remembered for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botwire_core.protocol import ListNamespaces
from botwire_core.scopes.ops import FindScoped, ListScoped

if TYPE_CHECKING:
    from botwire_core.results import NamespaceInfo
    from botwire_core.store import Store

__all__ = ["Lineage"]

_REMEMBERED_FOR: Final = 2.0
_MOST_REMEMBERED: Final = 10_000


class Lineage:
    """Knows whose fork a namespace called `base@...` is: by the registry of scopes, and by what it was forked from.

    What is found is remembered for two seconds; that nothing was found never is, since it may be made at any time.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[frozenset[str], float]] = {}

    async def bases(self, namespace: str) -> frozenset[str]:
        """The namespaces that it belongs to: it is a registered scope of one, or is named after one and its fork."""
        if "@" not in namespace or "history" not in self._store.features:
            return frozenset()
        known, until = self._known.get(namespace, (frozenset[str](), 0.0))
        if self._clock() < until:
            return known
        found = {name for name in await self.ancestors(namespace) if namespace.startswith(f"{name}@")}
        place = await self._store.arun(FindScoped(namespace))
        if place is not None:
            found.add(place.base)
        if found:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[namespace] = (frozenset(found), self._clock() + _REMEMBERED_FOR)
        return frozenset(found)

    async def bases_of_all(self, infos: list[NamespaceInfo]) -> dict[str, frozenset[str]]:
        """The same for a whole list of namespaces, by their names."""
        named = [info.name for info in infos if "@" in info.name]
        if not named or "history" not in self._store.features:
            return {}
        parents = {info.name: info.parent for info in await self._store.arun(ListNamespaces())}
        bases: dict[str, set[str]] = {name: set() for name in named}
        for name in named:
            above = parents.get(name)
            while above is not None:
                if name.startswith(f"{above}@"):
                    bases[name].add(above)
                above = parents.get(above)
        for place in await self._store.arun(ListScoped()):
            if place.name in bases:
                bases[place.name].add(place.base)
        return {name: frozenset(found) for name, found in bases.items()}

    async def ancestors(self, namespace: str) -> list[str]:
        """The names of what a namespace was forked from, nearest first; empty for a root and for what is not there."""
        found: list[str] = []
        name: str | None = namespace
        while name is not None:
            infos = await self._store.arun(ListNamespaces(name))
            name = next((info.parent for info in infos if info.name == name), None)
            if name is not None:
                found.append(name)
        return found
