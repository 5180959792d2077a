"""Disks that are full, fail or cannot be written; limits of a process; many that open a file at once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stress.machine import SMALL, open_memory, run_child, small_disk, strace

from botwire_core.errors import StoreFullError, StoreReadOnlyError
from botwire_core.memory import Memory

TEXT = "x" * 4000


def fill(memory: Memory) -> int:
    """Write until there is no room; gives how many values were acknowledged."""
    for number in range(10_000):
        try:
            memory.set(f"row {number:05}", TEXT)
        except StoreFullError as error:
            assert "free some space" in error.hint
            return number
    raise AssertionError("the disk was never full")


def check_filled(memory: Memory, acknowledged: int) -> None:
    assert memory.list_keys("row") == [f"row {number:05}" for number in range(acknowledged)]
    assert all(entry.value == TEXT for entry in memory.entries("row"))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[tuple[Memory, int, Path]]:
    """A memory on a full disk, how many values it took, and a file to delete for more room."""
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (SMALL // 2))
        memory = open_memory(disk / "data" / "memory.db")
        yield memory, fill(memory), ballast
        memory.close()


def test_d6_a_full_disk_refuses_writes_still_reads_and_recovers_when_space_returns(
    full_disk: tuple[Memory, int, Path],
) -> None:
    memory, acknowledged, ballast = full_disk
    assert acknowledged > 10
    check_filled(memory, acknowledged)
    with pytest.raises(StoreFullError):
        memory.set("more", TEXT)
    assert "more" not in memory
    ballast.unlink()
    assert memory.set("more", TEXT) == 1
    check_filled(memory, acknowledged)


def test_d6_a_disk_that_fills_up_in_the_middle_of_a_write_loses_nothing_else(tmp_path: Path) -> None:
    code = """
memory = open_memory(sys.argv[1])
report([outcome(memory, "set", f"key {number}", number) for number in range(30)])
report([outcome(memory, "get", f"key {number}") for number in range(30)])
"""
    writes, reads = run_child(code, tmp_path / "data" / "memory.db", before=strace("pwrite64", "ENOSPC", "40..45"))
    assert "StoreFullError" in writes
    assert writes[-1] == 1
    assert set(writes) == {1, "StoreFullError"}
    assert reads == [number if write == 1 else None for number, write in enumerate(writes)]


def test_d7_a_delete_on_a_full_disk_needs_room_and_says_so(full_disk: tuple[Memory, int, Path]) -> None:
    memory, acknowledged, ballast = full_disk
    deleted = 0
    with pytest.raises(StoreFullError):
        for number in range(acknowledged):
            memory.delete(f"row {number:05}")
            deleted += 1
    assert memory.list_keys("row") == [f"row {number:05}" for number in range(deleted, acknowledged)]
    ballast.unlink()
    assert memory.clear() == acknowledged - deleted
    assert memory.list_keys() == []


@pytest.mark.parametrize(("call", "when"), [("pwrite64", "40..41"), ("fdatasync", "8..9"), ("fdatasync", "12")])
def test_d8_a_disk_that_fails_is_reported_and_the_file_is_opened_anew(tmp_path: Path, call: str, when: str) -> None:
    code = """
memory = open_memory(sys.argv[1])
report([outcome(memory, "set", f"key {number}", number) for number in range(30)])
report([outcome(memory, "get", f"key {number}") for number in range(30)])
"""
    path = tmp_path / "data" / "memory.db"
    writes, reads = run_child(code, path, before=strace(call, "EIO", when))
    errors = {write for write in writes if write != 1}
    assert errors
    assert errors <= {"StoreUnavailableError", "CommitUnknownError"}
    assert writes[-1] == 1
    after = open_memory(path)
    for number, (write, read) in enumerate(zip(writes, reads, strict=True)):
        stands = after.get(f"key {number}")
        assert stands == read
        if write == 1:
            assert read == number
        elif write == "StoreUnavailableError":  # which says that nothing was done
            assert read is None
        else:
            assert read in (None, number)
    after.close()


def test_d9_a_memory_on_a_read_only_disk_is_read_and_refuses_writes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "memory?#%.db"
        with open_memory(path) as memory:
            memory.set("key", ["value"])
            memory.fork("fork")
            memory.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        memory = open_memory(path)
        for _ in range(2):
            assert memory.get("key") == ["value"]
            assert memory.list_keys() == ["key"]
            assert [entry.value for entry in memory.history("key")] == [["value"]]
            for write in (
                lambda: memory.set("key", 2),
                lambda: memory.set("other", 2),
                lambda: memory.append("log", 1),
                lambda: memory.delete("key"),
                lambda: memory.fork("another"),
            ):
                with pytest.raises(StoreReadOnlyError):
                    write()
        memory.close()
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert memory.set("key", 2) == 2
        memory.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_d9_a_file_of_somebody_else_is_read_and_refuses_writes(tmp_path: Path) -> None:
    import tempfile

    code = """
import os
calls = (["get", "key"], ["set", "key", 2], ["list_keys"])
# What is loaded when it is first needed has to be: the other user may not see where Python's packages are.
import botwire_core.stores.sqlite.faults
scratch = open_memory(sys.argv[1] + "-scratch")
assert [outcome(scratch, *call) for call in calls] == [None, 1, ["key"]]
scratch.close()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
memory = open_memory(sys.argv[1])
report([outcome(memory, *call) for call in calls])
"""
    # Not below tmp_path, whose folders are closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "memory.db"
        memory = open_memory(path)
        memory.set("key", 1)
        memory.close()
        path.chmod(0o444)
        (folder / "memory.db-lock").chmod(0o444)
        folder.chmod(0o1777)
        assert run_child(code, path) == [[1, "StoreReadOnlyError", ["key"]]]


def test_d10_a_file_size_limit_is_a_full_disk_and_kills_nobody(tmp_path: Path) -> None:
    code = """
import resource
memory = open_memory(sys.argv[1])
memory.set("first", 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
written = 0
while (last := outcome(memory, "set", f"row {written:05}", "x" * 4000)) == 1:
    written += 1
report([written, last, len(memory.list_keys("row")), memory.get("first")])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
report(outcome(memory, "set", "after", 1))
memory.close()
"""
    path = tmp_path / "data" / "memory.db"
    (written, last, kept, first), after = run_child(code, path)
    assert written > 10
    assert (last, kept, first, after) == ("StoreFullError", written, 1, 1)
    again = open_memory(path)
    assert len(again.list_keys("row")) == written
    assert again.store.health().integrity == "ok"
    again.close()


def test_d11_too_many_open_files_are_an_error_that_passes(tmp_path: Path) -> None:
    code = """
import os, resource
memory = open_memory(sys.argv[1])
memory.set("key", 1)
memory.close()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
while True:
    try:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        break
seen = []
while True:  # with none left, then with one, two and three, and so on until there are enough
    seen.append([outcome(memory, "set", "key", 2), outcome(memory, "get", "key")])
    if seen[-1][0] == 2 or not taken:
        break
    memory.close()
    os.close(taken.pop())
report(seen)
for descriptor in taken:
    os.close(descriptor)
report(outcome(memory, "set", "key", 3))
"""
    seen, after = run_child(code, tmp_path / "data" / "memory.db")
    assert seen[0] == ["StoreUnavailableError", "StoreUnavailableError"]
    assert seen[-1] == [2, 2]
    assert {result for pair in seen[:-1] for result in pair} <= {"StoreUnavailableError", 1}
    assert after == 3


def test_d17_processes_that_open_a_new_file_at_once_all_succeed(tmp_path: Path, scale: Callable[[int], int]) -> None:
    """Each child waits for the gate, so that all of them make and migrate the file in the same instant."""
    code = """
import os
rounds, folder = int(sys.argv[2]), sys.argv[1]
for number in range(rounds):
    gate, opened = os.pipe()
    children = []
    for child in range(8):
        if not (pid := os.fork()):
            os.close(opened)
            os.read(gate, 1)
            result = outcome(open_memory(f"{folder}/{number}/memory.db"), "set", f"key {child}", child)
            os._exit(0 if result == 1 else 1)
        children.append(pid)
    os.close(gate)
    os.close(opened)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
    memory = open_memory(f"{folder}/{number}/memory.db")
    report([failed, [memory.get(f"key {child}") for child in range(8)], memory.store.health().integrity])
    memory.close()
"""
    rounds = scale(100)
    assert run_child(code, tmp_path, rounds) == [[0, list(range(8)), "ok"]] * rounds
