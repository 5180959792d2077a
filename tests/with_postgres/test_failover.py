"""P1, P11: a primary that is killed, and the standby that takes its place."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection

import pytest
from stress.crowd import heard, result_of, talking_to
from with_postgres.clusters import Cluster, url_of_all
from with_postgres.writers import Told, write_for_others

from botwire_core.errors import StoreReadOnlyError
from botwire_core.memory import Memory
from botwire_postgres.url import open_url

Start = Callable[..., Cluster]
Talk = tuple[Connection, Connection]

NAMESPACES = [["one", "two"], ["three", "four"]]
FAILOVERS = 10
MOST_OUTAGE = 2.0  # seconds


def ask_all(talks: list[Talk], question: tuple[str, object]) -> list[float]:
    """What each process answers to a question that was put to all of them."""
    for talk, _ in talks:
        talk.send(question)
    return [heard(*talk) for talk in talks]


def fail_over(first: Cluster, second: Cluster) -> tuple[float, dict[str, Told]]:
    """Kill the first under load, and promote the second; the seconds until all went on, and what they were told."""
    with ExitStack() as stack:
        talks: list[Talk] = []
        for namespaces in NAMESPACES:
            work = talking_to(write_for_others, url_of_all([first, second]), 20.0, namespaces)
            _, talk, result = stack.enter_context(work)
            talks.append((talk, result))
        ask_all(talks, ("wait_for", 30))
        first.kill()
        began = time.monotonic()
        second.promote()
        outage = max(ask_all(talks, ("resumed", began))) - began
        for talk, _ in talks:
            talk.send("stop")
        told: dict[str, Told] = {}
        for _, result in talks:
            told.update(result_of(result))
    return outage, told


def lost_on(cluster: Cluster, told: dict[str, Told]) -> int:
    """How many acknowledged writes are not there; every other difference is an AssertionError."""
    store = open_url(cluster.url())
    try:
        return sum(len(one.lost(Memory(namespace, store=store))) for namespace, one in told.items())
    finally:
        store.close()


def test_p1_a_standby_takes_over_without_losing_what_was_acknowledged(
    start_cluster: Start, scale: Callable[[int], int]
) -> None:
    primary = start_cluster("first")
    standby = primary.standby("second", synchronous=True)
    outages, writes = [], 0
    for number in range(count := scale(FAILOVERS)):
        outage, told = fail_over(primary, standby)
        assert lost_on(standby, told) == 0
        outages.append(outage)
        writes += sum(len(one.done) for one in told.values())
        standby.execute("DROP SCHEMA botwire CASCADE")
        if number + 1 < count:
            primary, standby = standby, standby.standby(f"next_{number}", synchronous=True)
    print(f"{writes} acknowledged; outages: mean {sum(outages) / count:.3f} s, longest {max(outages):.3f} s")
    assert max(outages) < MOST_OUTAGE


def test_p1_control_a_standby_that_is_not_synchronous_loses_what_was_acknowledged(start_cluster: Start) -> None:
    primary = start_cluster("first")
    with Memory("one", primary.url()) as memory:
        memory.set("first", 1)
    standby = primary.standby("second")
    standby.disconnect()
    _, told = fail_over(primary, standby)
    assert lost_on(standby, told) > 0


def test_p11_a_standby_alone_is_refused_for_reads_and_writes_alike(start_cluster: Start) -> None:
    primary = start_cluster("first", fsync=False)
    with Memory("space", primary.url()) as memory:
        memory.set("key", 1)
    standby = primary.standby("second")
    with Memory("space", standby.url(target_session_attrs="any"), 0.5) as memory:
        for use in (lambda: memory.get("key"), lambda: memory.set("key", 2), memory.list_keys):
            with pytest.raises(StoreReadOnlyError, match="name the primary"):
                use()
