"""Three servers over one PostgreSQL do what one would: a request once, changes without gaps, one pin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from server.events import watching
from with_postgres.fleet import Fleet, fleet

from botwire import Memory
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import scoped_namespaces


@pytest.fixture(scope="module")
def servers(fresh_schema: Callable[[], str]) -> Iterator[Fleet]:
    with fleet(fresh_schema()) as started:
        yield started


@pytest.fixture
def space(request: pytest.FixtureRequest) -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:100]


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Call all of them at the same moment, each from its own thread; their results in order."""
    start = threading.Barrier(len(calls))

    def call(one: Callable[[], Any]) -> Any:
        start.wait(30)
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_what_is_written_through_one_server_is_read_through_the_others_at_once(servers: Fleet, space: str) -> None:
    memories = [Memory(space, url) for url in servers.urls]
    for number in range(60):
        assert memories[number % 3].increment("count") == number + 1
        assert memories[(number + 1) % 3].get("count") == number + 1


def test_a_request_that_comes_to_two_servers_at_once_is_done_once(
    servers: Fleet, space: str, scale: Callable[[int], int]
) -> None:
    replayed = refused = 0
    with httpx.Client(base_url=servers.urls[0]) as first, httpx.Client(base_url=servers.urls[1]) as second:

        def asking(client: httpx.Client, race: int) -> Callable[[], httpx.Response]:
            op = {"op": "increment", "namespace": space, "key": "count", "by": 1}
            return lambda: client.post("/v1/ops", json={"ops": [op]}, headers={"Idempotency-Key": f"race-{race}"})

        races = max(100, scale(1000))
        for race in range(races):
            replies = at_once([asking(first, race), asking(second, race)])
            done = [reply for reply in replies if reply.status_code == 200]
            assert done
            assert {reply.json()["results"][0]["result"] for reply in done} == {race + 1}
            again = sum("idempotency-replayed" in reply.headers for reply in done)
            assert again == len(done) - 1
            for reply in replies:
                if reply.status_code != 200:
                    assert (reply.status_code, reply.json()["retryable"]) == (409, True)
                    assert int(reply.headers["retry-after"]) >= 1
            replayed += again
            refused += 2 - len(done)
        assert asking(second, 0)().json()["results"][0]["result"] == 1
    assert replayed + refused == races
    assert Memory(space, servers.urls[2]).get("count") == races


def test_a_key_that_was_used_for_something_else_at_another_server_is_refused(servers: Fleet, space: str) -> None:
    headers = {"Idempotency-Key": f"{space}-other"}
    assert httpx.put(f"{servers.urls[0]}/memory/{space}/k", json={"value": 1}, headers=headers).status_code == 200
    reply = httpx.put(f"{servers.urls[1]}/memory/{space}/k", json={"value": 2}, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_conflict")
    assert Memory(space, servers.urls[2]).get("k") == 1


def test_of_writers_who_expect_the_same_version_at_different_servers_one_wins(
    servers: Fleet, space: str, scale: Callable[[int], int]
) -> None:
    clients = [httpx.Client(base_url=url) for url in servers.urls]

    def setting(number: int, version: int) -> Callable[[], int]:
        path, headers = f"/memory/{space}/k", {"If-Match": f'"{version}"'}
        return lambda: clients[number].put(path, json={"value": number}, headers=headers).status_code

    clients[0].put(f"/memory/{space}/k", json={"value": None})
    for version in range(1, max(30, scale(300))):
        assert sorted(at_once([setting(number, version) for number in range(3)])) == [200, 412, 412]
    for client in clients:
        client.close()


def test_a_watcher_at_one_server_sees_what_is_written_through_the_others_without_gaps(
    servers: Fleet, space: str, scale: Callable[[int], int]
) -> None:
    moved_often = threading.Event()

    def write(number: int) -> int:
        turn = 0
        with Memory(space, servers.urls[number]) as memory:
            while turn < scale(500) or not moved_often.is_set():
                memory.set(f"{number}-{turn}", turn)
                turn += 1
        return turn

    seen: dict[str, list[int]] = {"1": [], "2": []}
    pages = 0

    def see_a_page_after(revision: int) -> int:
        # Each at another server than the last: what was told up to is known everywhere.
        nonlocal pages
        pages += 1
        with watching(servers.urls[pages % 3], space, since=0, last_id=revision) as events:
            reached, changes = events.changes()
        assert reached > revision
        for key, value in changes:
            seen[key.partition("-")[0]].append(value)
        return reached

    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write, number) for number in (1, 2)]
        revision = 0
        while pages < 6:
            revision = see_a_page_after(revision)
        moved_often.set()
        written = [one.result() for one in writing]
    while revision < sum(written):
        revision = see_a_page_after(revision)
    assert [seen[number] for number in "12"] == [list(range(count)) for count in written]


def test_the_first_use_of_an_experiment_at_three_servers_at_once_has_one_pin(
    servers: Fleet, space: str, scale: Callable[[int], int]
) -> None:
    memories = [Memory(space, url) for url in servers.urls]
    memories[0].set("step", 0)

    def using(memory: Memory, variant: str, experiment: str) -> Callable[[], Any]:
        def use() -> Any:
            with scope(variant=variant, run_id=f"{experiment}-{variant}", experiment=experiment):
                return memory.get("step")

        return use

    with scope_policy(isolation="run"):
        for race in range(1, max(20, scale(200))):
            found = at_once(
                [
                    *(using(memory, f"v{number}", f"e{race}") for number, memory in enumerate(memories)),
                    lambda race=race: memories[race % 3].set("step", race),  # type: ignore[misc]
                ]
            )
            assert len(set(found[:3])) == 1
            places = [one for one in scoped_namespaces(memories[0].store) if one.scope.experiment == f"e{race}"]
            assert len(places) == 3
            assert len({(one.seed_revision, one.pin) for one in places}) == 1
