"""What the reserved rows of a store do, wherever it keeps them: subclass it, and define the fixture `store`."""

from __future__ import annotations

import pytest

from botwire_core import protocol as p
from botwire_core.codec import Value, encode
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.testing import ManualClock

__all__ = ["ReservedRowsContract"]

DAY = 86_400_000_000


class ReservedRowsContract:
    """`store` is fresh, empty, and turned by `clock`."""

    @pytest.fixture
    def store(self, clock: ManualClock) -> HistoryStoreBase:
        raise NotImplementedError

    def put(self, store: HistoryStoreBase, expires: int | None = None, **values: Value) -> None:
        with store.exclusive():
            rows = store.reserved(".own")
            rows.load(values)
            for key, value in values.items():
                rows.put(key, value, expires)
            rows.commit()

    def keys(self, store: HistoryStoreBase, prefix: str = "") -> list[str]:
        with store.consistent():
            return [row.key for row in store.reserved(".own").rows(prefix)]

    def test_nothing_is_there_before_something_was_put(self, store: HistoryStoreBase) -> None:
        with store.exclusive():
            rows = store.reserved(".own")
            rows.load(["k"])
            assert (rows.row("k"), rows.rows(""), rows.first_after("")) == (None, [], None)
            rows.remove(["k"])
            rows.commit()
            rows.erase(["k"])
            assert rows.forget_expired(10) == 0

    def test_what_is_put_is_seen_by_its_row_at_once_and_by_all_when_it_is_committed(
        self, store: HistoryStoreBase
    ) -> None:
        with store.exclusive():
            rows, others = store.reserved(".own"), store.reserved(".own")
            rows.load(["k"])
            rows.put("k", 1, None)
            assert rows.row("k").value == 1  # type: ignore[union-attr]
            assert (others.row("k"), rows.rows("")) == (None, [])
            rows.put("k", 2, None)
            rows.commit()
            assert [row.value for row in rows.rows("")] == [2]
        assert store.reserved(".own").row("k").value == 2  # type: ignore[union-attr]

    def test_a_value_comes_back_as_it_was_put_and_gives_way_to_the_next(self, store: HistoryStoreBase) -> None:
        values: list[Value] = [None, b"\x00\xff", {"deep": [1, None, "\u00e9"]}, 10**40, [], ""]
        for value in values:
            self.put(store, k=value)
            row = store.reserved(".own").row("k")
            assert row is not None
            assert (row.value, row.payload, row.expires) == (value, encode(value), None)
        assert self.keys(store) == ["k"]

    def test_rows_are_in_byte_order_and_live_under_their_prefix(self, store: HistoryStoreBase) -> None:
        self.put(store, **dict.fromkeys(("b/2", "b/10", "a", "b", "b0", "b/\u00e9", "%", "b_"), 1))
        assert self.keys(store) == ["%", "a", "b", "b/10", "b/2", "b/\u00e9", "b0", "b_"]
        assert self.keys(store, "b/") == ["b/10", "b/2", "b/\u00e9"]
        assert self.keys(store, "c") == []

    def test_at_the_very_microsecond_a_row_has_expired(self, store: HistoryStoreBase, clock: ManualClock) -> None:
        self.put(store, store.moment() + 1_000_000, k=1)
        clock.advance(0.999_999)
        assert self.keys(store) == ["k"]
        clock.advance(0.000_001)
        assert (self.keys(store), store.reserved(".own").row("k")) == ([], None)
        self.put(store, k=2)
        assert store.reserved(".own").row("k").value == 2  # type: ignore[union-attr]

    def test_the_moment_of_judgement_is_that_of_the_look_and_moves_on_with_a_commit(
        self, store: HistoryStoreBase, clock: ManualClock
    ) -> None:
        with store.exclusive():
            rows = store.reserved(".own")
            before = rows.now
            rows.put("k", 1, None)
            rows.commit()
            assert rows.now >= before
        clock.advance(5)
        assert store.reserved(".own").now == before + 5_000_000

    def test_the_next_key_is_found_of_rows_that_have_expired_too(
        self, store: HistoryStoreBase, clock: ManualClock
    ) -> None:
        self.put(store, store.moment() + 1, a=1, c=1)
        self.put(store, b=1)
        clock.advance(1)
        rows, found = store.reserved(".own"), [""]
        while (row := rows.first_after(found[-1])) is not None:
            found.append(row.key)
        assert found == ["", "a", "b", "c"]

    def test_what_is_removed_is_gone_and_can_come_again(self, store: HistoryStoreBase) -> None:
        self.put(store, a=1, b=2)
        with store.exclusive():
            rows = store.reserved(".own")
            rows.remove(["a", "never"])
            assert rows.row("a") is None
            rows.commit()
        assert self.keys(store) == ["b"]
        self.put(store, a=3)
        assert self.keys(store) == ["a", "b"]

    def test_what_is_added_stands_in_its_order_whoever_adds_it(self, store: HistoryStoreBase) -> None:
        for turn in range(12):
            with store.exclusive():
                rows = store.reserved(".own")
                for number in range(3):
                    rows.add("log/one", [turn, number], None)
                    rows.add("log/two", number, None)
                rows.commit()
        found = [row.value for row in store.reserved(".own").rows("log/one/")]
        assert found == [[turn, number] for turn in range(12) for number in range(3)]
        assert len(self.keys(store, "log/two/")) == 36

    def test_what_is_erased_is_gone_at_once_with_what_was_written_before(self, store: HistoryStoreBase) -> None:
        self.put(store, a=1, b=2)
        with store.exclusive():
            rows = store.reserved(".own")
            rows.load(["a", "b", "c"])
            rows.put("a", 3, None)
            rows.put("c", 3, None)
            rows.erase(["a"])
            assert [row.key for row in rows.rows("")] == ["b", "c"]
            assert rows.row("a") is None
            rows.put("a", 4, None)
            rows.commit()
        assert store.reserved(".own").row("a").value == 4  # type: ignore[union-attr]

    def test_at_most_so_many_expired_rows_are_forgotten_and_no_live_one(
        self, store: HistoryStoreBase, clock: ManualClock
    ) -> None:
        for number in range(5):
            self.put(store, store.moment() + 10, **{f"k{number}": 1})
        self.put(store, store.moment() + DAY, live=1)
        clock.advance(1)
        with store.exclusive():
            rows = store.reserved(".own")
            assert [rows.forget_expired(2) for _ in range(4)] == [2, 2, 1, 0]
            first = rows.first_after("")
            assert first is not None
            assert first.key == "live"

    def test_what_was_written_is_undone_with_its_block(self, store: HistoryStoreBase) -> None:
        self.put(store, a=1, b=2)
        with pytest.raises(ZeroDivisionError), store.exclusive():
            rows = store.reserved(".own")
            rows.load(["a"])
            rows.put("a", 9, None)
            rows.add("log", 9, None)
            rows.commit()
            rows.remove(["b"])
            rows.commit()
            rows.erase(["b"])
            raise ZeroDivisionError
        assert [(row.key, row.value) for row in store.reserved(".own").rows("")] == [("a", 1), ("b", 2)]

    def test_a_part_of_a_group_is_undone_alone(self, store: HistoryStoreBase) -> None:
        with store.grouped(["space"]):
            rows = store.reserved(".own")
            rows.load(["a", "b"])
            rows.put("a", 1, None)
            with pytest.raises(ZeroDivisionError), store.exclusive():
                part = store.reserved(".own")
                part.put("b", 1, None)
                part.commit()
                raise ZeroDivisionError
            rows.commit()
        assert self.keys(store) == ["a"]

    def test_rows_of_another_name_are_apart_and_nobody_lists_them(self, store: HistoryStoreBase) -> None:
        self.put(store, k=1)
        store.run(p.Set("own", "k", encode(2)))
        assert store.reserved(".other").rows("") == []
        assert self.keys(store) == ["k"]
        assert [one.name for one in store.run(p.ListNamespaces())] == ["own"]
