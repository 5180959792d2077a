"""Moving memory: exports in key order, and imports all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidKeyError, InvalidValueError, StoreBusyError
from botwire_core.results import Record
from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space
from botwire_core.testing.stores.threads import in_threads
from botwire_core.testing.stores.values import VALUES

__all__ = ["TransferContract", "export"]


def export(space: Space, size: int = 1000, at: int | None = None) -> list[Record]:
    """Every record, asked for page by page."""
    records: list[Record] = []
    while page := space.run(p.Export(space.name, records[-1].key if records else None, size, at)):
        records += page
    return records


class TransferContract(StoreBench):
    """`Export` and `Import`."""

    def test_an_export_gives_every_entry_in_key_order(self, space: Space, clock: ManualClock) -> None:
        for name, value in VALUES.items():
            space.set(name, value)
        space.set("expires", 1, ttl=60)
        space.set("expired", 1, ttl=1)
        space.set("deleted", 1)
        space.delete("deleted")
        clock.advance(1)
        records = export(space)
        values = {**VALUES, "expires": 1}
        assert [record.key for record in records] == sorted(values)
        assert [repr(record.value) for record in records] == [repr(values[record.key]) for record in records]
        expiries = {record.key: record.expires_at for record in records if record.expires_at is not None}
        assert expiries == {"expires": pytest.approx(clock() + 59, abs=2)}
        assert export(space, size=3) == export(space, size=1) == records

    def test_everything_is_handed_out_from_one_moment(self, space: Space, store: Store) -> None:
        count = 2500
        records = [Record("first", 0), *(Record(f"k{number:04}", number) for number in range(count)), Record("z", 0)]
        space.run(p.Import(space.name, records))
        told: list[list[Record]] = []

        def work(number: int) -> None:
            for turn in range(1, 9):
                if number:
                    store.run(p.SetMany(space.name, (("first", encode(turn)), ("z", encode(turn)))))
                    continue
                pages: list[Record] = []
                assert store.run(p.ExportAll(space.name, pages.extend)) == len(pages)
                told.append(pages)

        in_threads(2, work)
        for pages in told:
            assert [record.key for record in pages] == [record.key for record in records]
            assert pages[0].value == pages[-1].value
        pages = []
        assert space.run(p.ExportAll(space.name, pages.extend)) == count + 2
        assert pages == export(space)
        assert space.run(p.ExportAll(space.name, pages.extend, at=0)) == 0

    def test_equal_memory_gives_equal_exports(self, space: Space) -> None:
        space.set("a", 1, author="ann")
        space.set("a", 2)
        space.append("log", "x")
        other = space.beside("other")
        other.append("log", "x", "y")
        other.delete("log/0000000000000000001")
        other.set("a", 2)
        fork = space.fork("fork")
        assert export(space) == export(other) == export(fork)

    def test_an_export_can_be_of_the_past(self, space: Space) -> None:
        space.set("a", 1)
        space.set("a", 2)
        space.set("b", 1)
        assert [(record.key, record.value) for record in export(space, at=1)] == [("a", 1)]

    def test_what_was_exported_can_be_imported(self, space: Space, clock: ManualClock) -> None:
        for name, value in VALUES.items():
            space.set(name, value)
        space.set("expires", 1, ttl=60)
        space.append("log", "x", "y")
        records = export(space)
        other = space.beside("other")
        assert other.run(p.Import("other", iter(records), author="ann")) == len(records)
        assert export(other) == records
        assert {(entry.revision, entry.author) for entry in other.entries()} == {(1, "ann")}
        assert other.read("log") == ["x", "y"]
        assert other.append("log", "z") == ["log/0000000000000000002"]
        clock.advance(60)
        assert other.get("expires") is p.MISSING

    def test_an_import_goes_on_top_of_what_is_there(self, space: Space) -> None:
        space.set("a", 1)
        space.set("b", 1)
        assert space.run(p.Import(space.name, [Record("b", 2), Record("c", 3)])) == 2
        assert space.contents() == {"a": 1, "b": 2, "c": 3}
        assert (space.entry("b").version, space.revision) == (2, 3)

    def test_many_records_are_one_revision(self, space: Space) -> None:
        count = 11_000
        assert space.run(p.Import(space.name, (Record(f"k{number:05}", number) for number in range(count)))) == count
        assert space.stats().keys == count
        assert space.revision == 1
        assert space.keys("k107", limit=2) == ["k10700", "k10701"]

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (Record("", 1), InvalidKeyError),
            (Record("x", float("nan")), InvalidValueError),
            (Record("x", {1, 2}), InvalidValueError),
            (Record("k00000", "twice"), InvalidValueError),
            (RuntimeError("the file ended"), RuntimeError),
        ],
        ids=lambda bad: type(bad).__name__,
    )
    def test_an_error_in_an_import_undoes_all_of_it(self, space: Space, bad: Any, error: type[Exception]) -> None:
        space.set("k00001", "before")

        def records() -> Iterator[Record]:
            yield from (Record(f"k{number:05}", number) for number in range(7000))
            if isinstance(bad, Exception):
                raise bad
            yield bad

        with pytest.raises(error):
            space.run(p.Import(space.name, records()))
        assert space.contents() == {"k00001": "before"}
        assert space.revision == 1
        assert space.set("k00002", 1) == 1

    def test_an_import_that_failed_leaves_no_trace_in_what_is_made_next(self, space: Space) -> None:
        def records() -> Iterator[Record]:
            yield from (Record(f"k{number:05}", number) for number in range(6000))
            raise RuntimeError("the file ended")

        space.set("k", 1)
        with pytest.raises(RuntimeError):
            space.run(p.Import("fresh", records()))
        assert space.beside("fresh").contents() == {}
        assert [one.name for one in space.run(p.ListNamespaces())] == [space.name]
        assert space.fork("fork").contents() == {"k": 1}
        assert space.beside("fresh").set("k00001", 1) == 1
        assert space.beside("fresh").contents() == {"k00001": 1}

    def test_a_log_goes_on_after_an_import_into_it_failed(self, space: Space) -> None:
        def records() -> Iterator[Record]:
            yield from (Record(f"chat/{number:019}", number) for number in range(6000))
            raise RuntimeError("the file ended")

        space.set("k", 1)
        with pytest.raises(RuntimeError):
            space.run(p.Import(space.name, records()))
        assert space.append("chat", "first") == ["chat/0000000000000000000"]
        assert space.read("chat") == ["first"]

    def test_a_write_in_the_middle_of_an_import_is_refused_and_undoes_it(self, space: Space, store: Store) -> None:
        def records() -> Iterator[Record]:
            yield Record("a", 1)
            store.run(p.Set(space.name, "inner", encode(1)))

        space.set("k", 1)
        with pytest.raises(StoreBusyError):
            space.run(p.Import(space.name, records()))
        assert space.contents() == {"k": 1}

    @pytest.mark.parametrize("expires", [1e20, float("inf"), float("nan"), True, "tomorrow"], ids=repr)
    def test_a_record_that_expires_at_no_time_is_refused(self, space: Space, expires: Any) -> None:
        with pytest.raises(InvalidValueError):
            space.run(p.Import(space.name, [Record("a", 1), Record("b", 2, expires)]))
        assert space.contents() == {}
