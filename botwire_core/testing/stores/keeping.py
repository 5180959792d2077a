"""What is kept of the past: snapshots, and as many versions as a namespace is told to keep."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import ConflictError, InvalidValueError, RevisionPrunedError
from botwire_core.results import Retention
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["KeepingContract"]


class KeepingContract(StoreBench):
    """Snapshots, and retention."""

    def test_a_snapshot_keeps_a_revision_under_a_label(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        first = space.run(p.Snapshot(space.name, "before the change"))
        assert (first.number, first.label, int(first), first.expires_at) == (1, "before the change", 1, None)
        clock.advance(5)
        space.set("k", 2)
        second = space.run(p.Snapshot(space.name, "after", ttl=60))
        assert space.run(p.ListSnapshots(space.name)) == [first, second]
        assert first.created_at is not None
        assert second.created_at is not None
        assert second.expires_at is not None
        assert first.created_at < second.created_at < second.expires_at
        assert space.run(p.Resolve(space.name, "before the change")) == 1
        assert space.get("k", at=1) == 1
        assert space.stats().snapshots == 2
        clock.advance(60)
        assert space.run(p.ListSnapshots(space.name)) == [first]
        assert space.stats().snapshots == 1
        with pytest.raises(InvalidValueError):
            space.run(p.Resolve(space.name, "after"))
        assert space.run(p.Snapshot(space.name, "after")).number == 2

    def test_a_label_that_exists_is_a_conflict_until_it_is_deleted(self, space: Space) -> None:
        space.set("k", 1)
        space.run(p.Snapshot(space.name, "label"))
        for _ in range(2):
            with pytest.raises(ConflictError):
                space.run(p.Snapshot(space.name, "label"))
            space.set("k", 2)
        assert space.run(p.DeleteSnapshot(space.name, "label")) is True
        assert space.run(p.DeleteSnapshot(space.name, "label")) is False
        assert space.run(p.Snapshot(space.name, "label")).number == 3

    def test_a_snapshot_without_a_label_is_named_after_its_revision(self, space: Space) -> None:
        space.set("k", 1)
        space.set("k", 2)
        one = space.run(p.Snapshot(space.name))
        assert (one.label, one.number) == ("r2", 2)
        assert space.run(p.Snapshot(space.name)) == one
        assert space.run(p.ListSnapshots(space.name)) == [one]

    @pytest.mark.parametrize("label", ["", "x" * 244, "a\n", "\0", "\ud800", 1, b"a"], ids=ascii)
    def test_what_is_no_label_is_refused(self, space: Space, label: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidValueError):
            space.run(p.Snapshot(space.name, label))
        assert space.run(p.ListSnapshots(space.name)) == []

    def test_snapshots_belong_to_one_namespace(self, space: Space) -> None:
        space.set("k", 1)
        space.run(p.Snapshot(space.name, "label"))
        fork = space.fork("fork")
        assert fork.run(p.ListSnapshots("fork")) == []
        assert fork.run(p.Snapshot("fork", "label")).number == 1
        assert fork.run(p.DeleteSnapshot("fork", "label")) is True
        assert len(space.run(p.ListSnapshots(space.name))) == 1

    def test_how_much_of_the_past_is_kept_is_said_for_each_namespace(self, space: Space) -> None:
        assert space.run(p.GetRetention(space.name)) == Retention()
        wanted = Retention(versions=2, deleted_for=60)
        assert space.run(p.SetRetention(space.name, wanted)) is None
        assert space.run(p.GetRetention(space.name)) == wanted
        assert space.run(p.GetRetention("other")) == Retention()

    def test_the_newest_versions_and_all_that_is_protected_stay(self, space: Space, clock: ManualClock) -> None:
        """A version beyond those may be gone, and then says so: it is never another one."""
        space.run(p.SetRetention(space.name, Retention(versions=3, deleted_for=60)))
        space.set("k", 0)
        space.set("quiet", "the same all the time")
        fork, start = space.fork("fork"), space.run(p.Snapshot(space.name, "start")).number
        for number in range(1, 200):
            space.set("k", number)
            if number == 100:
                space.run(p.Snapshot(space.name, "middle"))
            clock.advance(1)
        assert [entry.value for entry in space.history("k")][:3] == [199, 198, 197]
        assert space.get("k", at=start) == fork.get("k") == 0
        assert space.get("k", at=space.run(p.Resolve(space.name, "middle"))) == 100
        for number in range(200):
            at = number + 2 if number else 1
            assert space.get("quiet", at=max(at, 2)) == "the same all the time"
            try:
                assert space.get("k", at=at) == number
            except RevisionPrunedError as error:
                assert error.oldest is not None
                assert at < error.oldest <= space.revision
                assert space.get("k", at=error.oldest) is not p.MISSING

    def test_a_key_that_is_forgotten_never_counts_from_one_again(self, space: Space, clock: ManualClock) -> None:
        space.run(p.SetRetention(space.name, Retention(versions=1, deleted_for=1)))
        space.set("k", 1)
        space.set("k", 2)
        space.delete("k")
        for number in range(50):
            clock.advance(2)
            space.set(f"other{number}", encode(number).data)
            space.set("busy", number)
        for version in (1, 2, 3):
            with pytest.raises(ConflictError):
                space.set("k", "late", if_version=version)
        assert space.set("k", "new", if_version=0) > 3
