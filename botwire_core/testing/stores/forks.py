"""Forks: a namespace that starts as another one stood, and from then on shares nothing with it."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import ConflictError, InvalidNamespaceError
from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["ForkContract"]


class ForkContract(StoreBench):
    """Forks of namespaces, of forks, and of the past of both."""

    def test_a_fork_starts_as_its_parent_stands_and_then_each_goes_its_own_way(self, space: Space) -> None:
        space.set("stays", 1)
        space.set("changes", 1)
        space.set("goes", 1)
        fork = space.fork("fork")
        assert fork.contents() == space.contents() == {"changes": 1, "goes": 1, "stays": 1}
        fork.set("changes", "in the fork")
        fork.delete("goes")
        fork.set("new", "in the fork")
        space.set("changes", "in the parent")
        space.set("late", "in the parent")
        space.delete("stays")
        assert fork.contents() == {"changes": "in the fork", "new": "in the fork", "stays": 1}
        assert space.contents() == {"changes": "in the parent", "goes": 1, "late": "in the parent"}

    def test_a_fork_tells_where_it_comes_from(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        space.set("k", 2)
        clock.advance(5)
        info = space.run(p.Fork(space.name, "fork", ttl=60))
        assert (info.name, info.parent, info.forked_at, info.revision) == ("fork", space.name, 2, 2)
        assert info.changed_keys == 0
        assert info.expires_at is not None
        assert (info.expires_at - info.created_at).total_seconds() == pytest.approx(60, abs=2)
        assert space.beside("fork").info() == info
        root = space.info()
        assert (root.parent, root.forked_at, root.expires_at, root.changed_keys) == (None, None, None, 1)
        space.beside("fork").set("k", 3)
        space.beside("fork").set("k", 4)
        space.beside("fork").set("l", 4)
        after = space.beside("fork").info()
        assert (after.forked_at, after.revision, after.changed_keys) == (2, 5, 2)
        assert space.stats().forks == 1

    def test_revisions_of_a_fork_go_on_from_those_of_its_parent(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        fork = space.fork("fork")
        assert fork.revision == space.revision == 2
        fork.set("a", 2)
        space.set("b", 2)
        assert (fork.entry("a").revision, fork.entry("b").revision) == (3, 2)
        assert (space.entry("a").revision, space.entry("b").revision) == (1, 3)

    def test_what_is_inherited_is_the_same_entry(self, space: Space, clock: ManualClock) -> None:
        space.set("k", [1], ttl=60, author="ann")
        before = space.entry("k")
        clock.advance(5)
        assert space.fork("fork").entry("k") == before

    def test_every_write_reads_through_to_the_parent(self, space: Space, clock: ManualClock) -> None:
        space.set("n", 41)
        space.set("text", "x", ttl=60)
        space.set("gone", 1)
        space.delete("gone")
        space.append("log", "a", "b")
        fork = space.fork("fork")
        assert fork.increment("n") == 42
        assert fork.entry("n").version == 2
        with pytest.raises(ConflictError) as caught:
            fork.set("text", "y", if_version=0)
        assert caught.value.version == 1
        assert fork.expire("text", 120) is True
        assert fork.set("gone", 2, if_version=0) == 3
        assert fork.append("log", "c") == ["log/0000000000000000002"]
        assert fork.read("log") == ["a", "b", "c"]
        assert fork.run(p.Transact("fork", (p.Check("fork", "n", 2), p.Delete("fork", "n")))) == [None, True]
        assert fork.delete("n") is False
        clock.advance(61)
        assert fork.get("text") == "x"
        assert space.keys() == ["log/0000000000000000000", "log/0000000000000000001", "n"]
        assert space.contents()["n"] == 41

    def test_every_read_merges_and_hides(self, space: Space) -> None:
        for number, key in enumerate("abcdef"):
            space.set(key, {"n": number, "text": "old tea"})
        fork = space.fork("fork")
        fork.set("b", {"n": 100, "text": "new tea"})
        fork.delete("c")
        fork.set("cc", {"n": 101, "text": "new tea"})
        fork.run(p.DeleteMany("fork", ("e", "nothing")))
        seen = ["a", "b", "cc", "d", "f"]
        assert fork.keys() == seen
        assert fork.keys("c") == ["cc"]
        assert fork.keys(after="b", limit=2) == ["cc", "d"]
        assert [entry.key for entry in fork.entries(reverse=True)] == seen[::-1]
        assert [entry.key for entry in fork.entries(after="d", limit=2, reverse=True)] == ["cc", "b"]
        assert fork.run(p.GetMany("fork", ("c", "b"))) == {"b": {"n": 100, "text": "new tea"}}
        found = fork.run(p.Search("fork", where={"n": {"$lt": 100}}))
        assert sorted(entry.key for entry in found) == ["a", "d", "f"]
        assert sorted(entry.key for entry in fork.run(p.Search("fork", words="new"))) == ["b", "cc"]
        assert fork.stats().keys == 5
        assert fork.stats().bytes == sum(len(encode(value).data) for value in fork.contents().values())
        assert fork.run(p.Clear("fork", "c")) == 1
        assert fork.run(p.Clear("fork")) == 4
        assert fork.contents() == {}
        assert len(space.contents()) == 6

    def test_logs_of_parent_and_forks_go_on_apart(self, space: Space) -> None:
        space.append("log", "shared")
        one, other = space.fork("one"), space.fork("other")
        assert one.append("log", "one") == other.append("log", "other") == ["log/0000000000000000001"]
        assert space.append("log", "parent", "again")[1] == "log/0000000000000000002"
        assert (one.read("log"), other.read("log")) == (["shared", "one"], ["shared", "other"])
        one.delete("log/0000000000000000001")
        assert one.fork("deeper").append("log", "deeper") == ["log/0000000000000000002"]

    def test_an_entry_expires_in_every_fork_at_once(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=60)
        fork = space.fork("fork")
        clock.advance(60)
        late = space.fork("late")
        for one in (space, fork, late):
            assert one.get("k") is p.MISSING
            assert one.keys() == []
            assert one.set("k", 2, if_version=0) == 2

    def test_a_name_that_exists_is_a_conflict(self, space: Space) -> None:
        space.set("k", 1)
        space.beside("other").set("k", 2)
        space.fork("fork")
        for name in ("other", "fork", space.name):
            with pytest.raises(ConflictError) as caught:
                space.fork(name)
            assert caught.value.version is None
        assert space.beside("other").get("k") == 2

    @pytest.mark.parametrize("name", ["", ".x", "a/b", "x" * 244, None, 1], ids=repr)
    def test_what_is_no_name_cannot_name_a_fork(self, space: Space, name: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidNamespaceError):
            space.fork(name)
        with pytest.raises(InvalidNamespaceError):
            space.run(p.Fork(name, "fork"))

    def test_a_namespace_that_was_never_written_can_be_forked(self, space: Space) -> None:
        fork = space.fork("fork")
        assert fork.contents() == {}
        fork.set("k", 1)
        assert space.contents() == {}
        with pytest.raises(ConflictError):
            space.beside("unwritten").fork("unwritten")

    def test_namespaces_are_listed_in_byte_order(self, space: Space) -> None:
        for name in ("b", "a", "B", "a~1", "ab", "a@v1", "_"):
            space.beside(name).set("k", 1)
        space.beside("a").fork("a2")
        names = [one.name for one in space.run(p.ListNamespaces())]
        assert names == sorted(["b", "a", "B", "a~1", "ab", "a@v1", "_", "a2"])
        assert [one.name for one in space.run(p.ListNamespaces("a"))] == ["a", "a2", "a@v1", "ab", "a~1"]
        assert [one.name for one in space.run(p.ListNamespaces("a@"))] == ["a@v1"]
        assert space.run(p.ListNamespaces("%")) == []

    def test_a_fork_made_while_its_parent_is_written_is_of_one_moment(self, space: Space, store: Store) -> None:
        keys = tuple(f"k{number}" for number in range(10))
        space.run(p.SetMany(space.name, tuple((key, encode(0)) for key in keys)))

        def work(number: int) -> None:
            for turn in range(1, 15):
                if number:
                    store.run(p.Fork("space", f"fork{number}-{turn}"))
                else:
                    store.run(p.SetMany("space", tuple((key, encode(turn)) for key in keys)))

        in_threads(3, work)
        forks = [one.name for one in space.run(p.ListNamespaces("fork"))]
        assert len(forks) == 28
        for name in forks:
            contents = space.beside(name).contents()
            assert len(contents) == 10
            assert len(set(contents.values())) == 1
