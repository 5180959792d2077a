"""import --from: a namespace of another store, in pages, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli.running import Result

from botwire import Memory
from botwire_core.bringing import bring
from botwire_core.protocol import Import, ListEntries, Op
from botwire_core.stores.dict import DictStore
from botwire_core.testing import ManualClock

Botwire = Callable[..., Result]
ELSEWHERE = "sqlite:///elsewhere.db"


@pytest.fixture
def source(tmp_path: Path) -> Memory:
    return Memory("notes", f"sqlite:///{tmp_path / 'elsewhere.db'}")


def everything(memory: Memory) -> list[tuple[object, ...]]:
    return [(entry.key, entry.value, entry.expires_at) for entry in memory.entries()]


def test_values_types_and_expiry_come_over(botwire: Botwire, source: Memory) -> None:
    source.set_many({"a": b"\x00\xff", "b": 1.0, "c": 10**30, "d": None, "e": {"x": [True]}, "é/ü?#": "text"})
    source.set("soon", 1, ttl=1000)
    source.append("chat", "hello", "there")
    result = botwire("import", "--from", ELSEWHERE, "notes")
    assert result.out == "notes: 9 records brought over, 0 were there\n", result.err
    here = Memory("notes")
    assert everything(here) == everything(source)
    assert here.append("chat", "next") == ["chat/0000000000000000002"]


def test_a_second_run_changes_nothing_and_a_third_only_what_changed(botwire: Botwire, source: Memory) -> None:
    source.set_many({"a": 1, "b": True, "c": "same"})
    source.set("d", 1, ttl=1000)
    botwire("import", "--from", ELSEWHERE, "notes")
    before = Memory("notes").stats().revision
    assert botwire("import", "--from", ELSEWHERE, "notes").out == "notes: 0 records brought over, 4 were there\n"
    assert Memory("notes").stats().revision == before
    source.set("a", 1.0)
    source.set("b", 1)
    source.expire("d", None)
    members = botwire("import", "--from", ELSEWHERE, "notes", "--json").json
    assert members == {"namespace": "notes", "from": ELSEWHERE, "records": 3, "unchanged": 1, "left": {}}
    assert everything(Memory("notes")) == everything(source)


def test_what_else_stands_in_the_target_stays(botwire: Botwire, source: Memory) -> None:
    source.set_many({f"k{number}": number for number in range(0, 40, 2)})
    Memory("notes").set_many({f"k{number}": "mine" for number in range(1, 40, 2)})
    assert botwire("import", "--from", ELSEWHERE, "notes").code == 0
    assert Memory("notes").get_many(["k1", "k2", "k38", "k39"]) == {"k1": "mine", "k2": 2, "k38": 38, "k39": "mine"}


def test_a_prefix_and_a_file_of_keys_choose(botwire: Botwire, source: Memory, tmp_path: Path) -> None:
    source.set_many({"user:ada": 1, "user:bob": 2, "zoo": 3})
    assert botwire("import", "--from", ELSEWHERE, "notes", "--prefix", "user:").code == 0
    assert Memory("notes").list_keys() == ["user:ada", "user:bob"]
    (tmp_path / "keys.txt").write_text("zoo\nuser:ada\nnowhere\n")
    result = botwire("import", "--from", ELSEWHERE, "notes", "--keys", "keys.txt")
    assert (result.code, result.out) == (1, "notes: 1 records brought over, 1 were there\n")
    assert result.err == "  nowhere could not come: not there\n"
    named = botwire("import", "--from", ELSEWHERE, "notes", "--keys", "-", "--json", stdin=b"nowhere")
    assert (named.code, named.json["left"]) == (1, {"nowhere": "not there"})


@pytest.mark.parametrize(
    "arguments", [["notes"], ["notes", "file.jsonl", "--from", ELSEWHERE], ["notes", "file.jsonl", "--prefix", "a"]]
)
def test_what_makes_no_sense_together_is_wrong_usage(botwire: Botwire, arguments: list[str]) -> None:
    assert botwire("import", *arguments).code == 2


def test_a_store_is_not_brought_into_itself(botwire: Botwire) -> None:
    result = botwire("import", "--from", ELSEWHERE, "notes", "--url", ELSEWHERE)
    assert result.code == 2
    assert "the same store" in result.err


class CutOff(DictStore):
    """A store whose line breaks after a number of imports."""

    left = 2

    def run(self, op: Op[object]) -> object:  # type: ignore[override]
        if type(op) is Import:
            if self.left == 0:
                raise ConnectionError
            self.left -= 1
        return super().run(op)


def test_a_run_that_was_cut_off_is_finished_by_the_next() -> None:
    source, target = DictStore(), CutOff()
    memory = Memory("notes", store=source)
    memory.set_many({f"k{number:04}": number for number in range(3500)})
    with pytest.raises(ConnectionError):
        bring(source, target, "notes")
    assert len(Memory("notes", store=target).list_keys()) == 2000
    target.left = 100
    told: list[int] = []
    brought = bring(source, target, "notes", progress=told.append)
    assert (brought.written, brought.unchanged, brought.left) == (1500, 2000, {})
    assert told == [1000, 2000, 3000, 3500]
    assert everything(Memory("notes", store=target)) == everything(memory)


def test_what_expires_on_the_way_does_not_come(clock: ManualClock) -> None:
    source, target = DictStore(clock=clock), DictStore(clock=clock)
    memory = Memory("notes", store=source)
    memory.set("gone", 1, ttl=5)
    memory.set("kept", 1, ttl=500)
    clock.advance(10)
    assert bring(source, target, "notes").written == 1
    ends = Memory("notes", store=target).entry("kept")
    assert ends is not None
    assert ends.expires_at == datetime.fromtimestamp(clock(), UTC) + timedelta(seconds=490)


def test_pages_of_large_values_are_asked_for_in_smaller_ones() -> None:
    from botwire_core.errors import TooLargeError

    class Narrow(DictStore):
        """A store that gives at most five entries at a time, as a line with a limit does for large ones."""

        def run(self, op: Op[object]) -> object:  # type: ignore[override]
            if isinstance(op, ListEntries) and (op.limit or 0) > 5:
                raise TooLargeError("the answer is too large")
            return super().run(op)

    source, target = Narrow(), DictStore()
    memory = Memory("notes", store=source)
    memory.set_many({f"k{number:02}": number for number in range(23)})
    assert bring(source, target, "notes").written == 23
    assert bring(target, source, "notes").unchanged == 23
