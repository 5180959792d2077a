"""Three servers over one PostgreSQL know the same tokens, count the same quotas, and give away no password."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from server.granting import Desk, give
from with_postgres.fleet import Fleet, fleet
from with_postgres.installation import until

from botwire import Memory
from botwire_core.connect import connect
from botwire_core.errors import ForbiddenError, UnauthorizedError
from botwire_core.service import GetUsage, RevokeToken
from botwire_core.store import Store
from botwire_core.testing import ManualClock

WRITES = 40
PASSWORD = "s3cret-of-the-database"


@pytest.fixture(scope="module")
def store_url(fresh_schema: Callable[[], str]) -> str:
    """The URL of a store, with a password that the database does not ask for."""
    return fresh_schema().replace("@", f":{PASSWORD}@", 1)


@pytest.fixture(scope="module")
def store(store_url: str) -> Iterator[Store]:
    opened = connect(store_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def token(store: Store) -> str:
    return give(store, "*:all,admin")[0]


@pytest.fixture(scope="module")
def servers(store_url: str, token: str) -> Iterator[Fleet]:
    with fleet(store_url, "--writes-per-day", str(WRITES), log=True) as started:
        yield started


def refused(url: str, token: str) -> bool:
    return httpx.get(f"{url}/memory/any/key", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_that_is_made_beside_one_server_opens_all_of_them(servers: Fleet, store: Store) -> None:
    made, _ = give(store, "shared:read,write")
    for number, url in enumerate(servers.urls):
        with Memory("shared", url, token=made) as memory:
            assert memory.get("count", 0) == number
            memory.set("count", number + 1)
            with pytest.raises(ForbiddenError):
                memory.delete("count")
    with pytest.raises(UnauthorizedError):
        Memory("shared", servers.urls[2], token="bw_user_wrong").get("count")


def test_a7_a_token_that_is_revoked_is_refused_by_every_server_within_five_seconds(
    servers: Fleet, store: Store
) -> None:
    revoked, known = give(store, "any:read")
    assert not any(refused(url, revoked) for url in servers.urls)  # so each of them remembers it
    assert store.run(RevokeToken(known.id))
    until(lambda: all(refused(url, revoked) for url in servers.urls), "all servers refuse it", patience=5)


async def test_a7_a_server_believes_what_it_knows_of_a_token_for_less_than_five_seconds(
    fresh_schema: Callable[[], str],
) -> None:
    url = fresh_schema()
    stores = [connect(one) for one in (url, f"{url}&application_name=another")]
    secret, known = give(stores[0], "any:read")
    desks = [Desk(store, clock=ManualClock()) for store in stores]
    for desk in desks:
        assert (await desk.come(secret)).id == known.id
    stores[0].run(RevokeToken(known.id))
    for desk in desks:
        desk.clock.advance(4.9)
        with pytest.raises(UnauthorizedError):
            await desk.come(secret)
    for store in stores:
        await store.aclose()


def test_no_more_is_written_through_three_servers_at_once_than_a_quota_allows(
    servers: Fleet, store: Store, token: str
) -> None:
    start = threading.Barrier(12)

    def write(number: int) -> Counter[int]:
        told: Counter[int] = Counter()
        with httpx.Client(base_url=servers.urls[number % 3], headers={"Authorization": f"Bearer {token}"}) as client:
            start.wait(30)
            for turn in range(8):
                told[client.put(f"/memory/limited/{number}-{turn}", json={"value": turn}).status_code] += 1
        return told

    with ThreadPoolExecutor(12) as pool:
        told = sum(pool.map(write, range(12)), Counter[int]())
    assert told == {200: WRITES, 429: 12 * 8 - WRITES}
    assert store.run(GetUsage("limited")).writes_today == WRITES
    with Memory("limited", servers.url, token=token) as memory:
        assert len(memory.list_keys()) == WRITES


def test_what_is_left_of_a_quota_is_the_same_at_every_server(servers: Fleet, token: str) -> None:
    left = []
    for turn in range(9):
        headers = {"Authorization": f"Bearer {token}"}
        reply = httpx.put(f"{servers.urls[turn % 3]}/memory/counted/key", json={"value": turn}, headers=headers)
        left.append(int(reply.headers["ratelimit-remaining"]))
    assert left == list(range(WRITES - 1, WRITES - 10, -1))


def test_forks_and_appends_through_other_servers_count_against_the_same_root(
    servers: Fleet, store: Store, token: str
) -> None:
    first, second, third = (Memory("root", url, token=token) for url in servers.urls)
    first.append("log", *range(5))
    second.fork("root@fork")
    with Memory("root@fork", servers.urls[2], token=token) as fork:
        fork.append("log", 5, 6)
    assert store.run(GetUsage("root")).writes_today == 7
    assert third.read("log") == [0, 1, 2, 3, 4]


@pytest.mark.skipif(sys.platform == "win32", reason="there a process cannot be replaced")
@pytest.mark.parametrize("option", ["--store={}", "--url {}"])
def test_a_password_that_is_given_as_an_argument_is_gone_from_the_command_line_before_anybody_is_served(
    store_url: str, option: str
) -> None:
    command = [sys.executable, "-m", "botwire", "serve", "--port", "0", *option.format(store_url).split()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "listening on" in process.stderr.readline()
            assert psutil.Process(process.pid).cmdline() == [*command[:6]]
        finally:
            process.terminate()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_the_password_of_the_database_is_nowhere_to_be_read(servers: Fleet, store: Store, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    for member in servers:
        text = httpx.get(f"{member.url}/metrics", headers=headers).text
        assert "botwire_" in text
        told = [text, httpx.get(f"{member.url}/healthz").text, *member.said]
        told.append(" ".join(psutil.Process(member.process.pid).cmdline()))
        assert [one for one in told if PASSWORD in one] == []
    assert PASSWORD not in repr(store)
