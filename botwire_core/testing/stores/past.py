"""The past: reads at a revision, snapshots, the history of a key, and bringing an old version back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.errors import InvalidValueError, RevisionPrunedError
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["PastContract"]


class PastContract(StoreBench):
    """Looking back, and going back."""

    def test_every_read_can_look_at_a_revision(self, space: Space) -> None:
        space.set("a", "tea")
        space.append("log", 1)
        then = space.revision
        space.set("a", "coffee")
        space.set("b", "tea")
        space.append("log", 2)
        space.delete("log/0000000000000000000")
        name = space.name
        assert space.get("a", at=then) == "tea"
        assert space.entry("a", at=then).version == 1
        assert space.run(p.GetEntry(name, "b", at=then)) is None
        assert space.run(p.GetMany(name, ("b", "a"), at=then)) == {"a": "tea"}
        assert space.keys(at=then) == ["a", "log/0000000000000000000"]
        assert space.contents(at=then) == {"a": "tea", "log/0000000000000000000": 1}
        assert space.read("log", at=then) == space.read("log", 5, at=then) == [1]
        assert [entry.key for entry in space.run(p.Search(name, words="tea", at=then))] == ["a"]
        assert [record.value for record in space.run(p.Export(name, at=then))] == ["tea", 1]
        assert space.contents(at=space.revision) == space.contents()
        assert space.contents(at=0) == {}

    def test_the_past_shows_what_was_deleted_since_and_not_what_has_expired_since(
        self, space: Space, clock: ManualClock
    ) -> None:
        space.set("deleted", 1)
        space.set("expired", 1, ttl=60)
        space.set("renewed", 1, ttl=60)
        then = space.revision
        space.delete("deleted")
        space.expire("renewed", None)
        clock.advance(60)
        assert space.contents(at=then) == {"deleted": 1}
        assert space.contents() == {"renewed": 1}

    @pytest.mark.parametrize("at", [2, -1, 1.0, True, "1", 10**30], ids=repr)
    def test_a_moment_that_never_was_cannot_be_looked_at(self, space: Space, at: Any) -> None:
        space.set("k", 1)
        for op in (
            p.Get(space.name, "k", at),
            p.ListKeys(space.name, at=at),
            p.ReadLog(space.name, "log", at=at),
            p.Export(space.name, at=at),
        ):
            with pytest.raises(InvalidValueError):
                space.run(op)

    def test_a_number_a_label_and_a_datetime_name_a_revision(self, space: Space, clock: ManualClock) -> None:
        start = datetime.fromtimestamp(clock(), UTC)
        for number in range(1, 4):
            clock.advance(10)
            space.set("k", number)
        space.run(p.Snapshot(space.name, "3"))
        updated = [entry.updated_at for entry in reversed(space.history("k"))]

        def resolve(moment: Any) -> int:
            return space.run(p.Resolve(space.name, moment))

        assert [resolve(number) for number in range(4)] == [0, 1, 2, 3]
        assert resolve(None) == 3
        assert resolve("3") == 3
        assert [resolve(moment) for moment in updated] == [1, 2, 3]
        assert [resolve(moment - timedelta(microseconds=1)) for moment in updated] == [0, 1, 2]
        assert resolve(updated[1].astimezone(timezone(timedelta(hours=9)))) == 2
        assert resolve(start - timedelta(days=1000)) == 0
        assert resolve(start + timedelta(days=1000)) == 3

    @pytest.mark.parametrize(
        "moment",
        [4, -1, 1.0, True, "4", "unknown", "", datetime(2027, 1, 15, 12), b"1"],  # noqa: DTZ001
        ids=repr,
    )
    def test_what_names_no_revision_is_refused(self, space: Space, moment: Any) -> None:
        for number in range(3):
            space.set("k", number)
        with pytest.raises(InvalidValueError):
            space.run(p.Resolve(space.name, moment))

    def test_a_fork_resolves_moments_before_it_was_made(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1)
        clock.advance(10)
        space.set("k", 2)
        clock.advance(10)
        fork = space.fork("fork")
        clock.advance(10)
        space.set("k", "elsewhere")
        fork.set("k", 3)
        moments = [entry.updated_at for entry in reversed(fork.history("k"))]
        assert [fork.run(p.Resolve("fork", moment)) for moment in moments] == [1, 2, 3]

    def test_the_history_of_a_key_is_newest_first_with_deletes_marked(self, space: Space) -> None:
        space.set("k", 1, author="ann")
        space.set("k", 2)
        space.delete("k")
        space.set("k", 3)
        space.set("other", 1)
        history = space.history("k")
        assert [(one.version, one.value, one.deleted) for one in history] == [
            (4, 3, False),
            (3, None, True),
            (2, 2, False),
            (1, 1, False),
        ]
        assert [one.revision for one in history] == [4, 3, 2, 1]
        assert history[-1].author == "ann"
        assert space.history("k", 2) == history[:2]
        assert space.history("k", 0) == []
        assert space.run(p.GetHistory(space.name, "k", at=2)) == history[2:]
        assert space.history("nothing") == []

    def test_the_history_of_a_fork_includes_what_it_inherited(self, space: Space) -> None:
        space.set("k", 1)
        space.set("k", 2)
        fork = space.fork("fork")
        space.set("k", "elsewhere")
        fork.delete("k")
        fork.set("k", 4)
        assert [(one.version, one.value) for one in fork.history("k")] == [(4, 4), (3, None), (2, 2), (1, 1)]
        assert [one.value for one in space.history("k")] == ["elsewhere", 2, 1]

    def test_the_history_leaves_out_what_has_expired(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=60)
        space.set("k", 2)
        space.set("k", 3, ttl=60)
        clock.advance(60)
        assert [one.value for one in space.history("k")] == [2]

    def test_restoring_writes_an_old_version_anew(self, space: Space, clock: ManualClock) -> None:
        space.set("k", "old", ttl=60)
        space.set("k", "new", ttl=60)
        assert space.run(p.Restore(space.name, "k", 1, "ann")) == 3
        entry = space.entry("k")
        assert (entry.value, entry.version, entry.expires_at, entry.author) == ("old", 3, None, "ann")
        assert entry.revision == 3
        space.delete("k")
        assert space.run(p.Restore(space.name, "k", 3)) == 5
        clock.advance(60)
        assert space.get("k") == "old"

    def test_restoring_a_delete_deletes(self, space: Space) -> None:
        space.set("k", 1)
        space.delete("k")
        space.set("k", 3)
        assert space.run(p.Restore(space.name, "k", 2)) == 4
        assert space.get("k") is p.MISSING
        assert space.history("k")[0].deleted

    def test_restoring_in_a_fork_reaches_what_it_inherited(self, space: Space) -> None:
        space.set("k", 1)
        space.set("k", 2)
        fork = space.fork("fork")
        assert fork.run(p.Restore("fork", "k", 1)) == 3
        assert (fork.get("k"), space.get("k")) == (1, 2)

    def test_a_version_that_has_expired_cannot_be_restored(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=60)
        space.set("k", 2)
        clock.advance(60)
        with pytest.raises(RevisionPrunedError):
            space.run(p.Restore(space.name, "k", 1))
        assert space.entry("k").version == 2

    @pytest.mark.parametrize("version", [-1, 1.0, True, "1", None], ids=repr)
    def test_what_is_no_version_cannot_be_restored(self, space: Space, version: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidValueError):
            space.run(p.Restore(space.name, "k", version))

    @pytest.mark.parametrize("version", [0, 2, 99])
    def test_a_version_that_never_was_cannot_be_restored(self, space: Space, version: int) -> None:
        space.set("k", 1)
        with pytest.raises((InvalidValueError, RevisionPrunedError)):
            space.run(p.Restore(space.name, "k", version))
        assert space.entry("k").version == 1
