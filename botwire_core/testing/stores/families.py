"""Moving families: a namespace with its past and its forks, out of a store and into another, number by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.errors import BotWireError, ConflictError, InvalidNamespaceError, InvalidValueError
from botwire_core.family import FamilyEnd, FamilyMember, FamilyPart, FamilyRow
from botwire_core.records import replace
from botwire_core.results import Retention
from botwire_core.stores.dict import DictStore
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.changes import all_changes
from botwire_core.testing.stores.space import Space
from botwire_core.testing.stores.values import VALUES

__all__ = ["FamilyContract", "family", "picture"]

_NAMES = ("space", "fork", "fork-of-fork", "sibling")


def family(space: Space) -> list[FamilyPart]:
    """The parts of the family of a namespace."""
    parts: list[FamilyPart] = []
    count = space.run(p.ExportFamily(space.name, parts.extend))
    assert count == sum(isinstance(part, FamilyRow) for part in parts)
    return parts


def picture(space: Space, name: str | None = None) -> list[Any]:
    """All that anybody can see of a namespace, now and in its past."""
    run = space.run
    space = space.beside(name or space.name)
    info = space.info()
    moments: list[Any] = []
    for at in range(info.revision + 1):
        try:
            moments.append(space.contents(at))
        except BotWireError as error:
            moments.append((type(error), error.message))
    try:
        changes: Any = all_changes(space)
    except BotWireError as error:
        changes = type(error), error.message
    keys = sorted({key for one in moments if isinstance(one, dict) for key in one})
    return [
        replace(info, name="", parent=None),
        space.stats().keys,
        [space.history(key) for key in keys],
        run(p.ListSnapshots(space.name)),
        run(p.GetRetention(space.name)),
        changes,
        moments,
    ]


def build(space: Space, clock: ManualClock) -> None:
    """A namespace with three forks, and something of everything in them."""
    for number, value in enumerate(VALUES.values()):
        space.set(f"value {number}", value, author="ann" if number % 2 else None)
    space.append("log", "a", "b")
    space.set("expires", 1, ttl=3600)
    space.set("expired", "long gone", ttl=1)
    clock.advance(1.000001)
    space.run(p.Snapshot(space.name, "kept"))
    space.run(p.Snapshot(space.name, "kept a while", ttl=60))
    space.run(p.SetRetention(space.name, Retention(100, 3600.5)))
    fork = space.fork("fork", ttl=86400)
    fork.set("value 0", "other")
    fork.delete("value 1")
    fork.append("log", "c")
    fork.run(p.Snapshot("fork", "of the fork"))
    deeper = fork.fork("fork-of-fork")
    deeper.set("value 1", "again")
    space.set("value 0", "here")
    space.fork("sibling", at=3).set("value 2", 2)
    clock.advance(5)
    space.run(p.Merge(space.name, "fork", strategy="ours"))
    fork.append("log", "d")
    space.append("log", "e")


class FamilyContract(StoreBench):
    """`ExportFamily` and `ImportFamily`."""

    def test_a_family_comes_back_as_it_was(self, space: Space, clock: ManualClock) -> None:
        build(space, clock)
        before = {name: picture(space, name) for name in _NAMES}
        parts = family(space)
        for name in _NAMES:
            space.run(p.Drop(name))
        assert space.run(p.ListNamespaces()) == []
        rows = sum(isinstance(part, FamilyRow) for part in parts)
        assert space.run(p.ImportFamily(space.name, iter(parts))) == rows
        assert {name: picture(space, name) for name in _NAMES} == before
        assert family(space) == parts

    def test_a_family_goes_to_another_store_and_comes_back(self, space: Space, clock: ManualClock) -> None:
        build(space, clock)
        parts = family(space)
        other = Space(DictStore(clock=clock).run)
        other.run(p.ImportFamily(space.name, parts))
        assert {name: picture(other, name) for name in _NAMES} == {name: picture(space, name) for name in _NAMES}
        assert family(other) == parts
        for name in _NAMES:
            space.run(p.Drop(name))
        space.run(p.ImportFamily(space.name, family(other)))
        assert family(space) == parts

    def test_everything_goes_on_from_where_it_was(self, space: Space, clock: ManualClock) -> None:
        build(space, clock)
        other = Space(DictStore(clock=clock).run)
        other.run(p.ImportFamily(space.name, family(space)))
        for one in (space, other):
            fork = one.beside("fork")
            assert one.append("log", "f") == ["log/0000000000000000004"]
            assert fork.append("log", "g") == ["log/0000000000000000004"]
            assert one.set("value 0", 1, if_version=one.entry("value 0").version) == 3
            assert one.fork("new", at=2).contents() == one.contents(at=2)
            merged = one.run(p.Merge(one.name, "fork"))
            assert (merged.ok, merged.written, len(merged.appended)) == (True, [], 2)
            assert one.run(p.Resolve(one.name, "kept")) == one.run(p.ListSnapshots(one.name))[0].number
            one.beside("sibling").set("value 2", 3)
        assert picture(other, "sibling")[5] == picture(space, "sibling")[5]
        assert space.contents() == other.contents()
        diffs = [one.run(p.Compare(one.name, "fork-of-fork")) for one in (space, other)]
        assert diffs[0] == diffs[1]

    def test_the_namespace_takes_the_name_that_it_is_imported_by(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        space.set("k", 2)
        space.run(p.ImportFamily("copy", family(space)))
        assert picture(space, "copy") == picture(space)
        space.set("k", 3)
        assert space.beside("copy").get("k") == 2

    def test_what_is_above_a_fork_comes_as_far_as_it_is_inherited(self, space: Space) -> None:
        space.set("a", 1)
        space.set("a", 2)
        space.append("log", "x")
        fork = space.fork("fork", at=2)
        space.set("a", "secret")
        space.run(p.Snapshot(space.name, "not of the fork"))
        space.fork("sibling").set("b", "secret")
        fork.set("b", 1)
        parts = family(fork)
        members = [part for part in parts if isinstance(part, FamilyMember)]
        assert [(one.name, one.parent, one.forked_at, one.head) for one in members] == [
            (None, None, 0, 2),
            ("fork", 1, 2, 3),
        ]
        assert members[0].snapshots == ()
        assert [part.row.value for part in parts if isinstance(part, FamilyRow)] == [1, 2, 1]
        space.run(p.ImportFamily("copy", parts))
        copy = space.beside("copy")
        assert picture(copy) == picture(fork)
        assert copy.contents(at=1) == {"a": 1}
        assert [entry.value for entry in copy.history("a")] == [2, 1]
        assert copy.info().parent is None
        assert copy.append("log", "y") == fork.append("log", "y")
        assert copy.set("a", 3, if_version=2) == 3

    def test_the_forks_of_what_was_dropped_come_along(self, space: Space) -> None:
        space.set("a", 1)
        middle = space.fork("middle")
        middle.set("b", 1)
        first = middle.fork("first")
        middle.set("b", "after the first")
        second = middle.fork("second")
        middle.set("b", "for nobody")
        first.set("c", 1)
        middle.run(p.Drop("middle"))
        parts = family(space)
        names = [part.name for part in parts if isinstance(part, FamilyMember)]
        assert names == ["space", None, "first", "second"]
        assert "for nobody" not in [part.row.value for part in parts if isinstance(part, FamilyRow)]
        before = [picture(one) for one in (space, first, second)]
        for one in (space, first, second):
            space.run(p.Drop(one.name))
        space.run(p.ImportFamily(space.name, parts))
        assert [picture(one) for one in (space, first, second)] == before
        assert family(space) == parts

    def test_what_has_expired_leaves_its_number_and_nothing_else(self, space: Space, clock: ManualClock) -> None:
        space.set("k", "first", ttl=10)
        space.fork("short", ttl=10).set("k", "short")
        space.fork("long").set("late", "soon gone", ttl=20)
        space.run(p.Snapshot(space.name, "short", ttl=10))
        clock.advance(10)
        parts = family(space)
        assert [part.name for part in parts if isinstance(part, FamilyMember)] == ["space", "long"]
        values = [part.row.value for part in parts if isinstance(part, FamilyRow)]
        assert values == [None, "soon gone"]
        clock.advance(10)
        other = Space(DictStore(clock=clock).run)
        other.run(p.ImportFamily(space.name, parts))
        assert other.contents() == other.beside("long").contents() == {}
        assert family(other) == family(space)
        assert other.run(p.ListSnapshots(space.name)) == []
        assert space.set("k", 2) == other.set("k", 2) == 2
        assert space.entry("k") == other.entry("k")

    def test_a_fork_that_expired_on_the_way_is_gone_and_its_forks_are_not(
        self, space: Space, clock: ManualClock
    ) -> None:
        space.set("a", 1)
        short = space.fork("short", ttl=10)
        short.set("b", 1)
        short.fork("below").set("c", 1)
        parts = family(space)
        clock.advance(10)
        other = Space(DictStore(clock=clock).run)
        other.run(p.ImportFamily(space.name, parts))
        assert [one.name for one in other.run(p.ListNamespaces())] == ["below", "space"]
        assert other.beside("below").contents() == {"a": 1, "b": 1, "c": 1}
        assert family(other) == family(space)
        assert other.fork("short").contents() == {"a": 1}

    def test_what_was_purged_does_not_come_and_its_numbers_go_on(self, space: Space) -> None:
        space.append("log", "secret")
        space.set("key", "secret")
        space.set("key", "secret 2")
        space.set("other", 1)
        space.run(p.Purge(space.name, "log"))
        space.run(p.Purge(space.name, "key"))
        parts = family(space)
        assert "secret" not in repr([part.row.value for part in parts if isinstance(part, FamilyRow)])
        assert "log" not in repr([part for part in parts if isinstance(part, FamilyMember)]).replace("log_floors", "")
        space.run(p.ImportFamily("copy", parts))
        for one in (space, space.beside("copy")):
            assert one.revision == 4
            assert one.append("log", "x") == ["log/0000000000000000001"]
            assert one.set("key", 1) == 3

    def test_a_name_that_is_taken_is_a_conflict_and_nothing_is_written(self, space: Space) -> None:
        space.set("k", 1)
        space.fork("fork")
        parts = family(space)
        with pytest.raises(ConflictError, match="'space'"):
            space.run(p.ImportFamily("space", parts))
        with pytest.raises(ConflictError, match="'fork'"):
            space.run(p.ImportFamily("copy", parts))
        with pytest.raises(ConflictError, match="'fork'"):
            Space(DictStore().run).run(p.ImportFamily("fork", parts))
        with pytest.raises(InvalidNamespaceError):
            space.run(p.ImportFamily("no/name", parts))
        assert [one.name for one in space.run(p.ListNamespaces())] == ["fork", "space"]
        assert space.contents() == {"k": 1}

    def test_the_name_of_what_has_expired_is_free(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        parts = family(space)
        space.fork("copy", ttl=10)
        clock.advance(10)
        space.run(p.ImportFamily("copy", parts))
        assert picture(space, "copy") == picture(space)

    def test_an_error_in_the_middle_leaves_nothing(self, space: Space, clock: ManualClock) -> None:
        build(space, clock)
        parts = family(space)
        names = [one.name for one in space.run(p.ListNamespaces())]
        taken = [part for part in parts if isinstance(part, FamilyMember)]
        free = {one.number: replace(one, name=one.name and f"new-{one.name}") for one in taken}

        def broken(end: int) -> Iterator[FamilyPart]:
            yield from (free[part.number] if isinstance(part, FamilyMember) else part for part in parts[:end])
            raise RuntimeError("the file ended")

        for end in (0, 1, len(taken), len(taken) + 5, len(parts) - 1, len(parts)):
            with pytest.raises(RuntimeError):
                space.run(p.ImportFamily("copy", broken(end)))
        with pytest.raises(InvalidValueError, match="end is missing"):
            space.run(p.ImportFamily("copy", [replace(free[1], merges=()), FamilyRow(1, _row(parts), 0)]))
        assert [one.name for one in space.run(p.ListNamespaces())] == names
        assert family(space) == parts
        assert space.fork("new-fork").contents() == space.contents()

    def test_an_error_of_who_takes_the_parts_is_raised(self, space: Space) -> None:
        space.set("k", 1)

        def full(parts: Sequence[FamilyPart]) -> None:
            raise OSError("no space left")

        with pytest.raises(OSError, match="no space left"):
            space.run(p.ExportFamily(space.name, full))
        assert space.set("k", 2) == 2

    def test_a_namespace_that_is_not_there_cannot_be_exported(self, space: Space) -> None:
        with pytest.raises(InvalidValueError, match="'absent'"):
            family(space.beside("absent"))
        assert space.run(p.ListNamespaces()) == []

    def test_what_breaks_the_rules_is_refused(self, space: Space) -> None:
        space.set("k", 1)
        space.set("k", 2)
        member, first, second, end = family(space)
        assert isinstance(member, FamilyMember)
        assert isinstance(first, FamilyRow)
        assert isinstance(second, FamilyRow)
        assert isinstance(end, FamilyEnd)
        nobody = replace(member, name=None)
        bad: list[list[FamilyPart]] = [
            [],
            [end],
            [member, first, second],
            [member, first, end],
            [member, second, first, end],
            [member, first, first, end],
            [member, first, second, end, end],
            [first, second, member, end],
            [member, first, member, second, end],
            [nobody, first, second, end],
            [replace(member, name="a/b"), first, second, end],
            [replace(member, number=2), first, second, end],
            [replace(member, parent=1), first, second, end],
            [replace(member, forked_at=1), first, second, end],
            [replace(member, head=1), first, second, end],
            [replace(member, pruned=3), first, second, end],
            [member, replace(member, number=2), first, second, end],
            [member, replace(member, number=2, name="b"), first, second, end],
            [member, first, replace(second, member=2), end],
            [member, first, replace(second, previous=0), end],
            [member, first, replace(second, previous=2), end],
            [member, first, replace(second, row=replace(second.row, version=1)), end],
            [member, first, replace(second, row=replace(second.row, revision=3)), end],
            [member, first, replace(second, row=replace(second.row, updated=0)), end],
            [member, first, replace(second, row=replace(second.row, key="")), end],
            [member, replace(first, row=replace(first.row, revision=2), previous=1), end],
        ]
        for parts in bad:
            with pytest.raises(BotWireError) as caught:
                space.run(p.ImportFamily("copy", parts))
            assert isinstance(caught.value, ValueError), parts
        assert [one.name for one in space.run(p.ListNamespaces())] == [space.name]
        space.run(p.ImportFamily("copy", [member, first, second, end]))


def _row(parts: list[FamilyPart]) -> Any:
    return next(part.row for part in parts if isinstance(part, FamilyRow))
