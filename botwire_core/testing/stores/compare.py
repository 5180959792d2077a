"""Diffs: what it takes to get from one memory, or one moment, to another."""

from __future__ import annotations

import pytest

from botwire_core import protocol as p
from botwire_core.diff import Diff
from botwire_core.errors import InvalidKeyError, InvalidNamespaceError, InvalidValueError
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.keys import HOSTILE_KEYS
from botwire_core.testing.stores.space import Space

__all__ = ["CompareContract"]


def _compare(space: Space, other: str, at: int | None = None, other_at: int | None = None, prefix: str = "") -> Diff:
    return space.run(p.Compare(space.name, other, at, other_at, prefix))


def _told(diff: Diff) -> dict[str, object]:
    """Added, removed and changed in short."""
    return {
        "+": diff.added,
        "-": diff.removed,
        "~": {entry.key: (entry.before, entry.after) for entry in diff.changed},
    }


class CompareContract(StoreBench):
    """Diffs between forks, between strangers, and between moments of one namespace."""

    def test_a_diff_tells_what_was_added_removed_and_changed(self, space: Space) -> None:
        for key in ("same", "changes", "goes", "written alike"):
            space.set(key, {"v": 1})
        fork = space.fork("fork")
        fork.set("changes", {"v": 2})
        fork.delete("goes")
        fork.set("new", None)
        fork.set("bytes", b"x")
        fork.set("written alike", {"v": 1})
        diff = _compare(space, "fork")
        assert (diff.before, diff.after) == (space.name, "fork")
        assert _told(diff) == {
            "+": {"bytes": b"x", "new": None},
            "-": {"goes": {"v": 1}},
            "~": {"changes": ({"v": 1}, {"v": 2})},
        }
        assert [change.path for change in diff.changed[0].inside] == ["v"]
        back = _compare(fork, space.name)
        assert _told(back) == {"+": diff.removed, "-": diff.added, "~": {"changes": ({"v": 2}, {"v": 1})}}
        assert bool(diff)
        assert len(diff) == 4

    def test_equal_memories_have_no_diff(self, space: Space) -> None:
        space.set("k", {"a": 1, "b": [1.0]})
        fork = space.fork("fork")
        assert not _compare(space, "fork")
        assert not _compare(space, space.name)
        fork.set("k", {"b": [1.0], "a": 1})
        fork.set("x", 1)
        fork.delete("x")
        fork.set("y", 1)
        space.set("y", 1)
        assert not _compare(space, "fork")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 1.0),
            (1, True),
            (0, False),
            (0.0, -0.0),
            ("1", 1),
            (None, "null"),
            ([1, 2], [2, 1]),
            ({}, []),
            ("a", b"a"),
        ],
        ids=repr,
    )
    def test_what_only_looks_alike_differs(self, space: Space, one: object, other: object) -> None:
        space.set("k", {"inside": [one]} if not isinstance(other, bytes) else one)
        fork = space.fork("fork")
        fork.set("k", {"inside": [other]} if not isinstance(other, bytes) else other)
        assert [entry.key for entry in _compare(space, "fork").changed] == ["k"]

    def test_each_part_of_a_diff_is_in_byte_order(self, space: Space) -> None:
        fork = space.fork("fork")
        for key in HOSTILE_KEYS:
            fork.set(key, 1)
        assert list(_compare(space, "fork").added) == sorted(HOSTILE_KEYS)
        assert list(_compare(fork, space.name).removed) == sorted(HOSTILE_KEYS)
        middle = fork.fork("middle")
        for key in HOSTILE_KEYS:
            middle.set(key, 2)
        diff = _compare(fork, "middle")
        assert [entry.key for entry in diff.changed] == diff.keys == sorted(HOSTILE_KEYS)

    def test_siblings_and_distant_relatives_can_be_compared(self, space: Space) -> None:
        space.set("base", 1)
        one, other = space.fork("one"), space.fork("other")
        one.set("one", 1)
        deep = other.fork("deep").fork("deeper")
        deep.set("deeper", 1)
        space.set("late", 1)
        assert _told(_compare(one, "deeper")) == {"+": {"deeper": 1}, "-": {"one": 1}, "~": {}}
        assert _told(_compare(space, "deeper")) == {"+": {"deeper": 1}, "-": {"late": 1}, "~": {}}

    def test_strangers_can_be_compared(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        stranger = space.beside("stranger")
        stranger.set("b", 2)
        stranger.set("c", 1)
        assert _told(_compare(space, "stranger")) == {"+": {"c": 1}, "-": {"a": 1}, "~": {"b": (1, 2)}}
        assert _told(_compare(space, "never-written")) == {"+": {}, "-": {"a": 1, "b": 1}, "~": {}}

    def test_moments_of_one_namespace_can_be_compared(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        then = space.revision
        space.set("a", 2)
        space.delete("b")
        now = space.revision
        assert _told(_compare(space, space.name, then, now)) == {"+": {}, "-": {"b": 1}, "~": {"a": (1, 2)}}
        assert _told(_compare(space, space.name, now, then)) == {"+": {"b": 1}, "-": {}, "~": {"a": (2, 1)}}
        assert _told(_compare(space, space.name, 0, then)) == {"+": {"a": 1, "b": 1}, "-": {}, "~": {}}
        fork = space.fork("fork", at=then)
        fork.set("a", 3)
        assert _told(_compare(fork, space.name, other_at=then)) == {"+": {}, "-": {}, "~": {"a": (3, 1)}}

    def test_what_has_expired_is_on_neither_side(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=60)
        fork = space.fork("fork")
        fork.set("k", 2, ttl=120)
        assert _told(_compare(space, "fork")) == {"+": {}, "-": {}, "~": {"k": (1, 2)}}
        clock.advance(60)
        assert _told(_compare(space, "fork")) == {"+": {"k": 2}, "-": {}, "~": {}}
        clock.advance(60)
        assert not _compare(space, "fork")

    def test_a_prefix_keeps_the_rest_out(self, space: Space) -> None:
        fork = space.fork("fork")
        for key in ("user:1", "user;", "User:1", "%"):
            fork.set(key, 1)
        assert list(_compare(space, "fork", prefix="user:").added) == ["user:1"]
        assert list(_compare(space, "fork", prefix="%").added) == ["%"]

    def test_what_cannot_be_compared_is_refused(self, space: Space) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidNamespaceError):
            _compare(space, "a/b")
        with pytest.raises(InvalidValueError):
            _compare(space, space.name, 7)
        with pytest.raises(InvalidKeyError):
            _compare(space, space.name, prefix="\0")
