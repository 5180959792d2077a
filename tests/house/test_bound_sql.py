"""Nothing that a user gives is ever part of a statement: it is bound, in every op of both stores with SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import apsw
import pytest
from with_postgres.clusters import Cluster

from botwire_core.errors import BotWireError
from botwire_core.memory import Memory
from botwire_core.results import Retention
from botwire_core.stores.sqlite import SqliteStore
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

CANARY = "canary"
HOSTILE = f"{CANARY}'); DROP TABLE versions; --\"]"


@pytest.fixture
def statements() -> Iterator[set[str]]:
    """Every statement that any connection runs."""
    seen: set[str] = set()

    def trace(connection: apsw.Connection) -> None:
        connection.exec_trace = lambda cursor, sql, bindings: seen.add(sql) or True

    apsw.connection_hooks.append(trace)
    yield seen
    apsw.connection_hooks.remove(trace)


def use_everything(store: SqliteStore | PostgresStore) -> None:
    """Give the hostile text to every op, wherever it takes text."""
    memory = Memory(f"{CANARY}-base", store=store, author=HOSTILE)
    memory.set(HOSTILE, {HOSTILE: HOSTILE}, ttl=100)
    memory.set_many({f"{HOSTILE}/{number}": HOSTILE for number in range(40)})
    memory.append(HOSTILE, HOSTILE, {"words": HOSTILE})
    for _ in range(20):
        memory.increment(f"{HOSTILE}:n")
    with memory.transaction() as tx:
        tx.check(HOSTILE, 1)
        tx.delete(f"{HOSTILE}/1")
    assert memory.get(HOSTILE) == {HOSTILE: HOSTILE}
    assert memory.read(HOSTILE, last=1) == [{"words": HOSTILE}]
    memory.get_many([HOSTILE])
    memory.list_keys(HOSTILE, after=HOSTILE, limit=3)
    assert len(list(memory.entries(HOSTILE, reverse=True))) == 43
    assert memory.search(HOSTILE, where={HOSTILE: {"$eq": HOSTILE}})
    assert memory.search(words=HOSTILE)
    label = memory.snapshot(HOSTILE)
    fork = memory.fork(f"{CANARY}-fork", at=HOSTILE)
    fork.set(HOSTILE, HOSTILE)
    fork.append(HOSTILE, HOSTILE)
    assert fork.list_keys(HOSTILE, after=HOSTILE)
    assert memory.at(HOSTILE).get(HOSTILE)
    assert memory.at(datetime.now(UTC)).list_keys(HOSTILE)
    assert memory.diff(fork, prefix=HOSTILE)
    assert memory.merge(fork, keys=f"{HOSTILE}*".replace("]", "[]]"), strategy="theirs").written
    assert list(memory.watch(HOSTILE, since=label, timeout=0))
    assert memory.history(HOSTILE)
    memory.restore(HOSTILE, 1)
    memory.set_retention(Retention(1))
    file = BytesIO()
    memory.export(file)
    memory.import_(BytesIO(file.getvalue()))
    whole = BytesIO()
    fork.export(whole, full=True)
    Memory(f"{CANARY}-copy", store=store).import_(BytesIO(whole.getvalue()))
    memory.delete_snapshot(HOSTILE)
    memory.expire(HOSTILE, None)
    memory.stats()
    assert memory.purge(HOSTILE).keys
    memory.clear(HOSTILE)
    with pytest.raises(BotWireError):
        memory.at(f"{HOSTILE} absent")
    fork.drop()
    memory.drop()
    store.sweep()
    store.health()
    store.close()


def test_no_statement_holds_what_a_user_gave(tmp_path: Path, statements: set[str]) -> None:
    use_everything(SqliteStore(tmp_path / "memory.db"))
    assert len(statements) > 20
    assert [sql for sql in statements if CANARY in sql] == []


@pytest.mark.parametrize("prepared", ["on", "off"])
def test_no_statement_that_reaches_postgresql_holds_what_a_user_gave(
    start_cluster: Callable[..., Cluster], prepared: str
) -> None:
    """By the server's own log of all statements, from which only the bound values are left out."""
    logged = {"log_statement": "all", "log_parameter_max_length": "0", "log_parameter_max_length_on_error": "0"}
    cluster = start_cluster(settings=logged)
    use_everything(open_url(cluster.url(prepared=prepared)))
    assert cluster.log.count("INSERT INTO") > 20
    assert cluster.log.count("FOR UPDATE") > 20
    # What a row that is there already has in it is told with the error, as the detail of it.
    lines = [line for line in cluster.log.splitlines() if "DETAIL:" not in line]
    assert [line for line in lines if CANARY in line] == []
