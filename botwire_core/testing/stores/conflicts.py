"""Conflicts: what both sides changed goes together where it can, and is told where it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core.protocol import MISSING
from botwire_core.results import Conflict
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["ConflictContract"]


class ConflictContract(StoreBench):
    """Merges of what both sides changed."""

    def test_both_sides_may_have_made_the_same_change(self, space: Space) -> None:
        space.set("deleted", 1)
        space.set("changed", {"a": 1, "b": 1})
        fork = space.fork("fork")
        for one in (space, fork):
            one.delete("deleted")
        space.set("changed", {"a": 2, "b": 1})
        fork.set("changed", {"b": 1, "a": 2})
        result = space.merge("fork")
        assert (result.ok, result.written, result.deleted) == (True, [], [])

    @pytest.mark.parametrize(
        ("base", "ours", "theirs"),
        [
            (1, 2, 3),
            (MISSING, 2, 3),
            (1, MISSING, 3),
            (1, 2, MISSING),
            (1, 1.0, True),
            ([1], [1, 2], [1, 3]),
            ({"a": 1}, [1], {"a": 2}),
            (b"a", b"b", b"c"),
        ],
        ids=repr,
    )
    def test_a_conflict_is_told_and_settled_by_the_strategy(
        self, space: Space, base: Any, ours: Any, theirs: Any
    ) -> None:
        def put(one: Space, value: Any) -> None:
            if value is MISSING:
                one.delete("k")
            else:
                one.set("k", value)

        put(space, base)
        fork = space.fork("fork")
        put(fork, theirs)
        fork.set("other", 1)
        put(space, ours)
        revision = space.revision
        failed = space.merge("fork")
        assert (failed.applied, failed.ok, failed.snapshot) == (False, False, None)
        assert failed.conflicts == [Conflict("k", (), base, ours, theirs)]
        assert repr(failed.conflicts[0]) == repr(Conflict("k", (), base, ours, theirs))
        assert space.revision == revision
        assert repr(space.get("k")) == repr(ours)
        assert space.get("other") is MISSING
        kept = space.fork("kept")
        assert kept.merge("fork", strategy="ours").applied
        assert repr(kept.get("k")) == repr(ours)
        assert kept.get("other") == 1
        settled = space.merge("fork", strategy="theirs")
        assert settled.applied
        assert repr(space.get("k")) == repr(theirs)
        assert ("k" in settled.deleted, "k" in settled.written) == (theirs is MISSING, theirs is not MISSING)
        assert space.get("other") == 1

    def test_changes_at_different_places_of_a_value_go_together(self, space: Space) -> None:
        space.set("user", {"name": "Ann", "city": "Oslo", "likes": {"tea": 1, "rum": 1}, "old": 1})
        fork = space.fork("fork")
        fork.set("user", {"name": "Ann", "city": "Bergen", "likes": {"tea": 2, "rum": 1}, "new": [1]})
        space.set("user", {"name": "Anne", "city": "Oslo", "likes": {"tea": 1}, "old": 1, "own": None})
        result = space.merge("fork")
        assert (result.ok, result.written) == (True, ["user"])
        assert space.get("user") == {
            "name": "Anne",
            "city": "Bergen",
            "likes": {"tea": 2},
            "own": None,
            "new": [1],
        }

    def test_a_conflict_inside_of_a_value_names_the_place(self, space: Space) -> None:
        space.set("user", {"likes": {"tea": 1, "rum": 1}, "city": "Oslo"})
        fork = space.fork("fork")
        fork.set("user", {"likes": {"tea": 2}, "city": "Bergen"})
        space.set("user", {"likes": {"tea": 3, "rum": 2}, "city": "Oslo"})
        failed = space.merge("fork")
        assert not failed.applied
        assert sorted(failed.conflicts, key=lambda one: one.path) == [
            Conflict("user", ("likes", "rum"), 1, 2, MISSING),
            Conflict("user", ("likes", "tea"), 1, 3, 2),
        ]
        kept = space.fork("kept")
        assert kept.merge("fork", strategy="ours").applied
        assert kept.get("user") == {"likes": {"tea": 3, "rum": 2}, "city": "Bergen"}
        assert space.merge("fork", strategy="theirs").applied
        assert space.get("user") == {"likes": {"tea": 2}, "city": "Bergen"}

    def test_a_merge_that_failed_can_be_made_again(self, space: Space) -> None:
        space.set("k", 1)
        fork = space.fork("fork")
        fork.set("k", 2)
        fork.set("new", 1)
        fork.append("chat", "theirs")
        space.set("k", 3)
        assert not space.merge("fork").applied
        assert space.merge("fork", strategy="ours").appended == ["chat/0000000000000000000"]
        assert space.contents() == {"chat/0000000000000000000": "theirs", "k": 3, "new": 1}
