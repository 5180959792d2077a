"""A namespace as a store with a past knows it: its place among its forks, and views of it at a moment."""

from __future__ import annotations

from typing import TypeAlias

from botwire_core.clock import from_microseconds
from botwire_core.errors import InvalidValueError
from botwire_core.records import record
from botwire_core.results import NamespaceInfo, Retention

__all__ = ["Level", "Space", "View", "common_ancestor", "view_at"]


@record
class Level:
    """The rows of one space up to and with a revision, or all of them where `upto` is None."""

    space: int
    upto: int | None = None

    def reaches(self, revision: int) -> bool:
        return self.upto is None or revision <= self.upto


View: TypeAlias = tuple[Level, ...]
"""Where to look for a key, itself first, then its ancestors: the first level that has a row of the key decides."""


@record
class Space:
    """A namespace in a store: ids are never used twice, and a fork is nothing but such a record."""

    id: int
    name: str | None
    """None where it has been dropped and only its forks still need its rows."""
    created: int
    lineage: View
    """Itself, its parent up to where it was forked, and so on to the root."""
    head: int
    """Its current revision."""
    changed: int
    """When that revision was committed, microseconds since the epoch."""
    expires: int | None = None
    floor: int = 0
    """The version above which keys start that were never seen."""
    forgotten: int = 0
    """Below this revision, deleted keys may have been forgotten whole."""
    retention: Retention = Retention()
    pruned: int = 0
    """Above the last revision that something was pruned from: from here on, all versions are there."""

    @property
    def forked_at(self) -> int:
        return (self.lineage[1].upto or 0) if len(self.lineage) > 1 else 0

    def view(self, at: int | None) -> View:
        """The view of the space now, or at a revision.

        Raises:
            InvalidValueError: the revision is not reached yet.
        """
        if at is None:
            return self.lineage
        if type(at) is not int or not 0 <= at <= self.head:
            raise InvalidValueError(
                f"revision {at!r} of {self.name!r} does not exist", hint=f"its revisions are 0 to {self.head}"
            )
        return view_at(self.lineage, at)

    def info(self, parent: str | None, changed_keys: int) -> NamespaceInfo:
        """The space as users see it."""
        return NamespaceInfo(
            self.name or "",
            self.head,
            from_microseconds(self.created),
            parent,
            self.forked_at if len(self.lineage) > 1 else None,
            None if self.expires is None else from_microseconds(self.expires),
            changed_keys,
        )


def view_at(view: View, revision: int) -> View:
    """A view as it stood at a revision, which may lie before its first fork point.

    >>> view_at((Level(3), Level(1, 10)), 4)
    (Level(space=1, upto=4),)
    """
    while len(view) > 1 and view[1].upto is not None and revision < view[1].upto:
        view = view[1:]
    return (Level(view[0].space, revision), *view[1:])


def common_ancestor(one: View, other: View) -> tuple[int, int] | None:
    """The positions in two views of the nearest space that both look into, or None."""
    places = {level.space: i for i, level in enumerate(other)}
    for i, level in enumerate(one):
        if level.space in places:
            return i, places[level.space]
    return None
