"""Changes: every write of a namespace in commit order, told in pages without gaps."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.results import Change
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["ChangesContract", "all_changes"]


def all_changes(space: Space, since: int = 0, prefix: str = "", limit: int = 1000) -> list[Change]:
    """Every change, asked for page by page."""
    changes: list[Change] = []
    while True:
        page = space.run(p.ListChanges(space.name, since, prefix, limit))
        changes += page.changes
        if page.revision == since:
            assert page.changes == []
            return changes
        assert page.revision > since
        since = page.revision


def _told(changes: list[Change]) -> list[tuple[int, str, Any]]:
    return [(change.revision, change.key, "deleted" if change.deleted else change.value) for change in changes]


class ChangesContract(StoreBench):
    """`ListChanges`, which `watch` stands on."""

    def test_changes_are_told_in_commit_order(self, space: Space) -> None:
        space.set("b", 1)
        space.run(p.SetMany(space.name, (("a", encode(1)), ("c", encode(1)))))
        space.delete("b")
        space.append("log", "x")
        told = _told(all_changes(space))
        assert told[0] == (1, "b", 1)
        assert sorted(told[1:3]) == [(2, "a", 1), (2, "c", 1)]
        assert told[3:] == [(3, "b", "deleted"), (4, "log/0000000000000000000", "x")]
        assert _told(all_changes(space, since=2)) == told[3:]
        assert all_changes(space, since=4) == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_pages_of_changes_resume_without_a_gap_and_never_split_a_revision(self, space: Space, limit: int) -> None:
        for number in range(12):
            space.run(p.SetMany(space.name, tuple((f"k{i}", encode([number, i])) for i in range(number % 4 + 1))))
        whole = _told(all_changes(space))
        assert len(whole) == sum(number % 4 + 1 for number in range(12))
        assert _told(all_changes(space, limit=limit)) == whole
        since = 0
        while since < 12:
            page = space.run(p.ListChanges(space.name, since, "", limit))
            assert {change.revision for change in page.changes} == set(range(since + 1, page.revision + 1))
            assert len(page.changes) < limit + 4
            since = page.revision

    def test_changes_with_a_prefix_pass_the_others_over(self, space: Space) -> None:
        for key in ("a", "user:1", "b", "user:2", "c"):
            space.set(key, 1)
        assert _told(all_changes(space, prefix="user:", limit=1)) == [(2, "user:1", 1), (4, "user:2", 1)]
        page = space.run(p.ListChanges(space.name, 4, "user:"))
        assert (page.changes, page.revision) == ([], 5)

    def test_what_has_expired_since_is_told_as_deleted(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=60)
        space.set("l", 1)
        clock.advance(60)
        assert _told(all_changes(space)) == [(1, "k", "deleted"), (2, "l", 1)]

    def test_a_fork_tells_its_own_changes_after_those_it_inherited(self, space: Space) -> None:
        space.set("k", 1)
        fork = space.fork("fork")
        space.set("k", "elsewhere")
        fork.set("k", 2)
        fork.set("l", 1)
        assert _told(all_changes(fork, since=1)) == [(2, "k", 2), (3, "l", 1)]
        assert _told(all_changes(fork)) == [(1, "k", 1), (2, "k", 2), (3, "l", 1)]

    @pytest.mark.parametrize("since", [2, -1, 1.0, True, "1", None], ids=repr)
    def test_changes_since_what_never_was_are_refused(self, space: Space, since: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidValueError):
            space.run(p.ListChanges(space.name, since))

    def test_changes_of_nothing_are_none(self, space: Space) -> None:
        page = space.run(p.ListChanges(space.name))
        assert (page.changes, page.revision) == ([], 0)

    @pytest.mark.parametrize("name", ["", "a/b", None], ids=repr)
    def test_what_is_no_namespace_is_refused_by_the_ops_of_the_past(self, space: Space, name: Any) -> None:
        for op in (
            p.Fork(name, "x"),
            p.Snapshot(name),
            p.ListSnapshots(name),
            p.DeleteSnapshot(name, "x"),
            p.Resolve(name, 0),
            p.GetHistory(name, "k"),
            p.Restore(name, "k", 1),
            p.Compare(name, "x"),
            p.Merge(name, "x"),
            p.Purge(name, "k"),
            p.ListChanges(name),
            p.Export(name),
            p.Import(name, ()),
            p.GetRetention(name),
        ):
            with pytest.raises(InvalidNamespaceError):
                space.run(op)
