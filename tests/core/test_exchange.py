"""Export and import: a file that appears whole, says the same each time, and tells the line of a bad record."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from contracts.tiny import TinyStore
from core.wrappers import Call, RecordingStore
from hypothesis import given
from hypothesis import strategies as st

from botwire_core.diff import same_value
from botwire_core.errors import InvalidValueError, StoreFullError, UnsupportedError
from botwire_core.exchange import MAX_LINE_BYTES, line_to_record, record_to_line
from botwire_core.memory import Memory
from botwire_core.protocol import Export, Op
from botwire_core.results import Record
from botwire_core.stores.dict import DictStore
from botwire_core.testing.clock import ManualClock

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
EXPIRIES = st.none() | st.integers(0, 253_402_300_799_000_000).map(lambda microseconds: microseconds / 1_000_000)


@given(KEYS, JSON | st.binary(), EXPIRIES)
def test_every_record_comes_back_from_its_line(key: str, value: Any, expires_at: float | None) -> None:
    line = record_to_line(Record(key, value, expires_at))
    assert line.count(b"\n") == 1
    record = line_to_record(line)
    assert (record.key, record.expires_at) == (key, expires_at)
    assert same_value(record.value, value)
    assert record_to_line(record) == line


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (Record("k", {"b": 1, "a": 1.0}), '{"key":"k","value":{"b":1,"a":1.0}}'),
        (Record("k", None, 1.5), '{"key":"k","value":null,"expires_at":1.5}'),
        (Record("k", b"hi"), '{"key":"k","value":"aGk=","encoding":"base64"}'),
        (Record("é", 10**40), '{"key":"é","value":1' + "0" * 40 + "}"),
        (Record('"', "\n\u2028"), '{"key":"\\"","value":"\\n\u2028"}'),
    ],
)
def test_a_line_is_compact_and_holds_no_more_than_it_must(record: Record, line: str) -> None:
    assert record_to_line(record) == line.encode() + b"\n"


BAD_LINES = {
    b"{": "not JSON, at column 2",
    b"{'key': 'k', 'value': 1}": "not JSON",
    b'{"key": "k", "value": 1} x': "not JSON",
    b'{"key": "k", "value": 1} // note': "not JSON",
    b"[1]": "not a JSON object",
    b'{"value": 1}': "key: missing",
    b'{"key": "k"}': "value: missing",
    b'{"key": 7, "value": 1}': "a key is a string",
    b'{"key": "", "value": 1}': "empty",
    b'{"key": "a\\u0000b", "value": 1}': "NUL",
    b'{"key": "k", "value": 1, "ttl": 60}': "'ttl' is unknown",
    b'{"key": "k", "value": 1, "value": 2}': "'value' comes twice",
    b'{"key": "k", "value": {"a": {"b": 1, "b": 2}}}': "'b' comes twice",
    b'{"key": "k", "value": NaN}': "NaN is not JSON",
    b'{"key": "k", "value": -Infinity}': "-Infinity is not JSON",
    b'{"key": "k", "value": 1e400}': "Infinity is not JSON",
    b'{"key": "k", "value": "\\ud800"}': "surrogate",
    b'{"key": "k", "value": ' + b"9" * 4301 + b"}": "4300 digits",
    b'{"key": "k", "value": ' + b"[" * 129 + b"]" * 129 + b"}": "128 levels",
    b'{"key": "k", "value": ' + b"[" * 200_000 + b"]" * 200_000 + b"}": "deep",
    b'{"key": "k", "value": "a", "encoding": "base64"}': "base64",
    b'{"key": "k", "value": "aGk=", "encoding": "hex"}': "'hex' is unknown",
    b'{"key": "k", "value": 7, "encoding": "base64"}': "unknown",
    b'{"key": "k", "value": 1, "expires_at": "soon"}': "expires_at",
    b'{"key": "k", "value": 1, "expires_at": true}': "expires_at",
    b'{"key": "k", "value": 1, "expires_at": -1}': "expires_at",
    b'{"key": "k", "value": 1, "expires_at": 1e12}': "expires_at",
    b'\xef\xbb\xbf{"key": "k", "value": 1}': "byte order mark",
    '{"key": "k", "value": 1}'.encode("utf-16"): "not UTF-8",
    b'{"key": "k", "value": "\xff"}': "byte 24 is not UTF-8",
    b'{"key": "a", "value": 1}': "was in a line before",
    b'{"key": "k", "value": "' + b"x" * 2**24 + b'"}': "limit",
}


@pytest.mark.parametrize(("line", "problem"), BAD_LINES.items(), ids=lambda part: str(part)[:40])
async def test_a_bad_line_is_named_and_nothing_is_imported(
    memory: Memory, call: Call, line: bytes, problem: str
) -> None:
    file = io.BytesIO(b'{"key": "a", "value": 1}\n\n' + line.replace(b"\n", b"") + b'\n{"key": "z", "value": 2}\n')
    with pytest.raises(InvalidValueError) as caught:
        await call(memory, "import_", file)
    assert str(caught.value).startswith("line 3: ")
    assert problem in str(caught.value)
    assert caught.value.hint
    assert memory.list_keys() == []


def test_a_line_without_end_is_not_read_into_memory(memory: Memory) -> None:
    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            buffer[:] = b" " * (len(buffer) - 1) + b"x"
            self.given += len(buffer)
            return len(buffer)

    endless = Endless()
    with pytest.raises(InvalidValueError, match="line 1: longer than"):
        memory.import_(io.BufferedReader(endless, 2**20))
    assert endless.given < MAX_LINE_BYTES + 2**22


async def test_what_was_exported_can_be_imported_elsewhere(
    memory: Memory, call: Call, tmp_path: Path, clock: ManualClock
) -> None:
    memory.set_many({"b": {"z": 1, "a": [1.0, -0.0, 10**40]}, "a": b"\0\xff", "é": None, "deleted": 1})
    memory.set("short", 1, ttl=60)
    memory.set("gone", 1, ttl=1)
    memory.append("log", "one", "two")
    memory.delete("deleted")
    clock.advance(1)
    path = tmp_path / "memory.jsonl"
    assert await call(memory, "export", path) == 6
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["key"] for line in lines] == memory.list_keys()
    other = Memory("other", store=DictStore(clock=clock))
    assert await call(other, "import_", str(path)) == 6
    assert {e.key: e.value for e in other.entries()} == {e.key: e.value for e in memory.entries()}
    entry = other.entry("short")
    assert entry is not None
    assert entry.expires_at == memory.entry("short").expires_at  # type: ignore[union-attr]
    assert {entry.revision for entry in other.entries()} == {1}
    await call(other, "export", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


async def test_equal_memory_gives_equal_bytes_however_it_came_about(call: Call, clock: ManualClock) -> None:
    one, other = (Memory(name, store=DictStore(clock=clock), author=name) for name in ("one", "other"))
    one.set_many({"a": 1, "b": 2})
    other.set("b", 1)
    clock.advance(100)
    other.set("b", 2)
    other.set("c", 3)
    other.delete("c")
    other.set("a", 1)
    files = io.BytesIO(), io.BytesIO()
    await call(one, "export", files[0])
    await call(other, "export", files[1])
    assert files[0].getvalue() == files[1].getvalue() == b'{"key":"a","value":1}\n{"key":"b","value":2}\n'


async def test_an_export_shows_one_moment_whatever_is_written_meanwhile(store: RecordingStore, call: Call) -> None:
    memory = Memory("demo", store=store)
    memory.set_many({f"{number:04d}": "before" for number in range(2500)})
    file = io.BytesIO()
    written = []

    def write(count: int) -> None:
        written.append(count)
        memory.set_many({"2400": "after", "9999": "after"})

    assert await call(memory, "export", file, progress=write) == 2500
    assert written == [1000, 2000, 2500]
    assert b"after" not in file.getvalue()
    assert [op.limit for op in store.ops if isinstance(op, Export)] == [1000] * 3


async def test_the_past_can_be_exported(memory: Memory, call: Call) -> None:
    memory.set("a", 1)
    memory.set("a", 2)
    file = io.BytesIO()
    await call(memory.at(1), "export", file)
    assert file.getvalue() == b'{"key":"a","value":1}\n'


async def test_an_empty_memory_is_an_empty_file(memory: Memory, call: Call, tmp_path: Path) -> None:
    assert await call(memory, "export", tmp_path / "empty") == 0
    assert (tmp_path / "empty").read_bytes() == b""
    assert await call(memory, "import_", tmp_path / "empty") == 0


async def test_an_import_leaves_other_keys_and_what_has_expired_alone(
    memory: Memory, call: Call, clock: ManualClock
) -> None:
    memory.set_many({"kept": 1, "replaced": 1})
    lines = b'{"key":"replaced","value":2}\n{"key":"late","value":3,"expires_at":%d}\n{"key":"last","value":4}'
    assert await call(memory, "import_", io.BytesIO(lines % clock())) == 3
    assert memory.get_many(["kept", "replaced", "late", "last"]) == {"kept": 1, "replaced": 2, "last": 4}


async def test_lines_may_end_as_on_windows(memory: Memory, call: Call) -> None:
    assert await call(memory, "import_", io.BytesIO(b'{"key":"a","value":1}\r\n\r\n{"key":"b","value":2}\r\n')) == 2
    assert memory.list_keys() == ["a", "b"]


async def test_an_import_tells_its_progress(memory: Memory, call: Call) -> None:
    counts: list[int] = []
    lines = b"".join(record_to_line(Record(str(number), number)) for number in range(2500))
    await call(memory, "import_", io.BytesIO(lines), progress=counts.append)
    assert counts == [1000, 2000, 2500]


# --- files ----------------------------------------------------------------------------------------------


async def test_only_the_owner_can_read_an_export(memory: Memory, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o644)
    await call(memory, "export", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


class FailingStore(RecordingStore):
    """Has no room left from the second page of an export on."""

    def run(self, op: Op[Any]) -> Any:
        if isinstance(op, Export) and op.after is not None:
            raise StoreFullError("no room")
        return super().run(op)

    async def arun(self, op: Op[Any]) -> Any:
        return self.run(op)


async def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(call: Call, tmp_path: Path) -> None:
    memory = Memory("demo", store=FailingStore())
    memory.set_many({str(number): 0 for number in range(1000)})
    path = tmp_path / "exports" / "out"
    path.parent.mkdir()
    path.write_bytes(b"old")
    with pytest.raises(StoreFullError):
        await call(memory, "export", path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b"old"


class SlowStore(RecordingStore):
    """Never gives the second page of an export."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()

    async def arun(self, op: Op[Any]) -> Any:
        if isinstance(op, Export) and op.after is not None:
            self.waiting.set()
            await asyncio.Event().wait()
        return await super().arun(op)


async def test_an_export_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    store = SlowStore()
    memory = Memory("demo", store=store)
    memory.set_many({str(number): 0 for number in range(1000)})
    folder = tmp_path / "exports"
    folder.mkdir()
    task = asyncio.create_task(memory.aexport(folder / "out"))
    await store.waiting.wait()
    assert len(list(folder.iterdir())) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(folder.iterdir()) == []


async def test_a_link_stays_a_link(memory: Memory, call: Call, tmp_path: Path) -> None:
    memory.set("a", 1)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    await call(memory, "export", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b'{"key":"a","value":1}\n'


async def test_a_pipe_is_written_to_and_stays_a_pipe(memory: Memory, call: Call, tmp_path: Path) -> None:
    memory.set("a", 1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert await call(memory, "export", pipe) == 1
    reader.join()
    assert read == [b'{"key":"a","value":1}\n']
    assert pipe.is_fifo()


async def test_an_open_file_is_used_and_left_open(memory: Memory, call: Call, tmp_path: Path) -> None:
    memory.set("a", 1)
    with (tmp_path / "out").open("w+b") as file:
        await call(memory, "export", file)
        assert (tmp_path / "out").read_bytes() == b'{"key":"a","value":1}\n'
        file.seek(0)
        await call(memory, "import_", file)
        assert not file.closed


async def test_what_is_no_binary_file_is_refused(memory: Memory, call: Call, tmp_path: Path) -> None:
    memory.set("a", 1)
    for target in (io.StringIO(), 7, None):
        for name in ("export", "import_"):
            with pytest.raises(InvalidValueError, match="binary"):
                await call(memory, name, target)
    for name in ("export", "import_"):
        with pytest.raises(FileNotFoundError):
            await call(memory, name, tmp_path / "absent" / "file")


async def test_a_store_without_a_past_gives_the_same_file(call: Call, clock: ManualClock) -> None:
    files = []
    for store in (TinyStore(clock=clock), DictStore(clock=clock)):
        memory = Memory("demo", store=store)
        memory.set_many({f"{number:04d}": number for number in range(1500)})
        memory.set("short", b"\0", ttl=0.123457)
        file = io.BytesIO()
        assert await call(memory, "export", file) == 1501
        files.append(file.getvalue())
    assert files[0] == files[1]
    with pytest.raises(UnsupportedError):
        await call(Memory("demo", store=TinyStore()), "import_", io.BytesIO(files[0]))
