"""`Memory` on the embedded store, as users have it: files, processes, threads, event loops."""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from core.wrappers import Call

from botwire_core.errors import InvalidValueError
from botwire_core.exchange import record_to_line
from botwire_core.memory import Memory
from botwire_core.results import Record


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/memory.db?durability=normal"


def run_elsewhere(code: str, memory: Memory) -> subprocess.Popen[bytes]:
    """Start another process that has the memory as `memory`."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"import pickle, sys\nmemory = pickle.load(sys.stdin.buffer)\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    child.stdin.write(pickle.dumps(memory))
    child.stdin.close()
    child.stdin = None
    return child


def test_without_a_url_it_is_a_file_in_the_home_of_botwire(home: Path) -> None:
    Memory("demo").set("k", 1)
    assert (home / "memory.db").exists()
    assert Memory("demo").get("k") == 1


@pytest.fixture
def is_open(tmp_path: Path) -> Callable[[], bool]:
    """Tell whether this process has the file open: the log beside it goes with the last connection."""
    return (tmp_path / "memory.db-wal").exists


def test_with_closes_the_file_and_a_later_use_opens_it_again(url: str, is_open: Callable[[], bool]) -> None:
    with Memory("demo", url) as memory:
        memory.set("k", 1)
        assert is_open()
    assert not is_open()
    assert memory.get("k") == 1
    with Memory("demo", url) as another:
        assert another.get("k") == 1
    assert is_open(), "closed under `memory`, which had come back"
    with memory:
        pass
    assert not is_open()


async def test_async_with_closes_the_file_too(url: str, is_open: Callable[[], bool]) -> None:
    async with Memory("demo", url) as memory:
        await memory.aset("k", 1)
        assert is_open()
    assert not is_open()
    assert await memory.aget("k") == 1
    async with Memory("demo", url) as another:
        assert await another.aget("k") == 1
    assert is_open()


def test_with_does_not_close_the_file_under_a_fork_or_a_copy_that_is_still_there(
    url: str, is_open: Callable[[], bool]
) -> None:
    with Memory("demo", url) as memory:
        memory.set("k", 1)
        others = [memory.fork("variant"), memory.at(1), copy.copy(memory)]
    while others:
        assert is_open()
        with others.pop() as other:
            assert other.get("k") == 1
    assert not is_open()


def test_a_memory_that_is_gone_does_not_keep_the_file_open(url: str, is_open: Callable[[], bool]) -> None:
    Memory("gone", url).set("k", 1)
    with Memory("demo", url) as memory:
        memory.set("k", 1)
    assert not is_open()


def test_close_closes_the_file_whoever_uses_it(url: str, is_open: Callable[[], bool]) -> None:
    memory, other = Memory("demo", url), Memory("demo", url)
    memory.set("k", 1)
    assert other.get("k") == 1
    memory.close()
    assert not is_open()
    assert other.get("k") == 1


def test_a_memory_can_be_sent_to_another_process(url: str) -> None:
    memory = Memory("demo", url, author="ada")
    memory.set("k", "here")
    child = run_elsewhere("print(memory.get('k'), memory.at(1).author); memory.set('k', 'there')", memory)
    assert child.communicate()[0] == b"here ada\n"
    assert child.returncode == 0
    assert memory.get("k") == "there"


def test_watch_misses_nothing_that_another_process_writes(url: str, scale: Callable[[int], int]) -> None:
    memory = Memory("demo", url)
    count = scale(2000)
    changes = memory.watch(since=0)
    child = run_elsewhere(f"for n in range({count}): memory.append('log', n)", memory)
    seen = [next(changes).value for _ in range(count)]
    assert seen == list(range(count))
    assert child.wait() == 0
    child.communicate()
    assert list(memory.watch(since=count, timeout=0)) == []


async def test_a_write_that_is_cancelled_is_there_when_the_cancellation_arrives(
    url: str, scale: Callable[[int], int]
) -> None:
    memory = Memory("demo", url)
    for number in range(scale(300)):
        task = asyncio.create_task(memory.aset(str(number), number))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert memory.get(str(number)) == number


def test_threads_and_event_loops_share_one_memory(url: str, scale: Callable[[int], int]) -> None:
    memory = Memory("demo", url)
    count = scale(100)

    def count_up() -> None:
        for _ in range(count):
            memory.increment("n")

    async def acount_up() -> None:
        await asyncio.gather(*(memory.aincrement("n") for _ in range(count)))

    with ThreadPoolExecutor(10) as pool:
        work = [*(pool.submit(count_up) for _ in range(8)), *(pool.submit(asyncio.run, acount_up()) for _ in range(2))]
        for one in work:
            one.result()
    assert memory.get("n") == 10 * count


async def test_a_bad_line_late_in_a_large_file_undoes_all_of_it(url: str, call: Call) -> None:
    memory = Memory("demo", url)
    await call(memory, "set", "k", "before")
    lines = [record_to_line(Record(f"{number:05d}", number)) for number in range(6000)]
    with pytest.raises(InvalidValueError, match="line 6001: "):
        await call(memory, "import_", io.BytesIO(b"".join(lines) + b"nonsense\n"))
    assert await call(memory, "list_keys") == ["k"]
    assert (await call(memory, "stats")).revision == 1
    assert await call(memory, "import_", io.BytesIO(b"".join(lines))) == 6000
    assert (await call(memory, "stats")).revision == 2


async def test_an_export_shows_one_moment_while_others_write(url: str, call: Call, tmp_path: Path) -> None:
    memory = Memory("demo", url)
    memory.set_many({f"{number:04d}": 0 for number in range(3000)})
    writer = run_elsewhere(
        "for n in range(1, 41): memory.set_many({f'{k:04d}': n for k in range(0, 3000, 300)})", memory
    )
    values: set[int] = set()
    while writer.poll() is None:
        await call(memory, "export", tmp_path / "out")
        other = Memory("copy", "memory:")
        other.clear()
        other.import_(tmp_path / "out")
        moment = {other.get(f"{k:04d}") for k in range(0, 3000, 300)}
        assert len(moment) == 1
        values |= moment
    assert writer.wait() == 0
    writer.communicate()
    assert values


async def test_a_fork_of_a_large_memory_compares_and_exports_the_same(url: str, call: Call, tmp_path: Path) -> None:
    memory = Memory("demo", url)
    memory.set_many({f"{number:04d}": {"number": number} for number in range(2000)})
    fork = await call(memory, "fork", "variant")
    before = io.BytesIO()
    await call(memory, "export", before)
    await call(fork, "set_many", {"0001": 1, "new": 2})
    await call(fork, "delete", "0002")
    after, variant = io.BytesIO(), io.BytesIO()
    await call(memory, "export", after)
    await call(fork, "export", variant)
    assert before.getvalue() == after.getvalue() != variant.getvalue()
    diff = await call(memory, "diff", fork)
    assert diff.keys == ["0001", "0002", "new"]
    await call(memory, "merge", fork)
    merged = io.BytesIO()
    await call(memory, "export", merged)
    assert merged.getvalue() == variant.getvalue()
