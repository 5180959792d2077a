"""Whole families in files: every version, snapshot and fork comes back, holes stay holes, and nothing is half done."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts.tiny import TinyStore
from core.wrappers import Call
from hypothesis import given
from hypothesis import strategies as st

from botwire_core import protocol as p
from botwire_core.codec import Payload, encode
from botwire_core.errors import (
    ConflictError,
    InvalidValueError,
    RevisionPrunedError,
    UnsupportedError,
)
from botwire_core.family import FamilyEnd, FamilyMember, FamilyPart, FamilyRow, FamilySnapshot, MergePoint
from botwire_core.family_lines import FAMILY_HEADER, is_family_header, line_to_part, part_to_line
from botwire_core.memory import Memory
from botwire_core.results import Retention
from botwire_core.stores.dict import DictStore
from botwire_core.stores.rows import TOMBSTONE, Row
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.families import picture
from botwire_core.testing.stores.space import Space

DAY = 86400.0


@pytest.fixture
def files(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[[str], SqliteStore]]:
    """Embedded stores, by name."""
    stores: list[SqliteStore] = []

    def open_store(name: str) -> SqliteStore:
        # The clock of the machine stands still where the manual one does, so that sweeps are not held back.
        stores.append(SqliteStore(tmp_path / f"{name}.db", clock=clock, monotonic=clock))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def live_long(store: SqliteStore, clock: ManualClock) -> Memory:
    """A memory of which much was pruned, forgotten, swept and purged, with forks that hold some of it."""
    memory = Memory("base", store=store, author="ann")
    memory.set_retention(Retention(versions=3, deleted_for=10 * DAY))
    for number in range(40):
        memory.set("often", number)
        memory.set(f"once {number:02}", {"wide": 10**30 + number, "bytes?": None})
        if number == 10:
            memory.snapshot("ten")
        if number == 20:
            memory.fork("fork").set("often", "fork")
    memory.set("raw", b"\x00\xff", ttl=DAY)
    memory.append("log", "a", "b", "c")
    memory.append("erased", "a", "b")
    memory.delete("once 01")
    memory.delete("once 39")
    memory.set("short", "gone", ttl=5)
    memory.fork("dropped").fork("below").set("x", 1)
    Memory("dropped", store=store).drop()
    memory.merge(Memory("fork", store=store), strategy="theirs")
    clock.advance(20 * DAY)
    store.sweep()
    memory.purge("erased")
    memory.set("last", 1)
    return memory


def whole(memory: Memory) -> bytes:
    file = io.BytesIO()
    memory.export(file, full=True)
    return file.getvalue()


# --- from file to file -----------------------------------------------------------------------------------


async def test_holes_come_back_as_holes(files: Callable[[str], SqliteStore], call: Call, clock: ManualClock) -> None:
    one, other = files("one"), files("other")
    memory = live_long(one, clock)
    with pytest.raises(RevisionPrunedError):
        memory.at(5).get("often")
    file = io.BytesIO()
    count = await call(memory, "export", file, full=True)
    assert count == file.getvalue().count(b'"key":') > 40
    file.seek(0)
    copy = Memory("base", store=other)
    assert await call(copy, "import_", file) == count
    for name in ("base", "fork", "below"):
        assert picture(Space(other.run, name)) == picture(Space(one.run, name))
    with pytest.raises(RevisionPrunedError):
        copy.at(5).get("often")
    assert copy.at("ten").get("often") == 10
    assert whole(copy) == file.getvalue()
    assert other.health().integrity == "ok"
    for mine in (memory, copy):
        assert mine.append("erased", "new") == ["erased/0000000000000000002"]
        assert mine.set("once 01", 1) > 2
        for number in range(40):
            mine.set("often", number)
        mine.drop()
    assert picture(Space(other.run, "fork")) == picture(Space(one.run, "fork"))


def test_every_moment_of_a_random_life_comes_back(
    files: Callable[[str], SqliteStore], clock: ManualClock, scale: Callable[[int], int]
) -> None:
    for seed in range(scale(40)):
        dice = random.Random(seed)
        store = files(f"life-{seed}")
        names = ["base"]
        Memory("base", store=store).set_retention(Retention(dice.choice([1, 2, 64]), dice.choice([0, 5, 1000])))
        for step in range(120):
            memory = Memory(dice.choice(names), store=store)
            key = dice.choice("abc")
            match dice.randrange(12):
                case 0 if len(names) < 8:
                    names.append(f"fork-{step}")
                    memory.fork(names[-1], ttl=dice.choice([None, 40]))
                case 1:
                    memory.snapshot(ttl=dice.choice([None, 5]))
                case 2:
                    memory.delete(key)
                case 3:
                    memory.append("log", step)
                case 4:
                    memory.set(key, step, ttl=dice.choice([3, 30]))
                case 5:
                    memory.merge(Memory(dice.choice(names), store=store), strategy="theirs")
                case 6:
                    clock.advance(dice.choice([0.5, 4]))
                    store.sweep()
                case 7 if dice.random() < 0.2:
                    memory.purge(dice.choice(["a", "log"]))
                case 8 if dice.random() < 0.2 and memory.namespace != "base":
                    memory.drop()
                    names.remove(memory.namespace)
                case _:
                    memory.set(key, step)
        store.sweep()
        other = files(f"copy-{seed}")
        Memory("first", store=other).set("k", 1)  # the first write sweeps, and the next sweep is 128 writes away
        Memory("first", store=other).drop()
        for name in [one.name for one in store.run(p.ListNamespaces())]:
            memory = Memory(name, store=store)
            data = whole(memory)
            copy = Memory(name, store=other)
            copy.import_(io.BytesIO(data))
            assert whole(copy) == data, (seed, name)
            for member in other.run(p.ListNamespaces()):
                *seen, changes, moments = picture(Space(other.run, member.name))
                *before, changes_before, moments_before = picture(Space(store.run, member.name))
                assert seen == before, (seed, name, member.name)
                for now, then in zip([changes, *moments], [changes_before, *moments_before], strict=True):
                    # What only a namespace outside of the family protected is not known to be whole any more.
                    assert now == then or (name != "base" and now[0] is RevisionPrunedError), (seed, name, member)
            for member in other.run(p.ListNamespaces()):
                Memory(member.name, store=other).drop()
        assert other.run(p.ListNamespaces()) == []


def test_a_store_in_memory_refuses_what_it_cannot_show(files: Callable[[str], SqliteStore], clock: ManualClock) -> None:
    store = files("one")
    memory = Memory("pruned", store=store)
    memory.set_retention(Retention(versions=1))
    for number in range(16):
        memory.set("k", number)
    forgetful = Memory("forgetful", store=store)
    forgetful.set_retention(Retention(deleted_for=0))
    forgetful.set("k", 1)
    forgetful.delete("k")
    store.sweep()
    for one in (memory, forgetful):
        there = DictStore(clock=clock)
        with pytest.raises(UnsupportedError, match="missing"):
            Memory("copy", store=there).import_(io.BytesIO(whole(one)))
        assert there.run(p.ListNamespaces()) == []
        assert Memory("copy", store=there).set("k", 1) == 1


async def test_a_full_export_shows_one_moment(files: Callable[[str], SqliteStore], call: Call) -> None:
    store = files("one")
    memory = Memory("base", store=store)
    memory.set_retention(Retention(versions=1))
    memory.set_many({f"{number:04}": "before" for number in range(2500)})
    fork = memory.fork("fork")
    before = whole(memory)

    def write() -> None:
        for number in range(32):
            memory.set_many({"2499": "after", "0000": number})
        fork.set("new", "after")
        memory.fork("late")
        fork.drop()

    counts: list[int] = []

    def progress(count: int) -> None:
        if not counts:
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        counts.append(count)

    file = io.BytesIO()
    assert await call(memory, "export", file, full=True, progress=progress) == 2500
    assert file.getvalue() == before
    assert counts == sorted(counts)
    assert counts[-1] == 2500
    assert memory.get("2499") == "after"


async def test_an_export_goes_on_where_its_moment_is_pruned(
    files: Callable[[str], SqliteStore], call: Call, tmp_path: Path
) -> None:
    store = files("one")
    memory = Memory("base", store=store)
    memory.set_retention(Retention(versions=1))
    memory.set_many({f"{number:04}": "before" for number in range(1500)})
    file = io.BytesIO(b"kept ")
    file.seek(5)
    for target in (tmp_path / "out", file):
        written = []

        def write(count: int, written: list[int] = written) -> None:
            if not written:
                for number in range(32):
                    memory.set_many({"1400": number, "0000": "after"})
            written.append(count)

        assert await call(memory, "export", target, progress=write) == 1500
        assert written == [1000, 1500]
    data = (tmp_path / "out").read_bytes()
    assert file.getvalue() == b"kept " + data
    values = {record["key"]: record["value"] for record in map(json.loads, data.splitlines())}
    assert len(values) == 1500
    assert (values["0000"], values["1400"]) == ("after", 31)
    assert memory.list_keys(limit=2) == ["0000", "0001"]
    assert memory.snapshots() == []


async def test_an_export_into_a_pipe_is_from_one_moment(
    files: Callable[[str], SqliteStore], call: Call, tmp_path: Path
) -> None:
    memory = Memory("base", store=files("one"))
    memory.set_retention(Retention(versions=1))
    memory.set_many({f"{number:05}": "before" for number in range(5000)})  # more than a pipe holds
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []

    def write_and_read() -> None:
        with (tmp_path / "pipe").open("rb") as pipe:
            read.append(pipe.readline())
            for number in range(32):
                memory.set_many({"00000": number, "04999": number})
            read.append(pipe.read())

    reader = threading.Thread(target=write_and_read)
    reader.start()
    assert await call(memory, "export", tmp_path / "pipe") == 5000
    reader.join()
    assert b"".join(read).count(b'"before"') == 5000


# --- all or nothing --------------------------------------------------------------------------------------


def test_an_import_that_is_killed_leaves_nothing(
    files: Callable[[str], SqliteStore], tmp_path: Path, scale: Callable[[int], int]
) -> None:
    memory = Memory("base", store=files("one"))
    memory.set_many({f"{number:05}": "x" * 50 for number in range(4000)})
    memory.fork("fork").set("k", 1)
    path = tmp_path / "family.jsonl"
    lines = memory.export(path, full=True)
    code = """
import sys
from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore
class File:
    def __init__(self, path): self.file = open(path, "rb"); self.count = 0
    def readline(self, limit):
        self.count += 1
        if self.count == int(sys.argv[3]):
            print("ready", flush=True)
            sys.stdin.read()
        return self.file.readline(limit)
    def write(self): ...
memory = Memory("base", store=SqliteStore(sys.argv[1]))
memory.import_(File(sys.argv[2]))
"""
    target = tmp_path / "killed.db"
    Memory("other", store=SqliteStore(target)).set("k", 1)
    for _ in range(scale(20)):
        at = random.randrange(2, lines + 4)
        with subprocess.Popen(
            [sys.executable, "-c", code, target, path, str(at)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            child.send_signal(signal.SIGKILL)
        store = SqliteStore(target)
        assert [one.name for one in store.run(p.ListNamespaces())] == ["other"]
        store.close()
    store = SqliteStore(target)
    copy = Memory("base", store=store)
    assert copy.import_(path) == lines
    assert whole(copy) == path.read_bytes()
    assert store.health().integrity == "ok"
    store.close()


BAD_LINES = {
    "not JSON": b"{",
    "not a JSON object": b"[1]",
    "'extra' is unknown": b'{"end":{"members":1,"rows":1},"extra":1}',
    "'more' is unknown": b'{"end":{"members":1,"rows":1,"more":1}}',
    "'rows' comes twice": b'{"end":{"members":1,"rows":1,"rows":1}}',
    "members: True": b'{"end":{"members":true,"rows":1}}',
    "rows: 1.0": b'{"end":{"members":1,"rows":1.0}}',
    "rows: missing": b'{"end":{"members":1}}',
    "1 rows came": b'{"end":{"members":1,"rows":2}}',
    "1 members came": b'{"end":{"members":2,"rows":1}}',
    "NaN is not JSON": b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"updated":1,"value":NaN}',
    "version: missing": b'{"member":1,"key":"k","revision":2,"previous":1,"created":1,"updated":1,"value":1}',
    "key: 7": b'{"member":1,"key":7,"version":2,"revision":2,"previous":1,"created":1,"updated":1}',
    "'codec' is unknown": (
        b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":1,"updated":1,"value":1,"codec":1}'
    ),
    "'encoding' is unknown": (
        b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":1,"updated":1,"encoding":"base64"}'
    ),
    "not base64": (
        b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":1,"updated":1,"value":"a",'
        b'"encoding":"base64"}'
    ),
    "author: None": (
        b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":1,"updated":1,"author":null,"value":1}'
    ),
    "surrogate": (
        b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":1,"updated":1,"author":"\\ud800"}'
    ),
    "created: -1": b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":-1,"updated":1,"value":1}',
    "updated: an integer of that size": (
        b'{"member":1,"key":"k","version":2,"revision":2,"previous":1,"created":1,"updated":' + b"9" * 4000 + b"}"
    ),
    "revision: 9": b'{"member":1,"key":"k","version":2,"revision":9,"previous":1,"created":1,"updated":1,"value":1}',
    "retention: missing": b'{"member":2}',
    "a key cannot hold NUL": (
        b'{"member":1,"key":"\\u0000","version":2,"revision":2,"previous":1,"created":1,"updated":1,"value":1}'
    ),
    "was cut off": b"",
}


@pytest.mark.parametrize("message", BAD_LINES)
async def test_a_bad_line_is_named_and_nothing_is_imported(
    files: Callable[[str], SqliteStore], call: Call, message: str
) -> None:
    memory = Memory("base", store=files("one"))
    memory.set("k", 1)
    memory.set("k", 2)
    good = whole(memory).splitlines()
    copy = Memory("copy", store=files("other"))
    with pytest.raises(InvalidValueError, match=message.replace("[", "\\[")) as caught:
        await call(copy, "import_", io.BytesIO(b"\n".join([*good[:3], BAD_LINES[message]])))
    assert caught.value.message.startswith("line 4: " if BAD_LINES[message] else "line 3: ")
    assert copy.store.run(p.ListNamespaces()) == []


def member_line(**changes: Any) -> bytes:
    members = json.loads(part_to_line(FamilyMember(1, "a", None, 0, 5, 1)))
    return json.dumps({**members, **changes}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 7},
        {"head": "5"},
        {"retention": {"versions": 0, "deleted_for": 1.0}},
        {"retention": {"versions": 1, "deleted_for": -1.0}},
        {"retention": {"versions": 1, "deleted_for": True}},
        {"retention": {"versions": 1, "deleted_for": 1.0, "more": 1}},
        {"retention": None},
        {"snapshots": {}},
        {"snapshots": [{"label": "a", "revision": 1, "created": 1}]},
        {"merges": [{"source": 1, "keys": 7, "revision": 1}]},
        {"log_floors": {"a": 1}},
        {"log_floors": {"f" * 32: 1, "a" * 32: 1}},
        {"log_floors": {"F" * 32: 1}},
        {"more": 1},
    ],
    ids=repr,
)
def test_a_member_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    assert line_to_part(member_line()) == FamilyMember(1, "a", None, 0, 5, 1)
    with pytest.raises(InvalidValueError):
        line_to_part(member_line(**changes))


@pytest.mark.parametrize(
    "first", [b'{"botwire":"family","format":2}', b'{"botwire":"table"}', b'{"botwire":1,"key":"k"}']
)
async def test_another_format_is_refused(files: Callable[[str], SqliteStore], call: Call, first: bytes) -> None:
    memory = Memory("base", store=files("one"))
    with pytest.raises(InvalidValueError, match="line 2: this format is unknown"):
        await call(memory, "import_", io.BytesIO(b"\n" + first + b"\n"))


def test_a_record_that_speaks_of_botwire_is_a_record(files: Callable[[str], SqliteStore]) -> None:
    memory = Memory("base", store=files("one"))
    memory.set("botwire", {"botwire": "family", "format": 1})
    file = io.BytesIO()
    memory.export(file)
    assert Memory("copy", store=memory.store).import_(io.BytesIO(file.getvalue())) == 1
    assert not is_family_header(file.getvalue())
    assert is_family_header(FAMILY_HEADER)


# --- what cannot be --------------------------------------------------------------------------------------


async def test_what_cannot_be_exported_or_imported_is_refused(
    files: Callable[[str], SqliteStore], call: Call, tmp_path: Path
) -> None:
    memory = Memory("base", store=files("one"))
    with pytest.raises(InvalidValueError, match="no namespace 'base'"):
        await call(memory, "export", tmp_path / "out", full=True)
    memory.set("k", 1)
    with pytest.raises(UnsupportedError, match="as it stood"):
        await call(memory.at(1), "export", tmp_path / "out", full=True)
    with pytest.raises(UnsupportedError):
        await call(Memory("base", store=TinyStore()), "export", tmp_path / "out", full=True)
    assert not (tmp_path / "out").exists()
    await call(memory, "export", tmp_path / "out", full=True)
    with pytest.raises(ConflictError, match="'base'"):
        await call(memory, "import_", tmp_path / "out")
    with pytest.raises(UnsupportedError):
        await call(Memory("base", store=TinyStore()), "import_", tmp_path / "out")


async def test_an_import_of_a_family_tells_its_progress(files: Callable[[str], SqliteStore], call: Call) -> None:
    memory = Memory("base", store=files("one"))
    memory.set_many({str(number): number for number in range(2500)})
    counts: list[int] = []
    data = io.BytesIO(whole(memory))
    await call(Memory("copy", store=memory.store), "import_", data, progress=counts.append)
    assert counts == [1000, 2000, 2500]


# --- lines -----------------------------------------------------------------------------------------------

COUNTS = st.integers(0, 2**62)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PAYLOADS = st.one_of(
    st.just(Payload(TOMBSTONE, b"")),
    st.binary().map(encode),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
        max_leaves=10,
    ).map(encode),
)
ROWS = st.builds(
    lambda key, payload, counts, expires, author: Row(
        key, counts[0], counts[1], payload.codec, payload.data, counts[2], counts[3], expires, author
    ),
    TEXT.filter(bool),
    PAYLOADS,
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    st.none() | COUNTS,
    st.none() | TEXT,
)
MEMBERS = st.builds(
    FamilyMember,
    *(COUNTS, st.none() | TEXT, st.none() | COUNTS, COUNTS, COUNTS, COUNTS, st.none() | COUNTS, COUNTS, COUNTS, COUNTS),
    st.builds(Retention, st.integers(1, 10**6), st.floats(0, allow_nan=False)),
    st.lists(st.builds(FamilySnapshot, TEXT, COUNTS, COUNTS, st.none() | COUNTS)).map(tuple),
    st.lists(st.builds(MergePoint, COUNTS, TEXT, COUNTS)).map(tuple),
    st.dictionaries(st.binary(min_size=16, max_size=16), st.integers(0, 10**19 - 1)).map(
        lambda floors: tuple(sorted(floors.items()))
    ),
)


@given(MEMBERS | st.builds(FamilyRow, COUNTS, ROWS, COUNTS) | st.builds(FamilyEnd, COUNTS, COUNTS))
def test_every_part_comes_back_from_its_line(part: FamilyPart) -> None:
    line = part_to_line(part)
    assert line.count(b"\n") == 1
    assert line_to_part(line) == part
    assert part_to_line(line_to_part(line)) == line
