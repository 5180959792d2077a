"""Merges: what a fork learned comes back, key by key and inside of values, and conflicts are data."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.protocol import MISSING
from botwire_core.results import Conflict, MergeResult
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["MergeContract"]


def _merge(space: Space, other: str, **more: Any) -> MergeResult:
    return space.run(p.Merge(space.name, other, **more))


class MergeContract(StoreBench):
    """Three-way merges of a fork into its parent, the other way round, and between siblings."""

    def test_what_a_fork_changed_comes_into_its_parent(self, space: Space, clock: ManualClock) -> None:
        space.set("changes", 1)
        space.set("goes", 1)
        space.set("stays", 1)
        fork = space.fork("fork")
        fork.set("changes", 2)
        fork.set("new", b"x")
        fork.delete("goes")
        space.set("own", "of the parent")
        before, revision = space.contents(), space.revision
        result = _merge(space, "fork", author="ann")
        assert (result.applied, result.ok, result.conflicts, result.appended) == (True, True, [], [])
        assert (result.written, result.deleted) == (["changes", "new"], ["goes"])
        assert result.revision == space.revision == revision + 1
        assert space.contents() == {"changes": 2, "new": b"x", "own": "of the parent", "stays": 1}
        assert (space.entry("changes").version, space.entry("changes").author) == (2, "ann")
        assert fork.contents() == {"changes": 2, "new": b"x", "stays": 1}
        (kept,) = space.run(p.ListSnapshots(space.name))
        assert (kept.label, kept.number) == (result.snapshot, revision)
        assert space.contents(at=kept.number) == before
        clock.advance(7 * 86400 - 1)
        assert len(space.run(p.ListSnapshots(space.name))) == 1
        clock.advance(1)
        assert space.run(p.ListSnapshots(space.name)) == []

    def test_a_merge_of_nothing_writes_nothing(self, space: Space) -> None:
        space.set("k", 1)
        fork = space.fork("fork")
        space.set("k", 2)
        revision = space.revision
        result = _merge(space, "fork")
        assert (result.applied, result.written, result.deleted, result.snapshot) == (True, [], [], None)
        fork.set("same", 1)
        space.set("same", 1)
        assert _merge(space, "fork").written == []
        assert space.revision == result.revision + 1 == revision + 1

    def test_both_sides_may_have_made_the_same_change(self, space: Space) -> None:
        space.set("deleted", 1)
        space.set("changed", {"a": 1, "b": 1})
        fork = space.fork("fork")
        for one in (space, fork):
            one.delete("deleted")
        space.set("changed", {"a": 2, "b": 1})
        fork.set("changed", {"b": 1, "a": 2})
        result = _merge(space, "fork")
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
        failed = _merge(space, "fork")
        assert (failed.applied, failed.ok, failed.snapshot) == (False, False, None)
        assert failed.conflicts == [Conflict("k", (), base, ours, theirs)]
        assert repr(failed.conflicts[0]) == repr(Conflict("k", (), base, ours, theirs))
        assert space.revision == revision
        assert repr(space.get("k")) == repr(ours)
        assert space.get("other") is MISSING
        kept = space.fork("kept")
        assert _merge(kept, "fork", strategy="ours").applied
        assert repr(kept.get("k")) == repr(ours)
        assert kept.get("other") == 1
        settled = _merge(space, "fork", strategy="theirs")
        assert settled.applied
        assert repr(space.get("k")) == repr(theirs)
        assert ("k" in settled.deleted, "k" in settled.written) == (theirs is MISSING, theirs is not MISSING)
        assert space.get("other") == 1

    def test_changes_at_different_places_of_a_value_go_together(self, space: Space) -> None:
        space.set("user", {"name": "Ann", "city": "Oslo", "likes": {"tea": 1, "rum": 1}, "old": 1})
        fork = space.fork("fork")
        fork.set("user", {"name": "Ann", "city": "Bergen", "likes": {"tea": 2, "rum": 1}, "new": [1]})
        space.set("user", {"name": "Anne", "city": "Oslo", "likes": {"tea": 1}, "old": 1, "own": None})
        result = _merge(space, "fork")
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
        failed = _merge(space, "fork")
        assert not failed.applied
        assert sorted(failed.conflicts, key=lambda one: one.path) == [
            Conflict("user", ("likes", "rum"), 1, 2, MISSING),
            Conflict("user", ("likes", "tea"), 1, 3, 2),
        ]
        kept = space.fork("kept")
        assert _merge(kept, "fork", strategy="ours").applied
        assert kept.get("user") == {"likes": {"tea": 3, "rum": 2}, "city": "Bergen"}
        assert _merge(space, "fork", strategy="theirs").applied
        assert space.get("user") == {"likes": {"tea": 2}, "city": "Bergen"}

    def test_rows_of_a_log_are_appended_after_ours_and_never_conflict(self, space: Space) -> None:
        space.append("chat", "shared")
        fork = space.fork("fork")
        fork.append("chat", "theirs 1", "theirs 2")
        space.append("chat", "ours")
        fork.append("other", "first")
        result = _merge(space, "fork", author="ann")
        assert (result.ok, result.written) == (True, [])
        assert result.appended == [
            "chat/0000000000000000002",
            "chat/0000000000000000003",
            "other/0000000000000000000",
        ]
        assert space.read("chat") == ["shared", "ours", "theirs 1", "theirs 2"]
        assert space.read("other") == ["first"]
        assert space.entry("chat/0000000000000000003").author == "ann"
        assert space.append("chat", "next") == ["chat/0000000000000000004"]
        assert fork.read("chat") == ["shared", "theirs 1", "theirs 2"]

    def test_merging_again_brings_only_what_is_new(self, space: Space) -> None:
        space.set("k", 1)
        space.append("chat", "shared")
        fork = space.fork("fork")
        fork.set("k", 2)
        fork.append("chat", "theirs 1")
        assert _merge(space, "fork").written == ["k"]
        again = _merge(space, "fork")
        assert (again.applied, again.written, again.appended, again.snapshot) == (True, [], [], None)
        space.set("k", "ours")
        assert _merge(space, "fork").written == []
        assert space.get("k") == "ours"
        fork.set("new", 1)
        fork.append("chat", "theirs 2")
        third = _merge(space, "fork")
        assert (third.written, len(third.appended)) == (["new"], 1)
        assert space.read("chat") == ["shared", "theirs 1", "theirs 2"]
        fork.set("k", 3)
        fourth = _merge(space, "fork")
        assert fourth.conflicts == [Conflict("k", (), 2, "ours", 3)]

    def test_a_merge_that_failed_can_be_made_again(self, space: Space) -> None:
        space.set("k", 1)
        fork = space.fork("fork")
        fork.set("k", 2)
        fork.set("new", 1)
        fork.append("chat", "theirs")
        space.set("k", 3)
        assert not _merge(space, "fork").applied
        assert _merge(space, "fork", strategy="ours").appended == ["chat/0000000000000000000"]
        assert space.contents() == {"chat/0000000000000000000": "theirs", "k": 3, "new": 1}

    def test_a_glob_chooses_keys_and_the_rest_can_come_later(self, space: Space) -> None:
        fork = space.fork("fork")
        for key in ("user:1", "user:2", "task:1", "User:1", "[user]", "user:[1]"):
            fork.set(key, 1)
        fork.append("chat", "x")
        assert _merge(space, "fork", keys="user:?").written == ["user:1", "user:2"]
        assert _merge(space, "fork", keys="[[]user]").written == ["[user]"]
        assert _merge(space, "fork", keys="nothing").written == []
        result = _merge(space, "fork")
        assert result.written == ["User:1", "task:1", "user:[1]"]
        assert result.appended == ["chat/0000000000000000000"]

    def test_a_dry_run_tells_and_does_nothing(self, space: Space) -> None:
        space.set("k", 1)
        space.set("goes", 1)
        fork = space.fork("fork")
        fork.set("k", 2)
        fork.delete("goes")
        fork.append("chat", "x")
        before, revision = space.contents(), space.revision
        told = _merge(space, "fork", dry_run=True)
        assert (told.applied, told.written, told.deleted, told.snapshot) == (False, ["k"], ["goes"], None)
        assert told.appended == ["chat/0000000000000000000"]
        assert (space.contents(), space.revision) == (before, revision)
        assert space.run(p.ListSnapshots(space.name)) == []
        done = _merge(space, "fork")
        assert (done.written, done.deleted, done.appended) == (told.written, told.deleted, told.appended)

    def test_a_parent_can_be_merged_into_its_fork(self, space: Space) -> None:
        space.set("a", 1)
        fork = space.fork("fork")
        space.set("a", 2)
        space.set("b", 1)
        fork.set("own", 1)
        assert _merge(fork, space.name).written == ["a", "b"]
        assert fork.contents() == {"a": 2, "b": 1, "own": 1}
        assert _merge(space, "fork").written == ["own"]
        assert space.contents() == fork.contents()

    def test_siblings_can_be_merged(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        one, other = space.fork("one"), space.fork("other").fork("below-the-other")
        one.set("a", 2)
        other.set("b", 2)
        space.set("b", "moved on")
        assert _merge(one, other.name).written == ["b"]
        assert one.contents() == {"a": 2, "b": 2}

    def test_strangers_are_merged_as_if_they_had_parted_from_nothing(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", {"x": 1})
        stranger = space.beside("stranger")
        stranger.set("b", {"y": 1})
        stranger.set("c", 1)
        assert _merge(space, "stranger").written == ["b", "c"]
        assert space.contents() == {"a": 1, "b": {"x": 1, "y": 1}, "c": 1}

    def test_the_other_side_can_be_looked_at_in_its_past(self, space: Space) -> None:
        space.set("k", 1)
        fork = space.fork("fork")
        fork.set("k", 2)
        then = fork.revision
        fork.set("k", 3)
        fork.set("late", 1)
        assert _merge(space, "fork", other_at=then).written == ["k"]
        assert space.contents() == {"k": 2}
        assert _merge(space, "fork").written == ["k", "late"]
        assert space.contents() == {"k": 3, "late": 1}

    def test_merging_a_moment_that_was_merged_already_brings_nothing_and_takes_nothing_back(self, space: Space) -> None:
        space.set("k", 0)
        fork = space.fork("fork")
        fork.set("k", 1)
        then = fork.revision
        fork.set("k", 2)
        assert _merge(space, "fork").written == ["k"]
        space.set("k", "mine")
        for other_at in (then, None):
            result = _merge(space, "fork", other_at=other_at)
            assert (result.applied, result.written, result.conflicts) == (True, [], [])
        assert space.get("k") == "mine"

    def test_an_expiry_comes_along_and_what_has_expired_does_not(self, space: Space, clock: ManualClock) -> None:
        space.set("mine", 1)
        fork = space.fork("fork")
        fork.set("short", 1, ttl=60)
        fork.set("long", 1, ttl=600)
        fork.append("chat", "short", ttl=60)
        fork.append("chat", "long", ttl=600)
        clock.advance(60)
        result = _merge(space, "fork")
        assert (result.written, len(result.appended)) == (["long"], 1)
        assert space.entry("long").expires_at == fork.entry("long").expires_at
        clock.advance(540)
        assert space.contents() == {"mine": 1}

    def test_a_merge_is_one_revision_in_everybodys_eyes(self, space: Space) -> None:
        fork = space.fork("fork")
        fork.run(p.SetMany("fork", tuple((f"k{number}", encode(number)) for number in range(20))))
        fork.append("chat", "x", "y")
        result = _merge(space, "fork")
        assert {entry.revision for entry in space.entries()} == {result.revision}

    @pytest.mark.parametrize(
        "more", [{"strategy": "mine"}, {"strategy": None}, {"keys": None}, {"keys": 1}, {"other_at": 99}], ids=repr
    )
    def test_what_is_no_merge_is_refused(self, space: Space, more: dict[str, Any]) -> None:
        space.set("k", 1)
        space.fork("fork").set("k", 2)
        with pytest.raises(InvalidValueError):
            _merge(space, "fork", **more)
        assert space.get("k") == 1

    def test_a_name_that_is_none_cannot_be_merged(self, space: Space) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidNamespaceError):
            _merge(space, "a/b")
        with pytest.raises(InvalidValueError):
            _merge(space, "never-written")
