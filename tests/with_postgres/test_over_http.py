"""P2, P3, P4 as clients see them: 503 and `commit_unknown`, until the same key tells what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import httpx
import pytest
from client.proxy import Losses, lossy
from server.processes import serving
from with_postgres.clusters import Cluster
from with_postgres.cutter import Cutter
from with_postgres.installation import until
from with_postgres.servers import Database

from botwire_core.errors import CommitUnknownError, StoreUnavailableError
from botwire_core.protocol import Get, Increment
from botwire_core.stores.http import HttpStore
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url
from botwire_server.testing import served

Start = Callable[..., Cluster]
Begin = Callable[..., "Future[Any]"]

CLIENTS = 4
# The store sends some eight requests for each increment, so three in ten of these are cut off somewhere.
CHANCE = 0.045


def increment(url: str, key: str) -> httpx.Response:
    """Send one increment of `n` by a client that never tries again."""
    body = {"ops": [{"op": "increment", "namespace": "space", "key": "n"}]}
    return httpx.post(f"{url}/v1/ops", json=body, headers={"Idempotency-Key": key}, timeout=60)


def test_p2_a_client_is_told_503_while_the_standby_is_down_and_the_result_once_it_is_back(
    start_cluster: Start,
) -> None:
    primary = start_cluster()
    standby = primary.standby(synchronous=True)
    with closing(PostgresStore(primary.url(), timeout=0.5)) as store, served(store) as url:
        assert increment(url, "one").json() == {"results": [{"result": 1}]}
        standby.stop("immediate")
        for _ in range(2):
            told = increment(url, "two")
            assert (told.status_code, told.json()["commit_unknown"]) == (503, True)
        standby.start()
        until(lambda: increment(url, "two").status_code == 200, "the standby has what was committed")
        again = increment(url, "two")
        assert again.json() == {"results": [{"result": 2}]}
        assert again.headers["idempotency-replayed"] == "true"
        assert increment(url, "three").json() == {"results": [{"result": 3}]}


@pytest.mark.parametrize("way", ["pg_cancel_backend", "pg_terminate_backend"])
def test_p3_a_client_is_told_503_by_a_server_whose_wait_for_the_standby_was_ended(
    start_cluster: Start, begin: Begin, way: str
) -> None:
    lonely = start_cluster(settings={"synchronous_standby_names": "nobody", "synchronous_commit": "local"})
    with closing(open_url(lonely.url())) as store:
        store.run(Increment("space", "n"))
    waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with serving(lonely.url(options="-c synchronous_commit=on")) as (_, url):
        told = begin(increment, url, "one")
        until(lambda: lonely.execute(waits), "a commit waits for the standby")
        lonely.execute(f"SELECT {way}(pid) FROM ({waits}) AS waiting")
        problem = told.result(20)
        assert (problem.status_code, problem.json()["commit_unknown"]) == (503, True)
        assert problem.json()["code"] == "commit_unknown"


def count_up(url: str, each: int) -> None:
    """Let clients count, each at a key of its own, and look where they do not know."""
    failed: list[BaseException] = []

    def work(key: str) -> None:
        store = HttpStore(url, dice=lambda: 0.05)
        number = 0
        try:
            while number < each:
                try:
                    number = store.run(Increment("space", key))
                except StoreUnavailableError:
                    continue
                except CommitUnknownError:
                    found = store.run(Get("space", key))
                    number = found if isinstance(found, int) else 0
        except BaseException as error:
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(f"n{number}",)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not failed, failed


def test_p4_increments_are_counted_once_though_three_in_ten_commits_are_cut_off(
    postgres: Database, fresh_schema: Callable[[], str], scale: Callable[[int], int]
) -> None:
    total = scale(300)
    schema = fresh_schema().rpartition("=")[2]
    with Cutter(postgres.server) as line, serving(line.url(postgres.name, schema=schema)) as (_, url):
        line.chance = CHANCE
        count_up(url, -(-total // CLIENTS))
        line.chance = 0.0
        with closing(HttpStore(url)) as store:
            counted = [store.run(Get("space", f"n{number}")) for number in range(CLIENTS)]
    assert counted == [-(-total // CLIENTS)] * CLIENTS
    assert min(line.losses.requests, line.losses.replies) > total // 20


def test_p4_control_without_keys_a_client_that_sends_again_counts_too_often(
    postgres: Database, fresh_schema: Callable[[], str]
) -> None:
    schema = fresh_schema().rpartition("=")[2]
    with (
        Cutter(postgres.server) as line,
        serving(line.url(postgres.name, schema=schema)) as (_, direct),
        lossy(direct, Losses(), 1e-9, keys=False) as url,
        closing(HttpStore(url, dice=lambda: 0.0)) as store,
    ):
        assert store.run(Increment("space", "n")) == 1
        lost = line.lose_reply("COMMIT")
        assert store.run(Increment("space", "n")) == 3
        assert lost.is_set()
