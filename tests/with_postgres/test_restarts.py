"""P9: a database that is restarted again and again under load."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import count
from uuid import uuid4

import httpx
import pytest
from server.processes import serving
from with_postgres.clusters import Cluster
from with_postgres.writers import Writers

from botwire_core.memory import Memory
from botwire_postgres.url import open_url

Start = Callable[..., Cluster]

RESTARTS = 10
CLIENTS = 4


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_p9_writers_go_on_after_each_restart_and_nothing_acknowledged_is_lost(
    start_cluster: Start, scale: Callable[[int], int], mode: str
) -> None:
    cluster = start_cluster()
    with closing(open_url(cluster.url(), timeout=20)) as store:
        with Writers(store, ["one", "two"]) as writers:
            writers.wait_for(20)
            for _ in range(scale(RESTARTS)):
                cluster.restart(mode)
                writers.resumed(time.monotonic())
        for namespace, told in writers.told.items():
            assert told.lost(Memory(namespace, store=store)) == []
            assert told.refused == [], "a restart is shorter than the timeout, and what was not done is done again"
            assert len(told.unknown) <= scale(RESTARTS)


class Counting:
    """Clients that send each request until it is answered by 200, and never twice at the same time."""

    def __init__(self, url: str) -> None:
        self.answers: list[Counter[int]] = []
        """Of each request, how often each status came."""
        self.counted = 0
        self.reached = threading.Condition()
        self._url = url
        self._stop = False
        self._threads = [threading.Thread(target=self._work) for _ in range(CLIENTS)]

    def __enter__(self) -> Counting:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def go_on(self) -> None:
        """Wait for some more requests that are answered by 200."""
        with self.reached:
            goal = self.counted + 2 * CLIENTS
            assert self.reached.wait_for(lambda: self.counted >= goal, 60)

    def _work(self) -> None:
        body = {"ops": [{"op": "increment", "namespace": "space", "key": "n"}]}
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stop:
                headers = {"Idempotency-Key": uuid4().hex}
                answers: Counter[int] = Counter()
                for _ in count():
                    status = client.post("/v1/ops", json=body, headers=headers).status_code
                    answers[status] += 1
                    if status != 503:
                        break
                with self.reached:
                    self.answers.append(answers)
                    self.counted += 1
                    self.reached.notify_all()


def test_p9_clients_of_a_server_get_no_500_and_at_most_one_503_for_each_request(
    start_cluster: Start, scale: Callable[[int], int]
) -> None:
    cluster = start_cluster()
    with serving(cluster.url()) as (_, url):
        with Counting(url) as clients:
            clients.go_on()
            for _ in range(scale(RESTARTS)):
                cluster.restart()
                clients.go_on()
        total: Counter[int] = sum(clients.answers, Counter())
        print(f"answers by status: {dict(total)}")
        assert set(total) <= {200, 503}
        assert max(answers[503] for answers in clients.answers) <= 1
        assert httpx.get(f"{url}/memory/space/n").json()["value"] == clients.counted
