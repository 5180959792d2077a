"""P10: servers of two versions over one database, while one replaces the other."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.processes import serving
from with_postgres.servers import Database
from with_postgres.sessions import schema_of

from botwire_core.codec import encode
from botwire_core.errors import SchemaTooNewError
from botwire_core.protocol import Append, Fork, Get, Increment, ListKeys, ReadLog, Set
from botwire_core.stores.http import HttpStore
from botwire_postgres.url import open_url

Run = Any  # `Running` of conftest

PROJECT = Path(__file__).parents[2]
OWN_WHEEL = "BOTWIRE_TEST_OLD_WHEEL"  # the wheel of a release; without it, one of this tree
ROUNDS = 100
TABLES = ("about", "log_floors", "merges", "reserved", "snapshots", "spaces", "versions")


@pytest.fixture(scope="session")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has BotWire from a wheel, and all else from the one of the tests."""
    folder = tmp_path_factory.mktemp("old")
    wheel = os.environ.get(OWN_WHEEL)
    if wheel is None:
        run_quietly(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, PROJECT)
        (wheel,) = map(str, folder.glob("*.whl"))
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    run_quietly(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (own / "others.pth").write_text(sysconfig.get_path("purelib"))
    return python


def run_quietly(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving_old(python: Path, store: str) -> Iterator[str]:
    """The URL of a server of the other version."""
    where = subprocess.run(
        [python, "-c", "import botwire_server, botwire_postgres.url; print(botwire_postgres.url.__file__)"],
        capture_output=True, text=True, cwd="/", check=True,
    )  # fmt: skip
    assert str(python.parents[1]) in where.stdout, "it has BotWire from somewhere else"
    command = [python, "-m", "botwire", "serve", "--port", "0", "--no-log", "--url", store]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "listening on " in line, line + process.stderr.read()
            yield line.partition("listening on ")[2].partition(",")[0]
        finally:
            process.kill()


def increment(url: str, key: str) -> httpx.Response:
    body = {"ops": [{"op": "increment", "namespace": "space", "key": "replayed"}]}
    return httpx.post(f"{url}/v1/ops", json=body, headers={"Idempotency-Key": key}, timeout=30)


def use(url: str, name: str, rounds: int, failed: list[BaseException]) -> None:
    try:
        with closing(HttpStore(url)) as store:
            for number in range(rounds):
                store.run(Increment("space", "total"))
                store.run(Append("space", "log", (encode([name, number]),)))
                store.run(Set("space", f"{name}/{number}", encode(number)))
                assert store.run(Get("space", f"{name}/{number}")) == number
    except BaseException as error:
        failed.append(error)


def test_p10_two_versions_work_on_one_database_at_once(
    old_python: Path, fresh_schema: Callable[[], str], scale: Callable[[int], int]
) -> None:
    rounds = scale(ROUNDS)
    with ExitStack() as stack:
        database = fresh_schema()
        old = stack.enter_context(serving_old(old_python, database))  # which makes the tables
        _, new = stack.enter_context(serving(database))
        failed: list[BaseException] = []
        threads = [threading.Thread(target=use, args=(url, name, rounds, failed)) for url, name in
                   ((old, "old"), (new, "new"))]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not failed
        stores = [stack.enter_context(closing(HttpStore(url))) for url in (old, new)]
        for store in stores:
            assert store.run(Get("space", "total")) == 2 * rounds
            assert len(store.run(ReadLog("space", "log"))) == 2 * rounds
            assert len(store.run(ListKeys("space", "old/"))) == rounds
        stores[0].run(Fork("space", "fork-of-old"))
        assert stores[1].run(Get("fork-of-old", "total")) == 2 * rounds
        first, again = increment(old, "one"), increment(new, "one")
        assert first.json() == again.json() == {"results": [{"result": 1}]}
        assert again.headers["idempotency-replayed"] == "true"


def rows_of(postgres: Database, schema: str) -> dict[str, list[Any]]:
    return {table: sorted(map(repr, postgres.execute(f"SELECT * FROM {schema}.{table}"))) for table in TABLES}


def make_newer(postgres: Database, schema: str, compatible_from: int) -> None:
    """Do to the tables what a newer version may: columns that older ones do not know."""
    for table in TABLES[1:]:
        postgres.execute(f"ALTER TABLE {schema}.{table} ADD COLUMN added text NOT NULL DEFAULT 'new'")
    postgres.execute(f"UPDATE {schema}.about SET value = 2 WHERE name = 'schema_version'")
    postgres.execute(f"UPDATE {schema}.about SET value = {compatible_from} WHERE name = 'compatible_from'")


def test_p10_a_schema_that_only_has_more_is_worked_with(
    postgres: Database, fresh_schema: Callable[[], str], run: Run
) -> None:
    url = fresh_schema()
    running = open_url(url)
    assert run(running, Set("space", "key", encode(1))) == 1
    make_newer(postgres, schema_of(url), compatible_from=1)
    late = open_url(url)
    for number, store in enumerate((running, late, running, late), 2):
        assert run(store, Set("space", "key", encode(number))) == number
        assert run(store, Get("space", "key")) == number
        run(store, Append("space", "log", (encode(number), encode(number))))
        run(store, Fork("space", f"fork{number}"))
        assert run(store, Get(f"fork{number}", "key")) == number
    assert postgres.execute(f"SELECT value FROM {schema_of(url)}.about WHERE name = 'schema_version'") == [(2,)]
    for store in (running, late):
        store.close()


def test_p10_a_schema_that_is_not_for_this_version_is_left_untouched(
    postgres: Database, fresh_schema: Callable[[], str], run: Run
) -> None:
    url = fresh_schema()
    with closing(open_url(url)) as store:
        store.run(Set("space", "key", encode(1)))
    make_newer(postgres, schema_of(url), compatible_from=2)
    before = rows_of(postgres, schema_of(url))
    late = open_url(url)
    for op in (Get("space", "key"), Set("space", "key", encode(2)), Append("new", "log", (encode(1),))):
        with pytest.raises(SchemaTooNewError, match="version 2"):
            run(late, op)
    assert rows_of(postgres, schema_of(url)) == before
    late.close()
