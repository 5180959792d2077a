"""Lineages: forks of forks, of the past of both, and of what is no longer there."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.errors import InvalidValueError
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.expiry import NOT_TTLS
from botwire_core.testing.stores.space import Space

__all__ = ["LineageContract"]


class LineageContract(StoreBench):
    """Forks at any depth, from any revision, that outlive their parents or expire."""

    def test_forks_of_forks_see_every_ancestor_where_it_was_left(self, space: Space) -> None:
        depth = 50
        line = [space]
        for number in range(depth):
            line[-1].set(f"own{number:02}", number)
            line[-1].set("shared", number)
            line.append(line[-1].fork(f"fork{number}"))
        for number, ancestor in enumerate(line[:-1]):
            ancestor.set("shared", "changed later")
            ancestor.set("late", number)
        last = line[-1]
        assert last.contents() == {**{f"own{number:02}": number for number in range(depth)}, "shared": depth - 1}
        assert last.entry("shared").version == depth
        assert [entry.value for entry in last.history("shared")] == list(range(depth))[::-1]
        assert line[25].contents() == {
            **{f"own{number:02}": number for number in range(26)},
            "late": 25,
            "shared": "changed later",
        }

    def test_a_fork_can_start_at_any_revision(self, space: Space) -> None:
        space.set("k", "first")
        space.set("k", "second")
        space.delete("k")
        for at, value in ((0, p.MISSING), (1, "first"), (2, "second"), (3, p.MISSING)):
            fork = space.fork(f"at{at}", at=at)
            assert fork.get("k") == value
            assert fork.info().revision == at
            fork.set("new", at)
            assert fork.entry("new").revision == at + 1
        assert space.contents() == {}

    def test_a_fork_can_start_before_its_parent_was_forked(self, space: Space) -> None:
        space.set("k", "first")
        space.set("k", "second")
        child = space.fork("child")
        child.set("k", "third")
        space.set("k", "elsewhere")
        assert [child.get("k", at=at) for at in range(4)] == [p.MISSING, "first", "second", "third"]
        made = child.run(p.Fork("child", "early", at=1))
        early, late = child.beside("early"), child.fork("late", at=3)
        assert made == early.info()
        assert (early.get("k"), late.get("k")) == ("first", "third")
        early.set("k", "own")
        assert (early.entry("k").version, early.entry("k").revision) == (2, 2)
        assert child.get("k") == "third"

    @pytest.mark.parametrize("at", [2, -1, 1.0, True, "1"], ids=repr)
    def test_a_fork_cannot_start_where_the_parent_never_stood(self, space: Space, at: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidValueError):
            space.fork("fork", at=at)
        assert [one.name for one in space.run(p.ListNamespaces())] == [space.name]

    def test_a_fork_with_a_time_to_live_expires_whole(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        fork = space.fork("fork", ttl=60)
        fork.set("own", 1)
        child = fork.fork("child")
        clock.advance(59.999999)
        assert fork.keys() == ["k", "own"]
        clock.advance(0.000001)
        assert fork.contents() == {}
        assert fork.get("k") is p.MISSING
        assert child.contents() == {"k": 1, "own": 1}
        assert [one.name for one in space.run(p.ListNamespaces())] == ["child", space.name]
        assert space.stats().forks == 0
        again = space.fork("fork")
        assert again.contents() == {"k": 1}
        assert child.contents() == {"k": 1, "own": 1}

    def test_a_write_to_an_expired_fork_starts_a_fresh_namespace(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        fork = space.fork("fork", ttl=60)
        fork.set("own", 1)
        clock.advance(60)
        fork.set("new", 1)
        assert fork.contents() == {"new": 1}
        info = fork.info()
        assert (info.parent, info.expires_at) == (None, None)

    @pytest.mark.parametrize("ttl", NOT_TTLS, ids=lambda ttl: repr(ttl)[:12])
    def test_what_is_no_time_to_live_is_refused_for_forks_and_snapshots(self, space: Space, ttl: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidValueError):
            space.fork("fork", ttl=ttl)
        with pytest.raises(InvalidValueError):
            space.run(p.Snapshot(space.name, "label", ttl))
        assert (space.stats().forks, space.stats().snapshots) == (0, 0)

    def test_a_dropped_parent_leaves_its_forks_as_they_are(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        space.append("log", "a")
        fork = space.fork("fork")
        deeper = fork.fork("deeper")
        fork.set("b", 2)
        assert space.run(p.Drop(space.name)) is True
        assert space.contents() == {}
        assert fork.get("a") == 1
        assert fork.info().parent is None
        space.set("a", "of another namespace with the old name")
        space.append("log", "of another")
        assert fork.read("log") == ["a"]
        assert {key: value for key, value in fork.contents().items() if len(key) == 1} == {"a": 1, "b": 2}
        assert fork.run(p.Drop("fork")) is True
        assert {key: value for key, value in deeper.contents().items() if len(key) == 1} == {"a": 1, "b": 1}
        assert deeper.set("a", 3, if_version=1) == 2
        assert space.run(p.Drop("deeper")) is True
        assert space.contents()["a"] == "of another namespace with the old name"

    def test_a_dropped_fork_leaves_its_parent_and_its_siblings(self, space: Space) -> None:
        space.set("k", 1)
        one, other = space.fork("one"), space.fork("other")
        one.set("k", 2)
        other.set("k", 3)
        assert one.run(p.Drop("one")) is True
        assert one.run(p.Drop("one")) is False
        assert (space.get("k"), other.get("k"), one.get("k")) == (1, 3, p.MISSING)
        assert space.fork("one").get("k") == 1
