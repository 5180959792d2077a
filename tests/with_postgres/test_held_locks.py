"""P8: a lock that somebody else holds, or a process of ours that was stopped while it held one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest
from stress.crowd import heard, result_of, talking_to
from with_postgres.holder import hold_a_transaction
from with_postgres.installation import until
from with_postgres.pooler import Pooler
from with_postgres.servers import Database
from with_postgres.sessions import lock_of, other_session, somebody_waits

from botwire_core.codec import encode
from botwire_core.errors import StoreBusyError
from botwire_core.protocol import Append, Get, Op, Set
from botwire_core.service import Request, Serve
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Run = Any  # `Running` of conftest
Begin = Callable[..., "Future[Any]"]

TWO = encode(2)
WRITES: dict[str, Op[Any]] = {
    "a statement": Set("space", "key", TWO),
    "a transaction": Append("space", "log", (TWO,)),
    "a group of requests": Serve((Request((Set("space", "key", TWO),)),)),
}
SETTING = "SELECT setting::bigint FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"


def opened(run: Run, url: str, timeout: float) -> PostgresStore:
    """A store on which somebody has used `space` already."""
    store = open_url(url, timeout=timeout)
    run(store, Set("space", "key", encode(1)))
    assert run(store, Get("space", "key")) == 1
    return store


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_p8_a_write_ends_at_its_deadline_while_somebody_holds_the_lock_and_goes_on_once_they_are_ended(
    postgres: Database, fresh_schema: Callable[[], str], write: Op[Any], run: Run, begin: Begin
) -> None:
    url = fresh_schema()
    hasty, patient = (opened(run, url, timeout) for timeout in (0.5, 20.0))
    with other_session(postgres) as other:
        other.execute(lock_of(url, "space"))
        began = time.monotonic()
        with pytest.raises(StoreBusyError, match="longer than the timeout"):
            run(hasty, write)
        assert 0.5 <= time.monotonic() - began < 1.5
        assert run(hasty, Get("space", "key")) == 1, "nothing was done, and readers do not wait"
        written = begin(run, patient, write)
        until(lambda: somebody_waits(postgres), "the other store waits")
        other.execute("SET idle_in_transaction_session_timeout = '50ms'")
        written.result(10)
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            other.execute("SELECT 1")
    for store in (hasty, patient):
        store.close()


def test_p8_a_process_that_is_stopped_in_a_transaction_blocks_others_no_longer_than_its_timeout(
    postgres: Database, fresh_schema: Callable[[], str]
) -> None:
    url = fresh_schema()
    store = opened(PostgresStore.run, url, 20.0)
    with talking_to(hold_a_transaction, url, 1.0) as (process, talk, result):
        assert heard(talk, result) == "inside"
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert store.run(Set("space", "key", TWO)) == 2
            assert time.monotonic() - began < 3
        finally:
            os.kill(process.pid, signal.SIGCONT)
        talk.send("go on")
        assert result_of(result) == "StoreUnavailableError"
    assert store.run(Get("space", "key")) == 2
    store.close()


def test_p8_a_session_of_ours_has_the_timeout_of_the_store(fresh_schema: Callable[[], str], run: Run) -> None:
    store = opened(run, fresh_schema(), 7.5)
    assert run.look(store, SETTING) == [(7500,)]
    store.close()


def test_p8_a_session_that_a_pooler_gives_to_others_too_is_left_as_it_is(
    postgres: Database, start_pooler: Callable[..., Pooler], fresh_schema: Callable[[], str], run: Run
) -> None:
    schema = fresh_schema().rpartition("=")[2]
    pooler = start_pooler(postgres.server, size=2)
    store = opened(run, pooler.url(postgres.name, schema=schema), 7.5)
    assert pooler.execute(SETTING, database=postgres.name) == [(0,)]
    assert run.look(store, SETTING) == [(0,)]
    store.close()
