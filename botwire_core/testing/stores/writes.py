"""Writes: versions that never go back, conditions on them, and counts of what was done."""

from __future__ import annotations

from typing import Any, Final

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import ConflictError, InvalidValueError
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["WriteContract"]

_NOT_ADDENDS: Final[list[Any]] = ["1", True, None, [1], float("nan"), float("inf"), float("-inf")]


class WriteContract(StoreBench):
    """Single writes, and many in one."""

    def test_versions_count_the_writes_of_a_key(self, space: Space) -> None:
        assert [space.set("k", value) for value in "abc"] == [1, 2, 3]
        assert space.set("other", 1) == 1
        assert space.entry("k").version == 3

    def test_an_entry_tells_when_and_by_whom(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, author="ann")
        first = space.entry("k")
        clock.advance(5)
        space.set("k", 2, ttl=60)
        second = space.entry("k")
        assert (first.key, first.value, first.version, first.author) == ("k", 1, 1, "ann")
        assert (first.expires_at, first.deleted) == (None, False)
        assert (second.value, second.version, second.author) == (2, 2, None)
        assert first.created_at == first.updated_at == second.created_at
        assert (second.updated_at - first.updated_at).total_seconds() == pytest.approx(5, abs=2)
        assert second.expires_at is not None
        assert (second.expires_at - second.updated_at).total_seconds() == pytest.approx(60, abs=0.001)
        assert second.updated_at.utcoffset() == second.created_at.utcoffset() == second.expires_at.utcoffset()
        assert str(second.updated_at.tzinfo) == "UTC"

    def test_a_delete_is_a_write_and_a_new_start_goes_on_from_its_version(
        self, space: Space, clock: ManualClock
    ) -> None:
        space.set("k", 1)
        space.set("k", 2)
        before = space.entry("k")
        assert space.delete("k") is True
        assert space.get("k") is p.MISSING
        assert space.delete("k") is False
        clock.advance(5)
        assert space.set("k", 3) == 4
        assert space.entry("k").created_at > before.created_at

    def test_a_write_with_the_current_version_goes_through(self, space: Space) -> None:
        assert space.set("k", 1, if_version=0) == 1
        assert space.set("k", 2, if_version=1) == 2
        assert space.delete("k", if_version=2) is True
        assert space.set("k", 3, if_version=0) == 4

    @pytest.mark.parametrize("wanted", [0, 1, 3, 2**63, 10**30])
    def test_a_write_with_another_version_is_a_conflict_and_does_nothing(self, space: Space, wanted: int) -> None:
        space.set("k", 1)
        space.set("k", 2)
        for op in (p.Set(space.name, "k", encode(3), if_version=wanted), p.Delete(space.name, "k", if_version=wanted)):
            with pytest.raises(ConflictError) as caught:
                space.run(op)
            assert (caught.value.key, caught.value.version) == ("k", 2)
        assert (space.get("k"), space.entry("k").version) == (2, 2)

    def test_a_version_of_what_is_gone_never_matches_again(self, space: Space) -> None:
        space.set("k", "first")
        space.delete("k")
        for version in (1, 2):
            with pytest.raises(ConflictError) as caught:
                space.set("k", "late", if_version=version)
            assert caught.value.version == 0
        space.set("k", "second")
        for version in (1, 2):
            with pytest.raises(ConflictError):
                space.set("k", "late", if_version=version)
        assert space.get("k") == "second"

    @pytest.mark.parametrize("version", [-1, 1.0, True, "1", b"1", [1]], ids=repr)
    def test_what_is_no_version_is_refused(self, space: Space, version: Any) -> None:
        space.set("k", 1)
        for op in (
            p.Set(space.name, "k", encode(2), if_version=version),
            p.Delete(space.name, "k", if_version=version),
            p.Transact(space.name, (p.Check(space.name, "k", version),)),
        ):
            with pytest.raises(InvalidValueError):
                space.run(op)
        assert space.get("k") == 1

    def test_many_are_set_in_one_transaction(self, space: Space) -> None:
        space.set("b", 0)
        before = space.revision
        items = (("a", encode(1)), ("b", encode(2)), ("c", encode(3)))
        assert space.run(p.SetMany(space.name, items, author="ann")) == {"a": 1, "b": 2, "c": 1}
        assert space.contents() == {"a": 1, "b": 2, "c": 3}
        assert {entry.revision for entry in space.entries()} == {before + 1}
        assert {entry.author for entry in space.entries()} == {"ann"}

    def test_setting_or_deleting_nothing_is_no_write(self, space: Space) -> None:
        space.set("k", 1)
        before = space.revision
        assert space.run(p.SetMany(space.name, ())) == {}
        assert space.run(p.DeleteMany(space.name, ())) == 0
        assert space.append("log") == []
        assert space.delete("other") is False
        assert space.run(p.Clear(space.name, "other")) == 0
        assert space.run(p.Transact(space.name, ())) == []
        assert space.revision == before

    def test_many_are_deleted_and_counted_once(self, space: Space) -> None:
        for key in "abcd":
            space.set(key, 1)
        space.delete("d")
        assert space.run(p.DeleteMany(space.name, ("a", "b", "a", "d", "e"))) == 2
        assert space.keys() == ["c"]

    def test_clear_takes_what_has_the_prefix_and_nothing_else(self, space: Space) -> None:
        for key in ("user:1", "user:2", "user;", "user", "User:1"):
            space.set(key, 1)
        space.delete("user:2")
        assert space.run(p.Clear(space.name, "user:")) == 1
        assert space.keys() == ["User:1", "user", "user;"]
        assert space.set("user:1", 2) == 3
        assert space.run(p.Clear(space.name)) == 4
        assert space.keys() == []

    def test_a_dropped_namespace_is_empty_and_can_be_used_again(self, space: Space) -> None:
        space.set("k", 1)
        space.append("log", 1)
        assert space.run(p.Drop(space.name)) is True
        assert space.contents() == {}
        assert space.read("log") == []
        space.set("k", 2)
        assert space.contents() == {"k": 2}

    def test_each_write_is_one_revision_and_reads_are_none(self, space: Space) -> None:
        space.set("a", 1)
        first = space.entry("a").revision
        space.set("b", 1)
        space.delete("a")
        space.increment("n")
        space.append("log", 1, 2)
        space.expire("b", 60)
        space.get("a"), space.keys(), space.entries(), space.read("log")
        assert space.entry("b").revision == space.revision == first + 5
        assert space.entry("n").revision == first + 3
        assert {entry.revision for entry in space.entries("log/")} == {first + 4}

    def test_an_increment_counts_from_zero_and_gives_the_new_number(self, space: Space) -> None:
        assert repr(space.increment("n")) == "1"
        assert repr(space.increment("n", 41)) == "42"
        assert repr(space.increment("n", -50)) == "-8"
        assert repr(space.increment("n", 0.5)) == "-7.5"
        assert repr(space.increment("wide", 2**64)) == repr(2**64)
        assert repr(space.increment("wide", 1)) == repr(2**64 + 1)
        assert repr(space.get("wide")) == repr(2**64 + 1)
        assert space.entry("n").version == 4

    @pytest.mark.parametrize("value", ["1", True, None, [1], {"n": 1}, b"1"], ids=repr)
    def test_what_is_no_number_cannot_be_incremented(self, space: Space, value: Any) -> None:
        space.set("k", value)
        with pytest.raises(InvalidValueError):
            space.increment("k")
        assert (repr(space.get("k")), space.entry("k").version) == (repr(value), 1)

    @pytest.mark.parametrize("by", _NOT_ADDENDS, ids=lambda by: repr(by)[:9])
    def test_what_is_no_number_cannot_be_added(self, space: Space, by: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidValueError):
            space.increment("k", by)
        assert space.get("k") == 1

    def test_a_sum_that_is_no_longer_finite_is_refused(self, space: Space) -> None:
        space.set("k", 1.7e308)
        with pytest.raises(InvalidValueError):
            space.increment("k", 1.7e308)
        space.set("wide", 10**4300 - 1)
        with pytest.raises(InvalidValueError):
            space.increment("wide", 1)
        with pytest.raises(InvalidValueError):
            space.increment("wide", 0.5)
        assert space.contents() == {"k": 1.7e308, "wide": 10**4300 - 1}
