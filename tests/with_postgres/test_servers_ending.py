"""Servers that are killed, or told to stop, under load: clients go on at another one, and nothing told is lost."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest
from server.raw import connected, request
from with_postgres.fleet import Fleet, fleet

from botwire import Memory

CLIENTS = 6


@pytest.fixture(scope="module")
def servers(fresh_schema: Callable[[], str]) -> Iterator[Fleet]:
    """Three servers, all of which run at the start and the end of each test."""
    with fleet(fresh_schema()) as started:
        yield started


class Load:
    """Clients on threads of their own, each of which counts up a key until it is told to stop."""

    def __init__(self, count: Callable[[int, Callable[[], bool], Callable[[], None]], int]) -> None:
        self._count = count
        self._stop = threading.Event()
        self._done = threading.Semaphore(0)
        self.told: dict[int, int] = {}
        """How far each was told that it has counted."""
        self.failed: list[BaseException] = []

    def wait_for(self, steps: int) -> None:
        for _ in range(steps):
            assert self._done.acquire(timeout=60), self.failed
            assert not self.failed

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
        assert not self.failed, self.failed
        assert len(self.told) == CLIENTS

    def _run(self, number: int) -> None:
        try:
            self.told[number] = self._count(number, self._stop.is_set, self._done.release)
        except BaseException as error:
            self.failed.append(error)
            self._done.release()


def test_a_key_that_was_used_at_a_server_that_is_killed_is_replayed_by_another(
    servers: Fleet, scale: Callable[[int], int]
) -> None:
    op = {"op": "increment", "namespace": "replayed", "key": "count", "by": 1}
    for number in range(1, scale(30) + 1):
        headers = {"Idempotency-Key": str(uuid4())}
        first = servers[number % 3]
        before = httpx.post(f"{first.url}/v1/ops", json={"ops": [op]}, headers=headers)
        assert before.json()["results"][0]["result"] == number
        first.kill()
        for other in (servers[(number + 1) % 3], servers[(number + 2) % 3]):
            again = httpx.post(f"{other.url}/v1/ops", json={"ops": [op]}, headers=headers)
            assert (again.status_code, again.json()) == (200, before.json())
            assert again.headers["idempotency-replayed"] == "true"
        first.launch().wait()


def test_a_request_that_a_killed_server_did_not_answer_is_done_once_by_whoever_is_asked_next(
    servers: Fleet, scale: Callable[[int], int]
) -> None:
    body = b'{"ops":[{"op":"increment","namespace":"unanswered","key":"count","by":1}]}'
    for number in range(1, scale(40) + 1):
        key = f"Idempotency-Key: {uuid4()}"
        first, other = servers[number % 3], servers[(number + 1) % 3]
        with connected(first.url) as connection:
            connection.sendall(request("POST", "/v1/ops", key, body=body))
            if random.random() < 0.5:
                connection.recv(1)  # so it was done
            first.process.kill()
        name, _, value = key.partition(": ")
        headers = {name: value, "Content-Type": "application/json"}
        reply = httpx.post(f"{other.url}/v1/ops", content=body, headers=headers)
        assert reply.json()["results"][0]["result"] == number
        first.kill()
        first.launch().wait()


@pytest.mark.parametrize("method", ["increment", "append"])
def test_clients_of_a_server_that_is_killed_go_on_at_another_and_nothing_told_is_lost(
    servers: Fleet, method: str, scale: Callable[[int], int]
) -> None:
    space = f"killed-{method}"

    def count(number: int, stop: Callable[[], bool], done: Callable[[], None]) -> int:
        with Memory(space, servers.url_from(number % 3)) as memory:
            for step in itertools.count(1):
                if method == "increment":
                    assert memory.increment(f"n{number}") == step
                else:
                    assert memory.append(f"n{number}", step) == [f"n{number}/{step - 1:019d}"]
                done()
                if stop():
                    return step
        raise AssertionError("it is told to stop")

    load = Load(count)
    with load.running():
        for kill in range(scale(20)):
            load.wait_for(random.randint(50, 150))
            member = servers[kill % 3]
            member.kill()
            load.wait_for(50)
            member.launch().wait()
    with Memory(space, servers.url) as memory:
        for number, step in load.told.items():
            if method == "increment":
                assert memory.get(f"n{number}") == step
            else:
                assert memory.read(f"n{number}") == list(range(1, step + 1))


def test_rolling_restarts_under_load_lose_nothing_and_refuse_at_most_with_503(
    servers: Fleet, scale: Callable[[int], int]
) -> None:
    statuses: Counter[int] = Counter()
    counting = threading.Lock()

    def count(number: int, stop: Callable[[], bool], done: Callable[[], None]) -> int:
        with httpx.Client(timeout=20) as client:
            urls = itertools.cycle(servers.url_from(number % 3).split(","))
            url = next(urls)
            for step in itertools.count(1):
                op = {"op": "increment", "namespace": "rolling", "key": f"n{number}", "by": 1}
                headers = {"Idempotency-Key": str(uuid4())}
                while True:
                    try:
                        reply = client.post(f"{url}/v1/ops", json={"ops": [op]}, headers=headers)
                    except httpx.TransportError:
                        url = next(urls)
                        continue
                    with counting:
                        statuses[reply.status_code] += 1
                    if reply.status_code == 200:
                        break
                    url = next(urls)
                assert reply.json()["results"][0]["result"] == step
                done()
                if stop():
                    return step
        raise AssertionError("it is told to stop")

    load = Load(count)
    with load.running():
        for turn in range(3 * scale(10)):
            member = servers[turn % 3]
            load.wait_for(50)
            assert member.stop() == 0
            load.wait_for(20)
            member.launch().wait()
    assert set(statuses) <= {200, 409, 503}
    assert statuses[200] > 200
    with Memory("rolling", servers.url) as memory:
        assert {number: memory.get(f"n{number}") for number in range(CLIENTS)} == load.told
    assert [line for member in servers for line in member.said if "listening on" not in line] == []


def test_a_watcher_of_a_server_that_is_killed_goes_on_at_another_without_gaps(
    servers: Fleet, scale: Callable[[int], int]
) -> None:
    rounds = scale(20)
    with Memory("watched", servers.url) as watcher, Memory("watched", servers.url_from(2)) as writer:
        changes = watcher.watch(since=0)
        for turn in range(rounds):
            writer.set("n", 2 * turn)
            assert next(changes).entry.value == 2 * turn
            member = servers[turn % 3]  # the one that is watched, which goes on at the next
            member.kill()
            writer.set("n", 2 * turn + 1)
            assert next(changes).entry.value == 2 * turn + 1
            member.launch().wait()
