"""C5: a process that forks while it has connections; parent and child both go on, each with its own."""

from __future__ import annotations

import asyncio
import os
import threading
import traceback
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from with_postgres.servers import Database

from botwire_core.codec import encode
from botwire_core.protocol import Append, Get, Increment, ReadLog, Set
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Run = Any  # `Running` of conftest

ROUNDS = 20


def in_child(work: Callable[[], object]) -> None:
    """Run something in a forked child; an AssertionError with what it said if it failed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            os.write(writing, b"done")
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        text = said.read()
    os.waitpid(child, 0)
    assert text == b"done", text.decode()


def sessions(postgres: Database) -> set[int]:
    found = postgres.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'botwire'"
    )
    return {pid for (pid,) in found}


@pytest.mark.parametrize("colour", ["run", "arun"])
def test_c5_a_child_uses_connections_of_its_own_and_leaves_its_parents_alone(
    postgres: Database, fresh_schema: Callable[[], str], run: Run, colour: str
) -> None:
    store = open_url(fresh_schema())
    for number in range(1, 4):
        assert run(store, Increment("space", "n")) == number
    before = sessions(postgres)
    assert before

    def work() -> None:
        for number in range(4, 4 + ROUNDS):
            assert use(store, colour, Increment("space", "n")) == number
            assert use(store, colour, Get("space", "n")) == number
        if colour == "run":  # the other one has closed its own
            assert sessions(postgres) > before

    in_child(work)
    assert run(store, Get("space", "n")) == 3 + ROUNDS
    assert run(store, Set("space", "n", encode(0))) == 4 + ROUNDS
    assert before <= sessions(postgres), "the child has closed a connection of its parent"
    store.close()


def use(store: PostgresStore, colour: str, op: Any) -> Any:
    """Run an op in a process that has no event loop yet."""

    async def once() -> Any:
        try:
            return await store.arun(op)
        finally:
            await store.aclose()

    return asyncio.run(once()) if colour == "arun" else store.run(op)


def test_c5_a_fork_in_the_middle_of_what_other_threads_write_harms_neither(fresh_schema: Callable[[], str]) -> None:
    done = threading.Event()
    told: list[str] = []
    failed: list[BaseException] = []

    def write() -> None:
        try:
            while not done.is_set():
                told.extend(store.run(Append("space", "log", (encode(len(told)),))))
        except BaseException as error:
            failed.append(error)

    with closing(open_url(fresh_schema())) as store:
        store.run(Append("other", "log", (encode(0),)))
        thread = threading.Thread(target=write)
        thread.start()
        try:
            for number in range(1, 6):
                in_child(lambda: store.run(Append("other", "log", (encode(0),))))
                assert len(store.run(ReadLog("other", "log"))) == number + 1
        finally:
            done.set()
            thread.join(30)
        assert not failed
        assert store.run(ReadLog("space", "log")) == list(range(len(told)))
        assert len(told) > 0
