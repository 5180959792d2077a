"""What stands between a store and its server: a line that loses things, and a pooler."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest
from with_postgres.clusters import Cluster
from with_postgres.cutter import Cutter
from with_postgres.installation import until
from with_postgres.pooler import Pooler
from with_postgres.servers import Database


@pytest.fixture
def table(postgres: Database, fresh_schema: Callable[[], str]) -> str:
    """A table with one column, empty."""
    schema = fresh_schema().rpartition("=")[2]
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE {schema}.numbers (n int)")
    return f"{schema}.numbers"


@pytest.fixture
def line(postgres: Database) -> Cutter:
    return Cutter(postgres.server)


def rows(postgres: Database, table: str) -> list[tuple[int]]:
    return postgres.execute(f"SELECT n FROM {table} ORDER BY n")


def test_a_line_passes_everything_on_and_counts(postgres: Database, table: str, line: Cutter) -> None:
    with line, psycopg.connect(line.url(postgres.name)) as connection:
        assert connection.info.port == line.port
        with connection.cursor(binary=True) as cursor, connection.pipeline():
            cursor.executemany(f"INSERT INTO {table} VALUES (%s)", [(n,) for n in range(100)])
        big = "x" * 3_000_000
        assert connection.execute("SELECT %s", [big]).fetchone() == (big,)
    assert len(rows(postgres, table)) == 100
    assert min(line.sent, line.received) > 3_000_000
    assert line.connections == 1
    assert (line.losses.requests, line.losses.replies) == (0, 0)
    assert line.losses.passed > 2


@pytest.mark.parametrize("prepare", [False, True])
def test_a_lost_reply_is_to_a_statement_that_was_committed(
    postgres: Database, table: str, line: Cutter, prepare: bool
) -> None:
    with line, psycopg.connect(line.url(postgres.name), autocommit=True) as connection:
        connection.execute(f"INSERT INTO {table} VALUES (%s)", [1], prepare=prepare)
        lost = line.lose_reply("INSERT")
        with pytest.raises(psycopg.OperationalError):
            connection.execute(f"INSERT INTO {table} VALUES (%s)", [2], prepare=prepare)
        assert lost.is_set()
    assert rows(postgres, table) == [(1,), (2,)]
    assert line.losses.replies == 1


@pytest.mark.parametrize("reply", [False, True])
def test_a_commit_is_lost_before_or_after_it_is_done(postgres: Database, table: str, line: Cutter, reply: bool) -> None:
    with line:
        connection = psycopg.connect(line.url(postgres.name))
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        lost = line.lose_reply("COMMIT") if reply else line.lose_request("COMMIT")
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
        connection.close()
    assert lost.is_set()
    assert rows(postgres, table) == ([(1,)] if reply else [])


def test_a_line_loses_as_often_as_it_is_told(postgres: Database, table: str, line: Cutter) -> None:
    told: list[int] = []
    with line:
        line.chance = 0.3
        for number in range(100):
            try:
                with psycopg.connect(line.url(postgres.name), autocommit=True) as connection:
                    connection.execute(f"INSERT INTO {table} VALUES (%s)", [number])
            except psycopg.OperationalError:
                continue
            told.append(number)
    kept = {number for (number,) in rows(postgres, table)}
    assert kept >= set(told)
    assert len(told) + line.losses.requests + line.losses.replies == 100
    assert len(kept) == len(told) + line.losses.replies
    assert min(line.losses.requests, line.losses.replies) > 5


def test_what_is_held_arrives_when_it_is_released(postgres: Database, table: str, line: Cutter) -> None:
    with line, psycopg.connect(line.url(postgres.name), autocommit=True) as connection:
        for requests in (True, False):
            line.hold(requests=requests)
            thread = threading.Thread(target=connection.execute, args=(f"INSERT INTO {table} VALUES (1)",))
            thread.start()
            thread.join(0.2)
            assert thread.is_alive(), "it was answered, though nothing passes"
            assert bool(rows(postgres, table)) is not requests
            line.release()
            thread.join(10)
            assert not thread.is_alive()
            postgres.execute(f"TRUNCATE {table}")


def test_a_line_that_is_cut_ends_what_runs_and_takes_new_connections(postgres: Database, line: Cutter) -> None:
    with line:
        with psycopg.connect(line.url(postgres.name), autocommit=True) as connection:
            line.cut()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        line.refusing = True
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(line.url(postgres.name))
        line.refusing = False
        psycopg.connect(line.url(postgres.name)).close()


def test_a_statement_is_cancelled_over_a_line(postgres: Database, line: Cutter) -> None:
    with line, psycopg.connect(line.url(postgres.name), autocommit=True) as connection:
        number = connection.info.backend_pid
        sleeps = "SELECT 1 FROM pg_stat_activity WHERE (pid, wait_event) = (%s, 'PgSleep')"

        def cancel() -> None:
            until(lambda: postgres.execute(sleeps, [number]), "the statement runs")
            connection.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        thread.join()


def test_a_line_to_a_server_that_is_down_cuts_at_once(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(fsync=False)
    with Cutter(cluster) as line:
        psycopg.connect(line.url()).close()
        cluster.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(line.url())


def test_a_pooler_gives_each_transaction_any_session(postgres: Database, start_pooler: Callable[..., Pooler]) -> None:
    pooler = start_pooler(postgres.server, size=1)
    url = pooler.url(postgres.name)
    with psycopg.connect(url) as one, psycopg.connect(url) as two:
        one.execute("SELECT set_config('application_name', 'left behind', false)")
        one.commit()
        seen = two.execute("SELECT pg_backend_pid(), current_setting('application_name')").fetchone()
        assert seen is not None
        assert seen[0] not in (one.info.backend_pid, two.info.backend_pid)
        assert seen[1] == "left behind", "control: what a session is left with, another client has"
