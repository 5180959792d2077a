"""A purged value is in no byte of any file of the store, wherever it was before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest
from stress.machine import open_memory

from botwire_core.errors import StoreBusyError
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore

Forget = Callable[[Memory], object]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where SQLite puts what it needs for a while."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("SQLITE_TMPDIR", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def files_with(folder: Path, canary: str) -> list[str]:
    """The files below a folder that hold the canary, in UTF-8 or as orjson would escape it."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and canary.encode() in path.read_bytes())


def surround(memory: Memory, count: int) -> None:
    """Write neighbours on both sides, of all sizes, so that pages split and are moved."""
    for number in range(count):
        memory.set_many({f"{side} {number:05}": "n" * (7 * number % 900) for side in ("a", "user", "z")})


def plain(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", canary)
    return memory


def in_the_history(memory: Memory, canary: str) -> Memory:
    for number in range(90):  # more than are kept, so some are pruned
        memory.set("user/token", f"{number} {canary}" if number < 80 else number)
    return memory


def deleted_before(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", canary)
    memory.delete("user/token")
    return memory


def in_forks(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", canary)
    child = memory.fork("child")
    child.set("user/token", f"child's {canary}")
    child.fork("grandchild").set("user/token/second", [canary])
    memory.set("user/token", 1)
    return memory


def in_a_snapshot(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", canary)
    memory.snapshot("before")
    memory.set("user/token", 1)
    memory.merge(memory.fork("other"))
    return memory


def in_a_dropped_parent(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", canary)
    child = memory.fork("child")
    memory.drop()
    return child


def in_a_dropped_fork_between(memory: Memory, canary: str) -> Memory:
    middle = memory.fork("middle")
    middle.set("user/token", canary)
    middle.fork("last")
    middle.drop()
    return memory


def over_many_pages(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", f"{canary} " * 20_000)
    memory.set("user/token/bytes", canary.encode() * 3000)
    return memory


def expired(memory: Memory, canary: str) -> Memory:
    memory.set("user/token", canary, ttl=1e-6)
    return memory


def in_a_log(memory: Memory, canary: str) -> Memory:
    memory.append("user/token", canary, {"text": canary})
    return memory


def as_a_key(memory: Memory, canary: str) -> Memory:
    memory.set(f"user/token/{canary}", 1)
    memory.append(f"user/token/{canary}/log", 1)
    memory.delete(f"user/token/{canary}")
    return memory


PLACES = [
    plain,
    in_the_history,
    deleted_before,
    in_forks,
    in_a_snapshot,
    in_a_dropped_parent,
    in_a_dropped_fork_between,
    over_many_pages,
    expired,
    in_a_log,
    as_a_key,
]


def purge(memory: Memory) -> object:
    return memory.purge("user/token")


def only_delete(memory: Memory) -> object:
    return memory.clear("user/token")


@pytest.mark.parametrize("place", PLACES)
def test_d24_a_purged_value_is_in_no_byte_of_any_file(
    tmp_path: Path, scale: Callable[[int], int], place: Callable[[Memory, str], Memory]
) -> None:
    canary = token_hex(16)
    folder = tmp_path / "data"
    memory = open_memory(folder / "memory.db")
    surround(memory, scale(1000))
    memory = place(memory, canary)
    assert files_with(folder, canary), "the canary was never on the disk"
    surround(memory, scale(1000))
    purge(memory)
    assert files_with(tmp_path, canary) == []
    assert memory.store.health().integrity == "ok"
    assert len(memory.list_keys("z ")) == scale(1000)
    memory.close()
    assert files_with(tmp_path, canary) == []
    assert sorted(path.name for path in folder.iterdir()) == ["memory.db", "memory.db-lock"]


@pytest.mark.parametrize("place", [plain, in_forks, over_many_pages])
def test_d24_a_deleted_value_is_still_in_a_file(tmp_path: Path, place: Callable[[Memory, str], Memory]) -> None:
    """The control: where a delete is enough, the search for the canary would prove nothing."""
    canary = token_hex(16)
    memory = place(open_memory(tmp_path / "data" / "memory.db"), canary)
    surround(memory, 20)
    only_delete(memory)
    assert "user/token" not in memory
    memory.close()
    assert files_with(tmp_path, canary) == ["memory.db"]


def test_d24_a_reader_who_holds_the_old_pages_makes_a_purge_say_so(tmp_path: Path) -> None:
    canary = token_hex(16)
    path = tmp_path / "data" / "memory.db"
    memory, reader = open_memory(path, timeout=0.2), open_memory(path)
    memory.set("user/token", canary)
    with reader.store.consistent():
        assert reader.get("user/token") == canary
        with pytest.raises(StoreBusyError):
            memory.purge("user/token")
    memory.purge("user/token")
    assert files_with(tmp_path, canary) == []
    memory.close()
    reader.close()


def test_d24_what_a_living_relative_still_needs_of_a_dropped_parent_is_named(tmp_path: Path) -> None:
    for memory in (open_memory(tmp_path / "memory.db", "parent"), Memory("parent", store=DictStore())):
        memory.set("user/token", "secret")
        one, other = memory.fork("one"), memory.fork("other")
        memory.drop()
        assert len(one.purge("user/token").ancestors) == 1
        assert one.get("user/token") is None
        assert other.get("user/token") == "secret"
        one.drop()
        result = other.purge("user/token")
        assert (result.ancestors, result.versions) == ([], 1)
        memory.close()
