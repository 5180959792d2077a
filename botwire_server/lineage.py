"""To whom the namespace of an experiment belongs, as the store has it; remembered for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botwire_core.scopes.ops import FindScoped, ListScoped
from botwire_core.service import ListAncestors

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
        if "@" not in namespace or not self._is_known:
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
        """The same for a list of namespaces, by their names."""
        named = [info.name for info in infos if "@" in info.name]
        if not named or not self._is_known:
            return {}
        parents = {info.name: info.parent for info in infos}
        found: dict[str, set[str]] = {}
        for name in named:
            above: str | None = name
            line = []
            while above in parents:
                above = parents[above]
                line.append(above)
            if above is not None:  # the list begins below it
                line += await self._store.arun(ListAncestors(above))
            found[name] = {one for one in line if one is not None and name.startswith(f"{one}@")}
        for place in await self._store.arun(ListScoped()):
            if place.name in found:
                found[place.name].add(place.base)
        return {name: frozenset(bases) for name, bases in found.items()}

    async def ancestors(self, namespace: str) -> list[str]:
        """The names of what a namespace was forked from, nearest first; empty for a root and for what is not there."""
        return await self._store.arun(ListAncestors(namespace)) if self._is_known else []

    @property
    def _is_known(self) -> bool:
        return "service" in self._store.features
