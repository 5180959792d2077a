"""C5, C6, C8 to C10: threads, event loops, os.fork, signals, and the end of an interpreter."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest
from stress import scenes
from stress.crowd import heard, result_of, run_in_processes, talking_to

from botwire_core.memory import Memory

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/memory.db?durability=normal"


# --- C5: os.fork ---------------------------------------------------------------------------------------------------


@needs_fork
def test_c5_a_forked_child_opens_the_store_anew(url: str, scale: Callable[[int], int]) -> None:
    run_in_processes(scenes.fork_with_an_open_store, [(url, scale(100))])
    with Memory("crowd", url) as memory:
        assert memory.get("number") == 2 * scale(100)
        assert memory.store.health().integrity == "ok"  # type: ignore[attr-defined]


@needs_fork
def test_c5_a_parent_that_closes_takes_nothing_of_what_its_child_writes(url: str, scale: Callable[[int], int]) -> None:
    run_in_processes(scenes.fork_and_close, [(url, scale(100))])
    with Memory("crowd", url) as memory:
        assert memory.get("number") == 3 * scale(100), "acknowledged writes are gone"
        assert memory.store.health().integrity == "ok"  # type: ignore[attr-defined]


@needs_fork
def test_c5_control_sqlite_alone_loses_what_a_forked_child_wrote(url: str) -> None:
    (rows,) = run_in_processes(scenes.fork_and_close_sqlite, [(url.removeprefix("sqlite:///").partition("?")[0],)])
    assert rows == 1, "SQLite has learned about os.fork: botwire_core.stores.sqlite.forked can go"


@needs_fork
def test_c5_a_child_forked_in_the_middle_of_a_write_leaves_that_alone(url: str) -> None:
    run_in_processes(scenes.fork_in_a_transaction, [(url,)])


@pytest.mark.xfail(
    strict=False,
    reason="hung once on a busy machine: a child can inherit a mutex of SQLite that another thread holds",
)
@needs_fork
def test_c5_a_child_forked_beside_threads_that_write_never_hangs(url: str, scale: Callable[[int], int]) -> None:
    (written,) = run_in_processes(scenes.fork_beside_threads, [(url, scale(300))])
    assert written > scale(300), "they did not write meanwhile"


@needs_fork
def test_c5_workers_forked_by_multiprocessing_share_the_file_with_their_parent(
    url: str, scale: Callable[[int], int]
) -> None:
    run_in_processes(scenes.fork_by_multiprocessing, [(url, scale(1000))])


# --- C6: one object, many users ------------------------------------------------------------------------------------


def test_c6_thirty_two_threads_and_two_event_loops_use_one_memory_at_once(
    url: str, scale: Callable[[int], int]
) -> None:
    memory, count, tasks = Memory("crowd", url), scale(500), 8
    barrier = threading.Barrier(34)
    failed: list[BaseException] = []

    def thread(number: int) -> None:
        barrier.wait(60)
        for step in range(count):
            assert memory.set(f"thread/{number:02}", [number, step]) == step + 1
            assert memory.get(f"thread/{number:02}") == [number, step]
            memory.increment("number")
            memory.append("log", ["thread", number, step])
            if step % 10 == 0:
                assert memory.list_keys(f"thread/{number:02}") == [f"thread/{number:02}"]
                assert [entry.value for entry in memory.entries(f"thread/{number:02}")] == [[number, step]]

    async def task(loop: int, number: int) -> None:
        key = f"task/{loop}/{number}"
        for step in range(count):
            assert await memory.aset(key, [number, step]) == step + 1
            assert await memory.aget(key) == [number, step]
            await memory.aincrement("number")
            await memory.aappend("log", ["loop", loop, number, step])
            if step % 10 == 0:
                assert await memory.alist_keys(key) == [key]
                assert [entry.value async for entry in memory.aentries(key)] == [[number, step]]

    async def loop(name: int) -> None:
        await asyncio.to_thread(barrier.wait, 60)
        await asyncio.gather(*(task(name, number) for number in range(tasks)))

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(lambda n=n: thread(n),)) for n in range(32)]  # type: ignore[misc]
    threads += [threading.Thread(target=guarded, args=(lambda n=n: asyncio.run(loop(n)),)) for n in range(2)]  # type: ignore[misc]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert memory.get("number") == (32 + 2 * tasks) * count
    log = [tuple(row) for row in memory.read("log")]
    assert len(log) == len(set(log)) == (32 + 2 * tasks) * count
    for writer in {row[:-1] for row in log}:
        assert [row[-1] for row in log if row[:-1] == writer] == list(range(count))
    memory.close()


def test_c6_control_threads_that_get_and_set_lose_updates(url: str) -> None:
    memory = Memory("crowd", url)
    memory.set("number", 0)
    both_have_read = threading.Barrier(2)

    def add() -> None:
        number = memory.get("number")
        both_have_read.wait(60)
        memory.set("number", number + 1)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert memory.get("number") == 1
    memory.close()


# --- C8: iterators that nobody reads to their end ------------------------------------------------------------------


def write_much(memory: Memory, megabytes: int) -> None:
    for number in range(megabytes):
        memory.set_many({f"big/{number % 8}/{part}": f"{number}" + "x" * 100_000 for part in range(10)})


def log_held_back(path: Path) -> int:
    """Move the log into the file, and give how many bytes of it readers hold back."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(200)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    return path.with_name(f"{path.name}-wal").stat().st_size


def test_c8_iterators_left_half_read_pin_nothing(tmp_path: Path, url: str, scale: Callable[[int], int]) -> None:
    memory = Memory("crowd", url)
    memory.set_many({f"key/{number:05}": number for number in range(3000)})
    fork = memory.fork("variant")
    fork.set("key/00000", "own")
    file = tmp_path / "memory.db"
    with asyncio.Runner() as runner:
        asynchronous = [memory.aentries(), memory.awatch(since=0), memory.aentries(reverse=True)]
        iterators = [memory.entries(), memory.entries(reverse=True), memory.watch(since=0), fork.entries(), iter([])]
        for half_read in iterators[:-1]:
            for _ in range(10):
                next(half_read)
        for async_half_read in asynchronous:
            for _ in range(10):
                runner.run(_next(async_half_read))
        write_much(memory, scale(200))
        wal = (tmp_path / "memory.db-wal").stat().st_size
        print(f"{scale(200)} MB written, the log has {wal / 1e6:.1f} MB")
        assert wal < 8_000_000
        assert log_held_back(file) == 0
        assert next(iterators[0]).key == "key/00010", "it goes on"
        for async_half_read in asynchronous:
            runner.run(async_half_read.aclose())  # type: ignore[attr-defined]
    memory.close()


async def _next(iterator: object) -> object:
    return await anext(iterator)  # type: ignore[call-overload]


def test_c8_control_a_statement_left_half_read_pins_the_log(tmp_path: Path, url: str) -> None:
    memory = Memory("crowd", url)
    memory.set_many({f"key/{number:05}": number for number in range(3000)})
    reader = apsw.Connection(str(tmp_path / "memory.db"))
    half_read = reader.execute("SELECT key FROM versions")
    next(half_read)
    write_much(memory, 20)
    assert (tmp_path / "memory.db-wal").stat().st_size > 8_000_000
    assert log_held_back(tmp_path / "memory.db") > 8_000_000
    reader.close()
    memory.close()


# --- C9: signals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["KeyboardInterrupt", "SIGTERM"])
def test_c9_a_signal_in_a_transaction_rolls_it_back_and_frees_the_lock(
    url: str, number: signal.Signals, scale: Callable[[int], int]
) -> None:
    rounds, memory = scale(500), Memory("crowd", url, 20.0)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(talking_to(scenes.write_until_interrupted, url, name)) for name in ("one", "other")
        ]
        for round in range(rounds):
            for process, connection, result in writers:
                assert heard(connection, result) == "ready"
                assert process.pid is not None
            seen = memory.get("all", 0)
            while memory.get("all", 0) == seen:
                pass  # they write
            for process, _, _ in writers:
                os.kill(process.pid, number)  # type: ignore[arg-type]
            for _, connection, result in writers:
                assert heard(connection, result) == "settled"
                connection.send(round < rounds - 1)
            memory.increment("after")
        assert [result_of(result) for _, _, result in writers] == [rounds] * 2
    assert memory.get("all") >= memory.get("one/a") + memory.get("other/a")
    assert memory.get_many(["one/after", "other/after", "after"]) == {
        "one/after": rounds,
        "other/after": rounds,
        "after": rounds,
    }


def test_c9_a_process_that_sigterm_ends_leaves_no_half_write_and_no_lock(url: str, scale: Callable[[int], int]) -> None:
    memory = Memory("crowd", url, 20.0)
    for round in range(scale(50)):
        with talking_to(scenes.write_without_end, url, f"{round}") as (process, connection, _):
            assert connection.recv() == "ready"
            while memory.get(f"{round}/a") is None:
                pass
            process.terminate()
            process.join()
            assert process.exitcode == -signal.SIGTERM
            found = memory.get_many([f"{round}/a", f"{round}/b"])
            assert found[f"{round}/a"] == found[f"{round}/b"]
            assert memory.increment("after") == round + 1


# --- C10: the end of an interpreter --------------------------------------------------------------------------------

BEGINNING = """
import asyncio, os, sys, threading
from botwire_core.memory import Memory

memory = Memory("crowd", sys.argv[1])
count = int(sys.argv[2])

said = []

def say(number):
    os.write(1, f"{number}\\n".encode())
    said.append(number)

def write(start):
    for number in range(start, start + count):
        memory.set(f"key/{number}", number)
        say(number)

async def awrite(start):
    for number in range(start, start + count):
        await memory.aset(f"key/{number}", number)
        say(number)
"""
ENDINGS = {
    "nothing is closed": "write(0)",
    "half-read iterators": "write(0)\nkept = [memory.entries(), memory.watch(since=0)]\nfor one in kept: next(one)",
    "sys.exit": "write(0)\nsys.exit(0)",
    "a thread that still writes": "threading.Thread(target=write, args=(0,)).start()",
    "a daemon thread that still writes": """
threading.Thread(target=write, args=(0,), daemon=True).start()
while not said:
    pass
""",
    "executor threads that still write": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(4)
for part in range(4):
    pool.submit(write, part * count)
""",
    "a loop that ended with its work": "asyncio.run(awrite(0))",
    "a loop that ended before its tasks": """
async def main():
    tasks = [asyncio.create_task(awrite(part * count)) for part in range(4)]
    while not said:
        await asyncio.sleep(0)
asyncio.run(main())
""",
    "a loop that still runs in a daemon thread": """
def run():
    asyncio.run(awrite(0))
threading.Thread(target=run, daemon=True).start()
while not said:
    pass
""",
    "a loop that was never closed": """
loop = asyncio.new_event_loop()
loop.run_until_complete(awrite(0))
task = loop.create_task(awrite(count))
loop.run_until_complete(asyncio.sleep(0))
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_c10_an_interpreter_that_ends_without_close_hangs_not_and_keeps_what_it_acknowledged(
    url: str, ending: str, scale: Callable[[int], int]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + ENDINGS[ending], url, str(scale(1000))],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    acknowledged = [int(line) for line in done.stdout.split()]
    assert acknowledged
    memory = Memory("crowd", url, 5.0)
    found = memory.get_many([f"key/{number}" for number in acknowledged])
    assert list(found.values()) == acknowledged
    assert memory.increment("after") == 1
    memory.close()


def test_c10_control_a_kill_in_the_middle_is_seen_as_such(url: str) -> None:
    code = BEGINNING + "write(0)\nsay(-1)\nos.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code, url, "10"], capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    acknowledged = [int(line) for line in done.stdout.split()]
    found = Memory("crowd", url).get_many([f"key/{number}" for number in acknowledged])
    assert list(found.values()) != acknowledged, "an acknowledgement without a write is found"
