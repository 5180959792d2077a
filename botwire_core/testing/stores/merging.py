"""Merges: what a fork learned comes back, key by key and inside of values, and conflicts are data."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.results import Conflict
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["MergeContract"]


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
        result = space.merge("fork", author="ann")
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
        result = space.merge("fork")
        assert (result.applied, result.written, result.deleted, result.snapshot) == (True, [], [], None)
        fork.set("same", 1)
        space.set("same", 1)
        assert space.merge("fork").written == []
        assert space.revision == result.revision + 1 == revision + 1

    def test_rows_of_a_log_are_appended_after_ours_and_never_conflict(self, space: Space) -> None:
        space.append("chat", "shared")
        fork = space.fork("fork")
        fork.append("chat", "theirs 1", "theirs 2")
        space.append("chat", "ours")
        fork.append("other", "first")
        result = space.merge("fork", author="ann")
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

    def test_a_row_that_comes_back_by_way_of_others_is_known_again(self, space: Space) -> None:
        one, two = space.fork("one"), space.fork("two")
        two.append("chat", "x")
        space.append("chat", "y")
        assert len(one.merge("two").appended) == 1
        assert len(two.merge(space.name).appended) == 1
        assert len(space.merge("one").appended) == 1
        for _ in range(2):
            assert two.merge(space.name).appended == space.merge("two").appended == []
        assert (space.read("chat"), two.read("chat")) == (["y", "x"], ["x", "y"])

    def test_merging_again_brings_only_what_is_new(self, space: Space) -> None:
        space.set("k", 1)
        space.append("chat", "shared")
        fork = space.fork("fork")
        fork.set("k", 2)
        fork.append("chat", "theirs 1")
        assert space.merge("fork").written == ["k"]
        again = space.merge("fork")
        assert (again.applied, again.written, again.appended, again.snapshot) == (True, [], [], None)
        space.set("k", "ours")
        assert space.merge("fork").written == []
        assert space.get("k") == "ours"
        fork.set("new", 1)
        fork.append("chat", "theirs 2")
        third = space.merge("fork")
        assert (third.written, len(third.appended)) == (["new"], 1)
        assert space.read("chat") == ["shared", "theirs 1", "theirs 2"]
        fork.set("k", 3)
        fourth = space.merge("fork")
        assert fourth.conflicts == [Conflict("k", (), 2, "ours", 3)]

    def test_a_glob_chooses_keys_and_the_rest_can_come_later(self, space: Space) -> None:
        fork = space.fork("fork")
        for key in ("user:1", "user:2", "task:1", "User:1", "[user]", "user:[1]"):
            fork.set(key, 1)
        fork.append("chat", "x")
        assert space.merge("fork", keys="user:?").written == ["user:1", "user:2"]
        assert space.merge("fork", keys="[[]user]").written == ["[user]"]
        assert space.merge("fork", keys="nothing").written == []
        result = space.merge("fork")
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
        told = space.merge("fork", dry_run=True)
        assert (told.applied, told.written, told.deleted, told.snapshot) == (False, ["k"], ["goes"], None)
        assert told.appended == ["chat/0000000000000000000"]
        assert (space.contents(), space.revision) == (before, revision)
        assert space.run(p.ListSnapshots(space.name)) == []
        done = space.merge("fork")
        assert (done.written, done.deleted, done.appended) == (told.written, told.deleted, told.appended)

    def test_a_parent_can_be_merged_into_its_fork(self, space: Space) -> None:
        space.set("a", 1)
        fork = space.fork("fork")
        space.set("a", 2)
        space.set("b", 1)
        fork.set("own", 1)
        assert fork.merge(space.name).written == ["a", "b"]
        assert fork.contents() == {"a": 2, "b": 1, "own": 1}
        assert space.merge("fork").written == ["own"]
        assert space.contents() == fork.contents()

    def test_siblings_can_be_merged(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        one, other = space.fork("one"), space.fork("other").fork("below-the-other")
        one.set("a", 2)
        other.set("b", 2)
        space.set("b", "moved on")
        assert one.merge(other.name).written == ["b"]
        assert one.contents() == {"a": 2, "b": 2}

    def test_strangers_are_merged_as_if_they_had_parted_from_nothing(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", {"x": 1})
        stranger = space.beside("stranger")
        stranger.set("b", {"y": 1})
        stranger.set("c", 1)
        assert space.merge("stranger").written == ["b", "c"]
        assert space.contents() == {"a": 1, "b": {"x": 1, "y": 1}, "c": 1}

    def test_the_other_side_can_be_looked_at_in_its_past(self, space: Space) -> None:
        space.set("k", 1)
        fork = space.fork("fork")
        fork.set("k", 2)
        then = fork.revision
        fork.set("k", 3)
        fork.set("late", 1)
        assert space.merge("fork", other_at=then).written == ["k"]
        assert space.contents() == {"k": 2}
        assert space.merge("fork").written == ["k", "late"]
        assert space.contents() == {"k": 3, "late": 1}

    def test_merging_a_moment_that_was_merged_already_brings_nothing_and_takes_nothing_back(self, space: Space) -> None:
        space.set("k", 0)
        fork = space.fork("fork")
        fork.set("k", 1)
        then = fork.revision
        fork.set("k", 2)
        assert space.merge("fork").written == ["k"]
        space.set("k", "mine")
        for other_at in (then, None):
            result = space.merge("fork", other_at=other_at)
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
        result = space.merge("fork")
        assert (result.written, len(result.appended)) == (["long"], 1)
        assert space.entry("long").expires_at == fork.entry("long").expires_at
        clock.advance(540)
        assert space.contents() == {"mine": 1}

    def test_a_merge_is_one_revision_in_everybodys_eyes(self, space: Space) -> None:
        fork = space.fork("fork")
        fork.run(p.SetMany("fork", tuple((f"k{number}", encode(number)) for number in range(20))))
        fork.append("chat", "x", "y")
        result = space.merge("fork")
        assert {entry.revision for entry in space.entries()} == {result.revision}

    @pytest.mark.parametrize(
        "more", [{"strategy": "mine"}, {"strategy": None}, {"keys": None}, {"keys": 1}, {"other_at": 99}], ids=repr
    )
    def test_what_is_no_merge_is_refused(self, space: Space, more: dict[str, Any]) -> None:
        space.set("k", 1)
        space.fork("fork").set("k", 2)
        with pytest.raises(InvalidValueError):
            space.merge("fork", **more)
        assert space.get("k") == 1

    def test_a_name_that_is_none_cannot_be_merged(self, space: Space) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidNamespaceError):
            space.merge("a/b")
        with pytest.raises(InvalidValueError):
            space.merge("never-written")
