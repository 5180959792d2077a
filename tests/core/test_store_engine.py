"""What the embedded store does beyond the contracts: forgetting, pruning, and what goes wrong beneath it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botwire_core import protocol as p
from botwire_core.errors import RevisionPrunedError
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_core.testing.stores.space import Space

LONGER_THAN_DELETES_ARE_KEPT = 31 * 86400.0


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteStore]:
    # One clock for both, so that days pass as days do, and sweeps trust it.
    store = SqliteStore(tmp_path / "memory.db", clock=clock, monotonic=clock)
    yield store
    store.close()


@pytest.fixture
def space(store: SqliteStore) -> Space:
    return Space(store.run)


def forget(space: Space, store: SqliteStore, clock: ManualClock, key: str) -> None:
    """Let a key come and go, and be forgotten whole."""
    space.set(key, "short-lived")
    space.delete(key)
    clock.advance(LONGER_THAN_DELETES_ARE_KEPT)
    assert store.sweep() > 0
    assert space.history(key) == []


def test_a_snapshot_shows_its_moment_after_later_keys_are_forgotten(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    space.set("a", 1)
    at = int(space.run(p.Snapshot(space.name, "then")))
    forget(space, store, clock, "b")
    assert space.contents(at=at) == {"a": 1}
    assert space.get("never", at=at) is p.MISSING
    assert space.fork("fork", at=at).contents() == {"a": 1}
    assert [change.key for change in space.run(p.ListChanges(space.name, since=at)).changes] == []


def test_a_fork_is_compared_and_merged_after_its_parent_forgot_keys(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    space.set("a", 1)
    fork = space.fork("fork")
    forget(space, store, clock, "b")
    space.set("c", 1)
    fork.set("d", 1)
    diff = space.run(p.Compare("fork", space.name))
    assert (diff.added, diff.removed) == ({"c": 1}, {"d": 1})
    assert space.run(p.Merge("fork", space.name)).written == ["c"]
    assert space.run(p.Merge(space.name, "fork")).written == ["d"]


def test_the_past_of_a_key_that_was_forgotten_and_came_again_is_no_longer_told(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    forget(space, store, clock, "k")
    space.set("k", "new")
    with pytest.raises(RevisionPrunedError):
        space.get("k", at=1)
    assert space.get("k", at=space.revision) == "new"


def test_a_diff_of_two_moments_raises_where_a_key_between_them_was_pruned(space: Space) -> None:
    for number in range(200):
        space.set("busy", number)
        if number < 20:
            space.set(f"quiet{number}", number)
    with pytest.raises(RevisionPrunedError):
        space.run(p.Compare(space.name, space.name, at=5, other_at=25))
    quiet = space.run(p.Compare(space.name, space.name, at=5, other_at=25, prefix="quiet"))
    assert len(quiet.added) == 10


def test_a_diff_with_a_moment_of_a_fork_raises_where_a_key_of_then_was_forgotten(
    space: Space, store: SqliteStore, clock: ManualClock
) -> None:
    fork = space.fork("fork")
    fork.set("stays", 1)
    then = fork.revision + 1
    forget(fork, store, clock, "k")
    with pytest.raises(RevisionPrunedError):
        space.run(p.Compare(space.name, "fork", other_at=then))


def test_a_key_that_came_after_a_snapshot_was_not_there_before_it(space: Space) -> None:
    space.set("a", 1)
    space.set("a", 2)
    space.run(p.Snapshot(space.name))
    for number in range(200):
        space.set("late", number)
    assert space.get("late", at=1) is p.MISSING


def test_a_merge_of_a_moment_before_the_fork_point_is_the_base_of_the_next(space: Space) -> None:
    for number in range(3):
        space.set("k", number)
    fork, target = space.fork("fork"), space.beside("target")
    assert target.run(p.Merge("target", "fork", other_at=2)).written == ["k"]
    for number in range(200):
        space.set("k", number)
    fork.set("own", 1)
    result = target.run(p.Merge("target", "fork"))
    assert (result.written, result.conflicts) == (["k", "own"], [])
    assert target.get("k") == 2
