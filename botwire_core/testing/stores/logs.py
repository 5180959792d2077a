"""Logs: rows in commit order under numbers that are never used twice."""

from __future__ import annotations

from typing import Final

import pytest

from botwire_core import protocol as p
from botwire_core.codec import Value, encode
from botwire_core.errors import InvalidKeyError
from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["LogContract"]

_NOT_ROWS: Final = [
    "chat",
    "chat/",
    "chat/0",
    "chat/7",
    "chat/x",
    "chat/000000000000000000",
    "chat/00000000000000000000",
    "chat/000000000000000000x",
    "chat/-000000000000000001",
    "chat/ 000000000000000001",
    "chat/+000000000000000001",
    "chat/0000000000000000001\n",
    "chat/" + "\u0660" * 19,
    "chat//0000000000000000001",
    "chat/x/0000000000000000001",
    "chat/0000000000000000001/x",
    "chat/0000000000000000001/0000000000000000001",
    "chatter/0000000000000000001",
    "Chat/0000000000000000001",
    "chat0000000000000000001",
]


def _row(number: int, log: str = "chat") -> str:
    return f"{log}/{number:019}"


class LogContract(StoreBench):
    """Appending to a log and reading it."""

    def test_rows_are_numbered_from_zero_in_the_order_appended(self, space: Space) -> None:
        assert space.append("chat", "a", "b") == [_row(0), _row(1)]
        assert space.append("chat", "c") == [_row(2)]
        assert space.append("other", "x") == [_row(0, "other")]
        assert space.read("chat") == ["a", "b", "c"]
        assert space.keys("chat/") == [_row(0), _row(1), _row(2)]

    def test_an_append_sees_the_rows_that_its_transaction_wrote_by_key(self, space: Space) -> None:
        def appended(*values: Value) -> p.Append:
            return p.Append(space.name, "chat", tuple(map(encode, values)))

        steps = (
            p.Set(space.name, _row(0), encode("set")),
            appended("a"),
            p.Set(space.name, _row(2), encode("set too")),
            appended("b", "c"),
        )
        assert space.run(p.Transact(space.name, steps)) == [1, [_row(1)], 1, [_row(3), _row(4)]]
        assert space.read("chat") == ["set", "a", "set too", "b", "c"]

    def test_a_log_whose_last_number_is_taken_refuses_more_rows(self, space: Space) -> None:
        space.set(_row(10**19 - 2), "last but one")
        assert space.append("chat", "last") == [_row(10**19 - 1)]
        with pytest.raises(InvalidKeyError):
            space.append("chat", "one more")
        assert space.read("chat") == ["last but one", "last"]

    def test_one_append_is_one_revision(self, space: Space) -> None:
        before = space.revision
        space.append("chat", "a", "b", "c")
        space.append("chat", "d")
        revisions = [entry.revision - before for entry in space.entries("chat/")]
        assert revisions == [1, 1, 1, 2]
        assert {entry.version for entry in space.entries("chat/")} == {1}

    def test_the_newest_rows_come_oldest_first(self, space: Space) -> None:
        space.append("chat", *range(10))
        assert space.read("chat", 3) == [7, 8, 9]
        assert space.read("chat", 0) == []
        assert space.read("chat", 10) == space.read("chat", 11) == space.read("chat") == list(range(10))
        assert space.read("nothing", 3) == []

    def test_only_keys_of_exactly_the_right_form_are_rows(self, space: Space) -> None:
        space.append("chat", "row")
        space.run(p.SetMany(space.name, tuple((key, encode(key)) for key in _NOT_ROWS)))
        assert space.read("chat") == space.read("chat", 5) == ["row"]
        assert space.append("chat", "next") == [_row(1)]
        assert space.read("chat") == space.read("chat", 5) == ["row", "next"]
        assert space.contents() == {**dict(zip(_NOT_ROWS, _NOT_ROWS, strict=True)), _row(0): "row", _row(1): "next"}

    def test_a_log_inside_a_log_is_another_log(self, space: Space) -> None:
        space.append("chat", "outer")
        space.append("chat/inner", "inner")
        space.append(_row(0), "inside of a row")
        assert space.read("chat") == space.read("chat", 9) == ["outer"]
        assert space.read("chat/inner") == ["inner"]
        assert space.read(_row(0)) == ["inside of a row"]

    @pytest.mark.parametrize("log", ["%", "_", "*", "[a]", "'", "/", "a/", "é", "e\u0301", ".", "..", "\n", "😀"])
    def test_any_key_can_name_a_log(self, space: Space, log: str) -> None:
        space.append("a", "of another")
        assert space.append(log, 1, 2) == [_row(0, log), _row(1, log)]
        assert space.read(log) == [1, 2]

    def test_a_number_is_never_used_twice(self, space: Space, clock: ManualClock) -> None:
        space.append("chat", "a", "b", "c")
        assert space.delete(_row(2))
        assert space.append("chat", "d") == [_row(3)]
        assert space.run(p.Clear(space.name)) == 3
        assert space.append("chat", "e", ttl=60) == [_row(4)]
        clock.advance(61)
        assert space.read("chat") == []
        assert space.append("chat", "f") == [_row(5)]
        assert space.read("chat") == ["f"]

    def test_a_row_is_an_entry_like_any_other(self, space: Space, clock: ManualClock) -> None:
        space.append("chat", "a", "b", "c", ttl=60)
        assert space.expire(_row(0), None)
        assert space.set(_row(1), "edited") == 2
        assert space.delete(_row(2))
        clock.advance(61)
        assert space.read("chat") == ["a", "edited"]

    def test_a_row_that_was_set_by_hand_is_not_overwritten(self, space: Space) -> None:
        space.set(_row(2), "by hand")
        keys = space.append("chat", *"abcde")
        assert _row(2) not in keys
        assert len(set(keys)) == 5
        assert [value for value in space.read("chat") if value != "by hand"] == list("abcde")
        assert space.get(_row(2)) == "by hand"

    def test_appends_in_one_transaction_go_on_counting(self, space: Space) -> None:
        space.append("chat", "a")
        first, second, other = (p.Append(space.name, log, (encode(1),)) for log in ("chat", "chat", "other"))
        results = space.run(p.Transact(space.name, (first, p.Set(space.name, "k", encode(1)), second, other)))
        assert results == [[_row(1)], 1, [_row(2)], [_row(0, "other")]]

    def test_append_from_many_threads_loses_nothing_and_keeps_commit_order(self, space: Space, store: Store) -> None:
        def speak(speaker: int) -> list[str]:
            keys: list[str] = []
            for turn in range(20):
                payloads = (encode([speaker, turn, 0]), encode([speaker, turn, 1]))
                keys += store.run(p.Append("space", "chat", payloads))
            return keys

        keys = [key for told in in_threads(6, speak) for key in told]
        entries = space.entries("chat/")
        assert sorted(keys) == [entry.key for entry in entries] == [_row(number) for number in range(240)]
        revisions = [entry.revision for entry in entries]
        assert revisions == sorted(revisions)
        for speaker in range(6):
            said = [entry.value for entry in entries if entry.value[0] == speaker]
            assert said == [[speaker, turn, part] for turn in range(20) for part in (0, 1)]
