"""Servers that tests start themselves: what a test of the store stands on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from with_postgres.clusters import Cluster, url_of_all

Start = Callable[..., Cluster]
SHARED_MEMORY = Path("/proc/sysvipc/shm")


def test_a_cluster_answers_over_tcp_and_by_a_socket(start_cluster: Start) -> None:
    cluster = start_cluster(settings={"work_mem": "3MB"})
    for url in (cluster.url(), cluster.socket_url(), cluster.dsn(), cluster.create_database("other")):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_setting('work_mem')").fetchone() == ("3MB",)
    assert len(os.fsencode(cluster._installation.sockets / f".s.PGSQL.{cluster.port}")) < 104


def test_the_user_of_the_tests_is_no_superuser_and_can_make_a_schema(start_cluster: Start) -> None:
    cluster = start_cluster(fsync=False)
    for url in (cluster.url(), cluster.create_database("other")):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_setting('is_superuser')").fetchone() == ("off",)
            connection.execute("CREATE SCHEMA own")


def test_what_was_committed_is_there_after_each_way_to_end(start_cluster: Start) -> None:
    cluster = start_cluster()
    cluster.execute("CREATE TABLE told (way text)")
    for way in ("fast", "immediate", "kill"):
        cluster.execute("INSERT INTO told VALUES (%s)", [way])
        cluster.kill() if way == "kill" else cluster.stop(way)
        with pytest.raises(psycopg.OperationalError):
            cluster.execute("SELECT 1")
        cluster.start()
    assert cluster.execute("SELECT way FROM told") == [("fast",), ("immediate",), ("kill",)]


def test_a_killed_server_ends_all_its_sessions_at_once(start_cluster: Start) -> None:
    cluster = start_cluster()
    with psycopg.connect(cluster.url()) as connection:
        cluster.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


@pytest.mark.skipif(not SHARED_MEMORY.exists(), reason="skipped: this system does not list its shared memory")
def test_a_killed_server_leaves_no_shared_memory_behind(start_cluster: Start) -> None:
    cluster = start_cluster()
    number = (cluster.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    assert list((cluster.data / "pg_dynshmem").iterdir()), "it has more of it elsewhere"
    for left, end in ((True, cluster.kill), (False, cluster.remove)):
        end()
        assert (number in [line.split()[1] for line in SHARED_MEMORY.read_text().splitlines()]) is left


def test_a_synchronous_standby_has_all_that_its_killed_primary_acknowledged(start_cluster: Start) -> None:
    primary = start_cluster()
    primary.execute("CREATE TABLE numbers (n int)")
    standby = primary.standby(synchronous=True)
    assert primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)]
    for number in range(20):
        primary.execute("INSERT INTO numbers VALUES (%s)", [number])
    primary.kill()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.execute("INSERT INTO numbers VALUES (20)")
    standby.promote()
    standby.execute("INSERT INTO numbers VALUES (20)")
    assert standby.execute("SELECT n FROM numbers ORDER BY n") == [(number,) for number in range(21)]


def test_control_a_standby_that_is_not_synchronous_loses_what_it_did_not_receive(start_cluster: Start) -> None:
    primary = start_cluster()
    primary.execute("CREATE TABLE numbers (n int)")
    standby = primary.standby()
    primary.execute("INSERT INTO numbers VALUES (0)")
    standby.disconnect()
    primary.execute("INSERT INTO numbers VALUES (1)")
    primary.kill()
    standby.promote()
    assert (1,) not in standby.execute("SELECT n FROM numbers")


def test_a_url_of_several_servers_leads_to_the_one_that_takes_writes(start_cluster: Start) -> None:
    first = start_cluster("first")
    second = first.standby("second", synchronous=True)
    for number in range(2):
        with psycopg.connect(url_of_all([second, first], target_session_attrs="read-write")) as connection:
            assert connection.info.port == first.port
        first.execute("CREATE TABLE IF NOT EXISTS failovers (n int)")
        first.execute("INSERT INTO failovers VALUES (%s)", [number])
        first.kill()
        second.promote()
        first, second = second, second.standby(f"next_{number}", synchronous=True)
    assert second.execute("SELECT n FROM failovers") == [(0,), (1,)]
