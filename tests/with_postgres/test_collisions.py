"""P5: transactions that collide with somebody else's are done again, as long as the deadline lets them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from with_postgres.installation import until
from with_postgres.servers import Database
from with_postgres.sessions import lock_of, other_session, schema_of, somebody_waits

from botwire_core.codec import encode
from botwire_core.errors import StoreBusyError, StoreUnavailableError
from botwire_core.protocol import Append, Get, GetEntry, Op, Set, Transact
from botwire_core.service import Request, Serve
from botwire_core.store import Store
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Run = Callable[[Store, Op[Any]], Any]
Begin = Callable[..., "Future[Any]"]

ONE, TWO = encode(1), encode(2)
WRITES: dict[str, Op[Any]] = {
    "a statement": Set("space", "key", TWO),
    "a transaction": Transact("space", (Set("space", "key", TWO), Append("space", "log", (TWO,)))),
    "a group of requests": Serve((Request((Set("space", "key", TWO),)),)),
}
FAILS = """
CREATE SEQUENCE {schema}.tries;
CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF nextval('{schema}.tries') <= {times} THEN RAISE 'not now' USING ERRCODE = '{code}'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON {schema}.versions
    DEFERRABLE INITIALLY {when} FOR EACH ROW EXECUTE FUNCTION {schema}.fail();
"""


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest) -> Op[Any]:
    """An op that sets `key` to 2."""
    return WRITES[request.param]


def warmed(run: Run, url: str, timeout: float = 20.0) -> PostgresStore:
    """A store that has its tables, `key` at 1, and a connection at hand."""
    store = open_url(url, timeout=timeout)
    for _ in range(2):
        run(store, Set("space", "key", ONE))
    assert run(store, Get("space", "key")) == 1
    return store


@pytest.mark.parametrize("when", ["DEFERRED", "IMMEDIATE"])
@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_p5_what_the_server_undoes_is_done_again_and_once(
    postgres: Database, fresh_schema: Callable[[], str], write: Op[Any], code: str, when: str, run: Run
) -> None:
    store = warmed(run, url := fresh_schema())
    postgres.execute(FAILS.format(schema=schema_of(url), times=3, code=code, when=when))
    run(store, write)
    entry = run(store, GetEntry("space", "key"))
    assert (entry.value, entry.version) == (2, 3)
    assert postgres.execute(f"SELECT last_value FROM {schema_of(url)}.tries")[0][0] >= 4
    store.close()


def test_p5_who_collides_all_the_time_is_told_so(
    postgres: Database, fresh_schema: Callable[[], str], write: Op[Any], run: Run
) -> None:
    store = warmed(run, url := fresh_schema(), timeout=1.0)
    postgres.execute(FAILS.format(schema=schema_of(url), times=1_000_000, code="40001", when="DEFERRED"))
    began = time.monotonic()
    with pytest.raises(StoreBusyError, match="others wrote"):
        run(store, write)
    assert time.monotonic() - began < 2.5
    assert postgres.execute(f"SELECT last_value FROM {schema_of(url)}.tries")[0][0] < 200
    entry = run(store, GetEntry("space", "key"))
    assert (entry.value, entry.version) == (1, 2)
    store.close()


def test_p5_a_statement_that_cannot_be_serialized_is_done_again(
    postgres: Database, fresh_schema: Callable[..., str], run: Run, begin: Begin
) -> None:
    url = fresh_schema(options="-c default_transaction_isolation=serializable")
    store = warmed(run, url)
    with other_session(postgres) as other:
        other.execute(f"UPDATE {schema_of(url)}.spaces SET keep_versions = 99 WHERE name = 'space'")
        written = begin(run, store, WRITES["a statement"])
        until(lambda: somebody_waits(postgres), "the store waits for the other one")
        other.commit()
        assert written.result(20) == 3
    assert run(store, Get("space", "key")) == 2
    store.close()


def test_p5_a_deadlock_with_somebody_else_is_solved_by_doing_ours_again(
    postgres: Database, fresh_schema: Callable[[], str], run: Run, begin: Begin
) -> None:
    store = warmed(run, url := fresh_schema())
    names = ("a", "b")
    group = Serve(tuple(Request((Append(name, "log", (ONE,)),)) for name in names))
    run(store, group)
    with other_session(postgres) as other:
        other.execute(lock_of(url, "b"))
        written = begin(run, store, group)
        until(lambda: somebody_waits(postgres), "the store waits for the other one")
        other.execute(lock_of(url, "a"))  # which the store has: it gives way, and this goes on
        other.commit()
        assert [reply.outcomes[0].error for reply in written.result(20)] == [None, None]
    for name in names:
        assert run(store, GetEntry(name, "log/" + f"{1:019d}")).version == 1
        assert run(store, GetEntry(name, "log/" + f"{2:019d}")) is None
    store.close()


def test_p5_a_set_that_is_done_stays_done_whatever_is_in_the_way_of_letting_old_versions_go(
    postgres: Database, fresh_schema: Callable[[], str], run: Run
) -> None:
    store = warmed(run, url := fresh_schema(), timeout=0.5)
    with other_session(postgres) as other:
        other.execute(f"SELECT 1 FROM {schema_of(url)}.versions FOR UPDATE")  # the first two, which go at 80
        waited = []
        for version in range(3, 82):
            began = time.monotonic()
            assert run(store, Set("space", "key", TWO)) == version
            waited.append(time.monotonic() - began)
        assert max(waited) > 0.4, "control: it was in the way"
    assert run(store, GetEntry("space", "key")).version == 81
    store.close()


def test_p5_a_transaction_that_the_server_undid_is_no_success_though_its_commit_raised_nothing(
    fresh_schema: Callable[[], str],
) -> None:
    store = warmed(PostgresStore.run, fresh_schema())
    with pytest.raises(StoreUnavailableError), store.grouped(["space"]):
        store.run(Set("space", "key", TWO))
        with suppress(psycopg.Error):
            store._database.every("SELECT 1 / 0")
    assert store.run(Get("space", "key")) == 1
    store.close()
