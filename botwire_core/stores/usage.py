"""What a family of namespaces holds in bytes, counted from scratch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from botwire_core.clock import to_microseconds
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.spaces import Space

__all__ = ["NEVER", "count_bytes", "count_forks", "kept_until"]

NEVER = 2**62
"""A moment that does not come."""


def count_bytes(store: HistoryPrimitives, roots: Iterable[int]) -> tuple[int, int]:
    """The bytes of the values that stand in some roots and their forks, and until when that holds if nobody writes.

    What stood where a fork or a snapshot keeps it counts like what stands. Each value counts once, in the namespace it
    was written in, however many forks see it. What only the history keeps counts for nothing.
    """
    total, until = 0, NEVER
    for id in roots:
        root = store.space_of(id)
        if root is None:
            continue
        spaces, kept, ends = _family(store, root)
        until = min(until, *ends, NEVER)
        for space in spaces:
            size, end = _count_space(store, space, sorted(kept.get(space.id, ())))
            total += size
            until = min(until, end)
    return total, until


def count_forks(store: HistoryPrimitives, roots: Iterable[int]) -> int:
    """How many forks of any depth some roots have."""
    now = store.moment()
    return sum(
        _stands(fork, now)
        for id in roots
        if (root := store.space_of(id)) is not None
        for fork in store.descendants(root)
    )


def kept_until(store: HistoryPrimitives, space: Space) -> int:
    """The last revision of a space that a fork or a snapshot keeps, -1 without any."""
    _, kept, _ = _family(store, space)
    return max(kept.get(space.id, ()), default=-1)


def _stands(space: Space, now: int) -> bool:
    return space.name is not None and (space.expires is None or space.expires > now)


def _family(store: HistoryPrimitives, root: Space) -> tuple[list[Space], dict[int, set[int]], list[int]]:
    """The spaces that somebody sees or needs, which revisions of each are kept by others, and when some of it ends."""
    now = store.moment()
    spaces: list[Space] = []
    kept: dict[int, set[int]] = {}
    ends: list[int] = []
    # Ids rise from parent to fork, so every fork is judged before what it needs.
    for space in sorted((root, *store.descendants(root)), key=lambda one: one.id, reverse=True):
        stands = _stands(space, now)
        if not stands and space.id not in kept:
            continue
        spaces.append(space)
        for level in space.lineage[1:2]:
            kept.setdefault(level.space, set()).add(level.upto or 0)
        if not stands:
            continue
        if space.expires is not None:
            ends.append(space.expires)
        for snapshot in store.list_snapshots(space):
            kept.setdefault(space.id, set()).add(snapshot.number)
            if snapshot.expires_at is not None:
                ends.append(to_microseconds(snapshot.expires_at))
    return spaces, kept, ends


def _count_space(store: HistoryPrimitives, space: Space, kept: list[int]) -> tuple[int, int]:
    """The bytes of one space's own rows that stand or are kept, and when the first of them expires."""
    now = store.moment()
    total, until = 0, NEVER
    stands = _stands(space, now)
    rows = store.sizes(space)
    row = next(rows, None)
    while row is not None:
        key, revision, expires, size = row
        row = next(rows, None)
        newest = row is None or row[0] != key
        if expires is not None and expires <= now:
            continue
        place = bisect_left(kept, revision)
        seen = place < len(kept) and (newest or (row is not None and kept[place] < row[1]))
        if seen or (newest and stands):
            total += size
            if expires is not None and size:
                until = min(until, expires)
    return total, until
