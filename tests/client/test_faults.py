"""Over a line that loses three in ten requests or replies, and from a server that is killed: what was told is true."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from client.proxy import Losses, lossy
from client.registers import understood, use_registers
from server.processes import serving
from stress.crowd import run_in_processes
from stress.linearizable import Call, is_linearizable

from botwire_core.codec import encode
from botwire_core.errors import CommitUnknownError, StoreUnavailableError
from botwire_core.protocol import Append, Get, Increment, Op, ReadLog
from botwire_core.stores.http import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.config import ServerConfig
from botwire_server.testing import served

CLIENTS = 4


def counting(key: str, count: int) -> Generator[Op[Any], Any, None]:
    """Count up, once for each; where it is not known whether it was done, look before it is done again."""
    for number in range(1, count + 1):
        done = False
        while not done:
            try:
                done = (yield Increment("space", key)) == number
                assert done
            except StoreUnavailableError:
                continue
            except CommitUnknownError:
                done = yield from looked(key, number)


def looked(key: str, number: int) -> Generator[Op[Any], Any, bool]:
    while True:
        try:
            return (yield Get("space", key)) == number
        except StoreUnavailableError:
            continue


def count_up(store: HttpStore, colour: str, each: int) -> None:
    """Let four clients count, each its own key."""

    def drive(flow: Generator[Op[Any], Any, None]) -> None:
        try:
            op = next(flow)
            while True:
                try:
                    result = store.run(op)
                except (StoreUnavailableError, CommitUnknownError) as error:
                    op = flow.throw(error)
                else:
                    op = flow.send(result)
        except StopIteration:
            pass

    async def adrive(flow: Generator[Op[Any], Any, None]) -> None:
        try:
            op = next(flow)
            while True:
                try:
                    result = await store.arun(op)
                except (StoreUnavailableError, CommitUnknownError) as error:
                    op = flow.throw(error)
                else:
                    op = flow.send(result)
        except StopIteration:
            pass

    async def all_of_them() -> None:
        await asyncio.gather(*(adrive(counting(f"n{number}", each)) for number in range(CLIENTS)))

    if colour == "arun":
        asyncio.run(all_of_them())
        return
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            drive(counting(f"n{number}", each))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("colour", ["run", "arun"])
def test_p12_increments_over_a_line_that_loses_three_in_ten_count_exactly(
    tmp_path: Path, colour: str, scale: Callable[[int], int]
) -> None:
    total = scale(3000)
    store = SqliteStore(tmp_path / "memory.db")
    losses = Losses()
    with served(store, ServerConfig(log_requests=False)) as url, lossy(url, losses) as line:
        client = HttpStore(line, dice=lambda: random.random() / 20)  # the pauses of an impatient client
        count_up(client, colour, total // CLIENTS)
        client.close()
    assert sum(store.run(Get("space", f"n{number}")) for number in range(CLIENTS)) == total
    store.close()
    assert min(losses.requests, losses.replies) > total // 20
    assert losses.passed >= total


def test_p12_control_without_keys_the_same_increments_are_counted_too_often(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    losses = Losses()
    with served(store, ServerConfig(log_requests=False)) as url, lossy(url, losses, keys=False) as line:
        client = HttpStore(line, sleep=lambda seconds: None)
        for _ in range(100):
            try:
                client.run(Increment("space", "n"))
            except (StoreUnavailableError, CommitUnknownError):
                continue
        client.close()
    assert store.run(Get("space", "n")) > 105
    store.close()


def test_c4_what_four_processes_do_over_a_line_that_loses_is_linearizable(
    tmp_path: Path, scale: Callable[[int], int]
) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    count = scale(2000)
    with served(store, ServerConfig(log_requests=False)) as url, lossy(url, losses := Losses(), 0.1) as line:
        told = run_in_processes(use_registers, [(line, seed, count, 8) for seed in range(CLIENTS)])
    store.close()
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in (call for one in told for call in understood(one)):
        calls[call.key].append(call)
    assert sum(map(len, calls.values())) > CLIENTS * count * 0.8
    assert losses.replies > 0
    assert [key for key, of_key in sorted(calls.items()) if not is_linearizable(of_key)] == []


def test_d5_clients_of_a_server_that_is_killed_are_told_in_time_and_nothing_told_is_lost(
    tmp_path: Path, scale: Callable[[int], int]
) -> None:
    database = tmp_path / "memory.db"
    patience = 5.0
    done: dict[str, list[int]] = defaultdict(list)
    maybe: set[tuple[str, int]] = set()
    slowest = [0.0]

    def work(url: str, log: str, acknowledged: threading.Semaphore) -> None:
        client = HttpStore(url, timeout=patience)
        while True:
            number = len(done[log]) + sum(1 for one, _ in maybe if one == log)
            started = time.monotonic()
            try:
                client.run(Append("space", log, (encode(number),)))
            except (StoreUnavailableError, CommitUnknownError) as error:
                if isinstance(error, CommitUnknownError):
                    maybe.add((log, number))
                break
            finally:
                slowest[0] = max(slowest[0], time.monotonic() - started)
            done[log].append(number)
            acknowledged.release()
        client.close()

    for _ in range(scale(50)):
        acknowledged = threading.Semaphore(0)
        with serving(database) as (process, url):
            threads = [threading.Thread(target=work, args=(url, f"log{n}", acknowledged)) for n in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for _ in range(random.randint(1, 100)):
                assert acknowledged.acquire(timeout=30)
            process.kill()
            for thread in threads:
                thread.join(patience + 10)
                assert not thread.is_alive(), "a client hangs, though its server is gone"
        store = SqliteStore(database)
        for log, numbers in done.items():
            kept = store.run(ReadLog("space", log))
            assert kept == sorted(set(kept)), "something was done twice"
            assert set(numbers) <= set(kept) <= set(numbers) | {number for one, number in maybe if one == log}
        store.close()
    assert slowest[0] < patience + 1
