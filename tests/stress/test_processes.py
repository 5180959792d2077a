"""C1 to C3, C14, D17: many processes at one file."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stress import processes
from stress.crowd import result_of, run_in_processes, talking_to

from botwire_core.errors import StoreBusyError
from botwire_core.memory import Memory

WRITERS = 8
Note = Callable[[str, object], None]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/memory.db"


# --- C1: increments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("durability", "count"), [("full", 2_500), ("normal", 10_000)])
def test_c1_increments_of_eight_processes_all_count(
    url: str, durability: str, count: int, scale: Callable[[int], int], record_property: Note
) -> None:
    url, count = f"{url}?durability={durability}", scale(count)
    began = time.perf_counter()
    longest = max(run_in_processes(processes.increment, [(url, count)] * WRITERS))
    record_property("increments per second", round(WRITERS * count / (time.perf_counter() - began)))
    record_property("longest wait, ms", round(longest * 1000))
    print(f"{durability}: {WRITERS * count} increments, the longest wait {longest * 1000:.0f} ms")
    assert Memory("crowd", url).get("number") == WRITERS * count
    assert longest < 5, "a writer starves"


def test_c1_control_get_and_set_of_eight_processes_loses_updates(url: str) -> None:
    run_in_processes(processes.get_and_set, [(url, 50)] * WRITERS)
    assert Memory("crowd", url).get("number") < WRITERS * 50


def test_d17_eight_processes_open_a_brand_new_file_at_once(tmp_path: Path, scale: Callable[[int], int]) -> None:
    urls = [f"sqlite:///{tmp_path}/{number}/memory.db" for number in range(scale(100))]
    names = [f"writer {number}" for number in range(WRITERS)]
    versions = run_in_processes(processes.write_first, [(urls, name) for name in names])
    assert versions == [[1] * len(urls)] * WRITERS
    for url in urls:
        with Memory("crowd", url) as memory:
            assert memory.get_many(names) == dict(zip(names, names, strict=True))


# --- C2: a writer that does not let go -----------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_c2_a_writer_behind_a_stopped_one_is_told_in_time_and_goes_on_after_it(url: str) -> None:
    timeout = 1.0
    memory = Memory("crowd", url, timeout)
    memory.set("number", 0)
    with (
        talking_to(processes.increment_for_others, url, 30.0) as (_, other, _),
        talking_to(processes.hold_the_lock, url) as (holder, connection, result),
    ):
        assert other.recv() == "ready"
        assert connection.recv() == "inside"
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGSTOP)
        try:
            waits: list[float] = []

            def wait() -> None:
                began = time.monotonic()
                with pytest.raises(StoreBusyError):
                    memory.increment("number")
                waits.append(time.monotonic() - began)

            threads = [threading.Thread(target=wait) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(waits) == len(threads)
            assert all(timeout * 0.9 <= waited <= timeout + 0.3 for waited in waits), waits
            assert memory.get("number") == 0, "reads wait for nobody"
            other.send(True)  # a patient writer waits in line all the while
        finally:
            os.kill(holder.pid, signal.SIGCONT)
        connection.send("end")
        assert result_of(result) >= 10
        assert other.recv() == 1
        for expected in (2, 4, 6):  # whoever gave up has not kept the lock
            assert memory.increment("number") == expected
            other.send(True)
            assert other.recv() == expected + 1
        other.send(False)
    for thread in threading.enumerate():
        if thread.name == "botwire-lock":
            thread.join(10)
            assert not thread.is_alive(), "it still waits for a lock that nobody wants"


# --- C3: compare and set -------------------------------------------------------------------------------------------


def test_c3_of_two_writes_over_the_same_version_exactly_one_wins(url: str, scale: Callable[[int], int]) -> None:
    rounds = scale(2000)
    first, second = run_in_processes(processes.compare_and_set, [(url, name, rounds) for name in ("first", "second")])
    assert [version for version, _ in first] == [version for version, _ in second] == list(range(rounds))
    both = [{one[1], other[1]} for one, other in zip(first, second, strict=True)]
    assert all(outcome == {"won", "lost"} for outcome in both)
    assert {outcome for _, outcome in first} == {"won", "lost"}, "they did not race"
    entry = Memory("crowd", url).entry("key")
    assert entry is not None
    assert entry.version == rounds


def test_c3_control_of_two_that_look_first_both_win_at_times(url: str) -> None:
    first, second = run_in_processes(processes.look_and_set, [(url, name, 300) for name in ("first", "second")])
    assert set(first) & set(second)


# --- C14: one log --------------------------------------------------------------------------------------------------


def test_c14_a_log_that_eight_processes_append_to_has_every_message_once_and_in_commit_order(
    url: str, scale: Callable[[int], int]
) -> None:
    count = scale(1000)
    run_in_processes(processes.append, [(url, f"writer {number}", count) for number in range(WRITERS)])
    memory = Memory("crowd", url)
    entries = list(memory.entries("log/"))
    assert [entry.key for entry in entries] == [f"log/{number:019}" for number in range(len(entries))]
    revisions = [entry.revision for entry in entries]
    assert revisions == sorted(revisions)
    assert len(set(revisions)) == WRITERS * count, "one revision for each append"
    for number in range(WRITERS):
        own = [entry.value[1:] for entry in entries if entry.value[0] == f"writer {number}"]
        expected = [[n] if n % 5 else [n, part] for n in range(count) for part in range(1 if n % 5 else 2)]
        assert own == expected
    assert memory.read("log") == [entry.value for entry in entries]


def test_c14_control_a_list_that_eight_processes_write_anew_loses_messages(url: str) -> None:
    run_in_processes(processes.add_to_a_list, [(url, f"writer {number}", 25) for number in range(WRITERS)])
    assert len(Memory("crowd", url).get("list")) < WRITERS * 25
