"""Memory as one would first think of it: a dictionary for each namespace, copied whole at every write and every fork.

It is far too slow to use and too simple to be wrong, and shares no code with the stores that it judges.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import Any


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __deepcopy__(self, memo: Any) -> _Absent:
        return self


ABSENT: Any = _Absent()
_ids = itertools.count()


@dataclass
class Cell:
    """What stands at a key; a delete leaves one without a value."""

    value: Any
    version: int
    expires: float | None = None
    origin: int = field(default_factory=lambda: next(_ids))
    """Stays the same for a row of a log that a merge carries over."""

    def live(self, now: float) -> bool:
        return self.value is not ABSENT and (self.expires is None or self.expires > now)


@dataclass(eq=False)
class Commit:
    """A namespace as it stood at one revision; two namespaces share those before one was forked from the other."""

    cells: dict[str, Cell]


class Space:
    def __init__(
        self, commits: list[Commit], expires: float | None = None, parent: Space | None = None, forked_at: int = -1
    ) -> None:
        self.commits = commits
        self.expires = expires
        self.parent = parent
        self.forked_at = forked_at
        """The first revisions, up to this one, are those of the parent."""
        self.erased: dict[str, int] = {}
        """The highest version of each key that a purge took away."""
        self.snapshots: dict[str, int] = {}
        self.merged: dict[tuple[int, str], Commit] = {}
        self.id = next(_ids)

    @classmethod
    def empty(cls) -> Space:
        return cls([Commit({})])

    def fork(self, at: int, expires: float | None) -> Space:
        parent = self
        while parent.parent is not None and at < parent.forked_at:
            parent = parent.parent
        fork = Space(self.commits[: at + 1], expires, parent, at)
        fork.erased = dict(parent.erased)
        return fork

    def descends_from(self, other: Space) -> bool:
        return self is other or (self.parent is not None and self.parent.descends_from(other))

    @property
    def head(self) -> int:
        return len(self.commits) - 1

    @property
    def cells(self) -> dict[str, Cell]:
        return self.commits[-1].cells

    def live(self, now: float, at: int | None = None) -> dict[str, Any]:
        cells = self.commits[-1 if at is None else at].cells
        return {key: cells[key].value for key in sorted(cells) if cells[key].live(now)}

    def write(self, cells: dict[str, Cell]) -> None:
        """A new revision, where there is anything to write."""
        if cells:
            self.commits.append(Commit({**copy.deepcopy(self.cells), **cells}))

    def next_version(self, key: str) -> int:
        return max(self.cells[key].version if key in self.cells else 0, self.erased.get(key, 0)) + 1

    @property
    def depth(self) -> int:
        return self.parent.depth + 1 if self.parent else 0

    def versions(self, key: str) -> list[Cell]:
        """Every version of a key that ever was, newest first."""
        found: list[Cell] = []
        for commit in reversed(self.commits):
            cell = commit.cells.get(key)
            if cell is not None and (not found or cell.version != found[-1].version):
                found.append(cell)
        return found

    def last_number(self, log: str) -> int:
        keys = itertools.chain(self.erased, *(commit.cells for commit in self.commits))
        numbers = [int(key[-19:]) for key in keys if is_row(key, log)]
        return max(numbers, default=-1)

    def remember(self, reached: list[str]) -> None:
        """Note the highest versions of keys that are about to be erased."""
        for commit in self.commits:
            for key in reached:
                if key in commit.cells:
                    self.erased[key] = max(self.erased.get(key, 0), commit.cells[key].version)

    def erase(self, reached: list[str]) -> None:
        """Take keys out of every revision of its own; what it inherited shines through again."""
        inherited = self.commits[self.forked_at].cells if self.parent else {}
        for commit in self.commits[self.forked_at + 1 :]:
            for key in reached:
                commit.cells.pop(key, None)
                if key in inherited:
                    commit.cells[key] = inherited[key]

    def parted_from(self, other: Space) -> dict[str, Cell]:
        """What both had in common last."""
        common = [one for one, theirs in zip(self.commits, other.commits, strict=False) if one is theirs]
        return common[-1].cells if common else {}


def is_row(key: str, log: str | None = None) -> bool:
    head, _, number = key.rpartition("/")
    return len(number) == 19 and number.isdigit() and bool(head) and (log is None or head == log)


def merge_values(base: Any, ours: Any, theirs: Any, prefer_theirs: bool) -> tuple[Any, int]:
    """The merged value, and how many conflicts it has."""
    if repr_of(ours) == repr_of(theirs) or repr_of(theirs) == repr_of(base):
        return ours, 0
    if repr_of(ours) == repr_of(base):
        return theirs, 0
    if isinstance(ours, dict) and isinstance(theirs, dict):
        base = base if isinstance(base, dict) else {}
        merged, conflicts = {}, 0
        for name in {**ours, **theirs}:
            value, more = merge_values(
                base.get(name, ABSENT), ours.get(name, ABSENT), theirs.get(name, ABSENT), prefer_theirs
            )
            conflicts += more
            if value is not ABSENT:
                merged[name] = value
        return merged, conflicts
    return (theirs if prefer_theirs else ours), 1


def repr_of(value: Any) -> str:
    """Equal for what is the same value, whatever the order of members."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {repr_of(value[name])}' for name in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(repr_of, value))}]"
    return repr(value)
