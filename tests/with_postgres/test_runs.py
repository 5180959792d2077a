"""One run of tests is one folder: shared by its processes, gone after the last of them, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
from with_postgres.installation import PACKAGE, Installation, until, usable_folder
from with_postgres.servers import Database, Server

TESTS = Path(__file__).parents[1]

# Says what it has, and stays until it may go.
MEMBER = """
import sys
from with_postgres.clusters import Cluster
from with_postgres.keeper import join, shared_server
from with_postgres.servers import Database
installation = join()
server = shared_server(installation)
with Database.on(server) as database:
    own = Cluster(installation, "own").start() if "own" in sys.argv else None
    print(installation.folder, server.url(), database.url, own.url() if own else "-", flush=True)
    sys.stdin.read()
    if own:
        own.remove()
"""


@contextmanager
def member(
    run: str, *arguments: str, user: str | None = None, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process of a run of its own, and what it has: folder, shared server, database, own server."""
    with subprocess.Popen(
        [sys.executable, "-c", MEMBER, *arguments],
        cwd=TESTS,
        env={**os.environ, "PYTEST_XDIST_TESTRUNUID": run, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "it ended early"
        yield process, line.split()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def at_work_in(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cwd", "status"])
        if str(process.info["cwd"] or "").startswith(str(folder)) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def modes(*paths: Path) -> dict[Path, int]:
    return {parent: parent.stat().st_mode for path in paths for parent in (path, *path.parents)}


def test_two_processes_share_a_server_and_leave_nothing_behind() -> None:
    run = uuid4().hex
    with member(run) as (_, first), member(run) as (_, second):
        folder, server = Path(first[0]), first[1]
        assert second[:2] == first[:2]
        assert second[2] != first[2], "each has a database of its own"
        assert at_work_in(folder)
    until(lambda: not folder.exists(), "the folder is gone")
    assert not answers(server)
    assert not at_work_in(folder)


def test_who_comes_after_the_last_one_went_starts_anew() -> None:
    run = uuid4().hex
    for _ in range(2):
        with member(run) as (_, (_, server, *_)):
            assert answers(server)


def test_a_killed_process_leaves_neither_its_own_server_nor_the_shared_one_behind() -> None:
    with member(uuid4().hex, "own") as (process, (folder, *_, own)):
        assert answers(own)
        process.send_signal(signal.SIGKILL)
    until(lambda: not Path(folder).exists(), "the folder is gone")
    assert not answers(own)
    assert not at_work_in(Path(folder))


def test_no_folder_but_its_own_gets_other_permissions() -> None:
    with tempfile.TemporaryDirectory(prefix="botwire-t-", dir="/tmp") as name:
        temporary = Path(name)
        temporary.chmod(0o711)  # nobody can pass, and cannot read: the package itself would change that
        package = Path(psycopg.__file__).parents[1] / PACKAGE
        before = modes(temporary, package / "pginstall" / "bin" / "postgres", TESTS)
        with member(uuid4().hex, TMPDIR=name) as (_, (folder, *_)):
            assert Path(folder).parent == temporary.resolve()
            assert modes(*before) == before
        until(lambda: not Path(folder).exists(), "the folder is gone")
        assert modes(*before) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="skipped: an ordinary user runs the programs where they are")
def test_programs_that_only_root_can_reach_are_copied(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    packages = Path(psycopg.__file__).parents[1]
    for found in packages.glob(f"{PACKAGE}*"):
        (closed / found.name).symlink_to(found)
    with member(uuid4().hex, PYTHONPATH=str(closed)) as (_, (folder, server, *_)):
        assert answers(server)
        assert (Path(folder) / "programs" / PACKAGE).is_dir()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_would_not_do_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(long))
    assert usable_folder() in (Path("/tmp"), Path("/var/tmp"))
    assert os.listdir(long) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="skipped: these tests run as an ordinary user anyhow")
def test_an_ordinary_user_can_start_servers_too() -> None:
    needed = (TESTS, Path(psycopg.__file__), Path(sys.executable).resolve())
    if not all(mode & 0o001 for path in needed for mode in modes(*path.parents).values()):
        pytest.skip("skipped: an ordinary user cannot reach this checkout, or this Python")
    with member(uuid4().hex, "own", user="nobody") as (_, (folder, *_, own)):
        assert answers(own)
    until(lambda: not Path(folder).exists(), "the folder is gone")


def test_a_users_own_server_gets_a_database_and_keeps_nothing(postgres_installation: Installation) -> None:
    from with_postgres.keeper import shared_server

    _, administrator = shared_server(postgres_installation).addresses
    count = "SELECT count(*) FROM pg_database WHERE datname = %s"
    server = Server(administrator)
    with Database.on(server) as database:
        assert server.execute(count, [database.name]) == [(1,)]
        assert answers(database.url)
    assert server.execute(count, [database.name]) == [(0,)]


def test_where_no_database_may_be_made_the_schemas_are_dropped(postgres_installation: Installation) -> None:
    from with_postgres.keeper import shared_server

    server = Server(shared_server(postgres_installation).url())
    with Database.on(server) as database:
        schema = database.fresh_schema().rpartition("=")[2]
        assert database.name is None
        database.execute(f"CREATE SCHEMA {schema}")
    assert server.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]) == []


def test_the_server_that_a_user_names_is_the_one_that_is_used(
    postgres_installation: Installation, tmp_path: Path
) -> None:
    from with_postgres.keeper import shared_server

    address = shared_server(postgres_installation).url(application_name="theirs")
    (tmp_path / "test_it.py").write_text(
        "from with_postgres.fixtures import *\n"
        "def test_it(fresh_schema):\n"
        f"    assert fresh_schema().startswith({address + '&schema=t_'!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS),
            "BOTWIRE_TEST_POSTGRES": address,
            "PYTEST_ADDOPTS": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_two_stores_never_get_the_same_schema(fresh_schema: Callable[..., str], postgres: Database) -> None:
    assert fresh_schema() != fresh_schema(pool=3)
    assert fresh_schema(pool=3).startswith(f"{postgres.url}?schema=t_")
