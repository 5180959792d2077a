"""One flipped bit in a database file: an error or nothing, never wrong data."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from stress.machine import open_memory

from botwire_core.errors import BotWireError, StoreCorruptError
from botwire_core.memory import Memory
from botwire_core.stores.rows import TOMBSTONE

KEYS = [f"user:{number:03}/name" for number in range(60)]


class Original:
    """A closed database file, and everything that was ever written in it."""

    def __init__(self, path: Path) -> None:
        random = Random(12)
        memory = open_memory(path, "team")
        self.versions: dict[str, list[Any]] = {key: [] for key in KEYS}
        for turn in range(3):
            batch = {
                key: {"turn": turn, "of": key, "text": f"{random.random()} " * random.randrange(1, 12)}
                for key in KEYS
                if turn == 0 or random.random() < 0.6
            }
            memory.set_many(batch)
            for key, value in batch.items():
                self.versions[key].append(value)
            if turn == 0:
                memory.snapshot("start")
                memory.fork("child")
        for number in range(10):
            memory.fork(f"fork-{number}")
            memory.snapshot(f"label {number}")
        memory.close()
        self.bytes = path.read_bytes()

    def flipped(self, bit: int) -> bytes:
        changed = bytearray(self.bytes)
        changed[bit // 8] ^= 1 << (bit % 8)
        return bytes(changed)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("original") / "memory.db")


def attempt(read: Callable[[], Any]) -> Any:
    """What a read gives; None where it raises an error of ours, and only of ours."""
    try:
        return read()
    except BotWireError:
        return None


def seen(memory: Memory) -> Iterator[tuple[str, Any]]:
    """Every key with every value that a memory gives for it now, in whatever way."""
    for key in KEYS:
        yield key, attempt(lambda key=key: memory.get(key))
        entry = attempt(lambda key=key: memory.entry(key))
        yield key, entry and entry.value
    for entry in attempt(lambda: list(memory.entries())) or ():
        yield entry.key, entry.value


def judge(original: Original, path: Path) -> Counter[str]:
    """How often a damaged file gave a value that was never written for the key, and how often an older one."""
    counts: Counter[str] = Counter()
    memory = open_memory(path, "team")
    for key, value in seen(memory):
        if value is not None and value not in original.versions.get(key, ()):
            counts["wrong"] += 1
        elif value is not None and value != original.versions[key][-1]:
            counts["stale"] += 1
    for key in KEYS:
        history = attempt(lambda key=key: memory.history(key)) or []
        counts["wrong"] += sum(entry.value not in original.versions[key] for entry in history)
    for view in (attempt(lambda: memory.at("start")), Memory("child", store=memory.store)):
        for key, value in seen(view) if view is not None else ():
            if value is not None and value not in original.versions.get(key, ()):
                counts["wrong"] += 1
            elif value is not None and value != original.versions[key][0]:
                counts["stale"] += 1
    health = attempt(lambda: memory.store.health().integrity)
    counts["noticed"] = int(health != "ok")
    memory.close()
    return counts


def plain_values(path: Path) -> dict[Any, Any]:
    """The newest value of each key as SQL finds it, with no look at the checksums."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    try:
        rows = connection.execute(
            "SELECT v.key, v.value FROM versions v JOIN spaces s ON s.id = v.space"
            " WHERE s.name = 'team' AND v.codec <> ? ORDER BY v.revision",
            (TOMBSTONE,),
        ).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return {}
    finally:
        connection.close()
    return dict(rows)


def test_d12_a_flipped_bit_gives_an_error_or_nothing_and_never_wrong_data(
    original: Original, tmp_path: Path, scale: Callable[[int], int]
) -> None:
    """A bit of the index by key can hide the newest version of a key, and then `health` says so: see the README."""
    random = Random(600)
    path = tmp_path / "memory.db"
    path.write_bytes(original.bytes)
    right = plain_values(path)
    assert len(right) == len(KEYS)
    assert judge(original, path) == Counter(noticed=0)
    counts: Counter[str] = Counter()
    for _ in range(scale(600)):
        path.write_bytes(original.flipped(random.randrange(len(original.bytes) * 8)))
        plain = plain_values(path)
        counts["plain SQL gave wrong data"] += any(right.get(key) != value for key, value in plain.items())
        found = judge(original, path)
        assert not found["wrong"]
        assert found["noticed"] or not found["stale"]
        counts["noticed"] += found["noticed"]
        for end in ("-wal", "-shm", "-lock"):
            Path(f"{path}{end}").unlink(missing_ok=True)
    assert counts["plain SQL gave wrong data"] > 0, "without the checksums it would have gone well too"
    assert counts["noticed"] >= counts["plain SQL gave wrong data"]


@pytest.mark.parametrize("table", ["spaces", "snapshots", "merges"])
def test_d12_a_record_of_a_fork_a_snapshot_or_a_merge_that_was_changed_is_refused(tmp_path: Path, table: str) -> None:
    path = tmp_path / "memory.db"
    memory = open_memory(path)
    memory.set("key", 1)
    memory.snapshot("label")
    fork = memory.fork("fork")
    fork.set("key", 2)
    memory.merge(fork)
    memory.close()
    column = "forked_at" if table == "spaces" else "revision"
    connection = sqlite3.connect(path)
    assert connection.execute(f"UPDATE {table} SET {column} = {column} + 1 WHERE {column} > 0").rowcount > 0
    connection.commit()
    connection.close()
    memory = open_memory(path)
    looks = {
        "spaces": lambda: open_memory(path, "fork").get("key"),
        "snapshots": lambda: memory.at("label").get("key"),
        "merges": lambda: memory.merge("fork"),
    }
    with pytest.raises(StoreCorruptError):
        looks[table]()
    assert "damaged" in memory.store.health().integrity
    memory.close()


def test_d12_the_highest_number_of_a_purged_log_that_is_no_number_any_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    memory = open_memory(path)
    memory.append("log", 1, 2)
    memory.purge("log/")
    memory.close()
    connection = sqlite3.connect(path)
    assert connection.execute("UPDATE log_floors SET number = 'x'").rowcount == 1
    connection.commit()
    connection.close()
    memory = open_memory(path)
    with pytest.raises(StoreCorruptError):
        memory.append("log", 3)
    with pytest.raises(StoreCorruptError):
        memory.export(tmp_path / "full.jsonl", full=True)
    memory.close()
