"""C1, C4, C12, C14: processes, threads and event loops that all want the same few namespaces at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest
from with_postgres.crowd import STEADY, append_or_set, work
from with_postgres.invariants import broken, schema_of
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.memory import Memory
from botwire_core.results import Retention
from botwire_postgres.url import open_url

pytestmark = pytest.mark.xdist_group("a crowd")

PROCESSES = 4
PATIENCE = 15.0  # seconds, on a machine that does something else as well


def processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn"))


def test_c1_c14_nothing_is_lost_or_told_wrongly_and_nothing_is_left_over(
    fresh_schema: Callable[..., str],
    postgres: Database,
    scale: Callable[[int], int],
    record_property: Callable[[str, object], None],
) -> None:
    url = fresh_schema(pool=6)
    store = open_url(url)
    store.run(p.SetRetention(STEADY, Retention(1, 0)))
    with processes() as pool:
        running = [pool.submit(work, url, seed, scale(400)) for seed in range(PROCESSES)]
        reports = [one.result() for one in running]
    slowest = max(report.slowest for report in reports)
    done = sum(report.done for report in reports)
    record_property("done", done)
    record_property("refused", sum(report.refused for report in reports))
    record_property("slowest_seconds", slowest)
    assert [line for report in reports for line in report.failed] == []
    memory = Memory(STEADY, store=store)
    assert memory.get("count") == sum(report.increments for report in reports)
    swapped = memory.entry("swapped")
    assert (swapped.version if swapped else 0) == sum(report.swapped for report in reports)
    log = memory.read("log")
    appended = [actor for report in reports for actor in report.appended]
    assert sorted(log) == sorted(text for actor in appended for text in actor)
    for actor in appended:  # each one's own order, among those of the others
        mine = set(actor)
        assert [text for text in log if text in mine] == actor
    assert [int(key[-19:]) for key in memory.list_keys("log/")] == list(range(len(log)))
    assert broken(postgres, url) == {}
    for info in store.run(p.ListNamespaces()):
        if info.name != STEADY:
            store.run(p.Drop(info.name))
    store.sweep()
    left = postgres.execute(f"SELECT count(*), count(name) FROM {schema_of(url)}.spaces")
    assert left == [(1, 1)], "something stays for ever"
    assert broken(postgres, url) == {}
    assert slowest < PATIENCE
    store.close()


def test_revisions_are_dense_where_nothing_was_ever_let_go(
    fresh_schema: Callable[..., str], postgres: Database, scale: Callable[[int], int]
) -> None:
    url = fresh_schema()
    open_url(url).run(p.ListNamespaces())
    with processes() as pool:
        running = [pool.submit(append_or_set, url, seed, scale(1000)) for seed in range(PROCESSES)]
        counts = [one.result() for one in running]
    found = postgres.execute(
        f"SELECT count(DISTINCT revision), min(revision), max(revision) FROM {schema_of(url)}.versions"
    )
    assert found == [(sum(counts), 1, sum(counts))]
    assert broken(postgres, url) == {}
