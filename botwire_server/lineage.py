"""Whether one namespace is a fork of another, as the store has it; remembered for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botwire_core.protocol import ListNamespaces
from botwire_core.records import replace
from botwire_core.results import NamespaceInfo

if TYPE_CHECKING:
    from botwire_core.store import Store

__all__ = ["Lineage"]

_REMEMBERED_FOR: Final = 2.0
_MOST_REMEMBERED: Final = 10_000


class Lineage:
    """Knows of which namespaces another one is a fork.

    What is found is remembered for two seconds; that something is not there never is, since it may be made at any time.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[frozenset[str], float]] = {}

    async def reaches(self, namespace: str, bases: frozenset[str]) -> bool:
        """Whether a namespace is one of the bases, or a fork of one at any depth."""
        if namespace in bases:
            return True
        known, until = self._known.get(namespace, (frozenset[str](), 0.0))
        if self._clock() >= until:
            known = frozenset(await self._ancestors(namespace))
            if known:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[namespace] = (known, self._clock() + _REMEMBERED_FOR)
        return not known.isdisjoint(bases)

    async def seen(
        self,
        infos: list[NamespaceInfo],
        allowed: Callable[[str], bool],
        bases: Callable[[str], frozenset[str]],
    ) -> list[NamespaceInfo]:
        """Those that are allowed by their name, or are forks of one of the bases that they are named after.

        A parent that is not seen itself is not named.
        """
        parents = {info.name: info.parent for info in infos}

        async def visible(name: str) -> bool:
            if allowed(name):
                return True
            wanted = bases(name)
            if not wanted:
                return False
            above: str | None = name
            while above in parents:
                above = parents[above]
                if above in wanted:
                    return True
            return above is not None and await self.reaches(above, wanted)

        kept = [info for info in infos if await visible(info.name)]
        return [
            info if info.parent is None or await visible(info.parent) else replace(info, parent=None) for info in kept
        ]

    async def _ancestors(self, namespace: str) -> list[str]:
        """The names of what a namespace was forked from, nearest first; empty for a root and for what is not there."""
        found: list[str] = []
        name: str | None = namespace
        while name is not None:
            infos = await self._store.arun(ListNamespaces(name))
            name = next((info.parent for info in infos if info.name == name), None)
            if name is not None:
                found.append(name)
        return found
