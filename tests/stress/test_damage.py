"""Files that are damaged, foreign, hostile or newer are refused, and not a byte of them is changed."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest
from stress.machine import open_memory, run_child

from botwire_core.errors import BotWireError, SchemaTooNewError, StoreCorruptError
from botwire_core.stores.sqlite.schema import SCHEMA_VERSION


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a closed database file."""
    path = tmp_path_factory.mktemp("original") / "memory.db"
    memory = open_memory(path)
    for number in range(50):
        memory.set(f"key {number}", "x" * 500)
    memory.fork("fork")
    memory.snapshot("label")
    memory.close()
    return path.read_bytes()


def damaged_files(whole: bytes) -> dict[str, bytes]:
    return {
        "cut in the middle": whole[: len(whole) // 2],
        "one page": whole[:4096],
        "half a header": whole[:50],
        "zeros": bytes(8192),
        "garbage": Random(13).randbytes(20_000),
        "garbage after the header": whole[:100] + Random(14).randbytes(20_000),
        "text": b"Dear diary,\n" * 500,
        "a short text": b"notes\n",
    }


@pytest.mark.parametrize("name", damaged_files(b""))
def test_d13_a_file_that_is_no_database_is_refused_and_left_untouched(
    original: bytes, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "memory.db"
    content = damaged_files(original)[name]
    path.write_bytes(content)
    memory = open_memory(path)
    for use in (
        lambda: memory.get("key 0"),
        lambda: memory.set("key 0", 1),
        memory.list_keys,
        memory.store.health,
    ):
        with pytest.raises(StoreCorruptError):
            use()
    memory.close()
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["memory.db"]


def test_d13_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.touch()
    memory = open_memory(path)
    assert memory.list_keys() == []
    assert memory.set("key", 1) == 1
    memory.close()
    assert open_memory(path).get("key") == 1


def run_sql(path: Path, *statements: str) -> bytes:
    """Change a closed file by hand; gives its bytes."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for end in ("-wal", "-shm", "-lock"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    return path.read_bytes()


def check_refused(path: Path, content: bytes, error: type[BotWireError]) -> None:
    memory = open_memory(path)
    for use in (lambda: memory.get("key 0"), lambda: memory.set("key 0", 1)):
        with pytest.raises(error):
            use()
    memory.close()
    assert path.read_bytes() == content
    assert sorted(file.name for file in path.parent.iterdir()) == ["memory.db"]


@pytest.mark.parametrize("application_id", [0, 1196444487])
def test_d14_a_file_of_another_program_is_refused_and_left_untouched(tmp_path: Path, application_id: int) -> None:
    path = tmp_path / "memory.db"
    content = run_sql(path, f"PRAGMA application_id = {application_id}", "CREATE TABLE layers (id INTEGER)")
    check_refused(path, content, StoreCorruptError)


def test_d14_an_empty_file_that_another_program_has_claimed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    check_refused(path, run_sql(path, "PRAGMA application_id = 7", "PRAGMA page_size = 8192"), StoreCorruptError)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER spy AFTER INSERT ON versions BEGIN DELETE FROM versions WHERE id < new.id; END",
        "CREATE VIEW spy AS SELECT * FROM versions",
        "CREATE TABLE more (id INTEGER)",
        "CREATE INDEX more ON versions (value)",
        "ALTER TABLE spaces ADD COLUMN more TEXT",
        "DROP INDEX versions_by_end",
        "DROP TABLE merges",
    ],
)
def test_d15_a_schema_that_was_tampered_with_is_refused(original: bytes, tmp_path: Path, statement: str) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(original)
    check_refused(path, run_sql(path, statement), StoreCorruptError)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 999])
def test_d16_a_newer_schema_is_refused_and_left_untouched(original: bytes, tmp_path: Path, version: int) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(original)
    check_refused(path, run_sql(path, f"PRAGMA user_version = {version}", "CREATE TABLE future (a)"), SchemaTooNewError)


LEAVE_A_LOG = """
import os
memory = open_memory(sys.argv[1])
for number in range(20):
    memory.set_many({f"key {key}": [sys.argv[2], number, "x" * 300] for key in range(20)})
    if number == 5:
        memory.store._connections.current().execute("PRAGMA wal_checkpoint(TRUNCATE)")
report(memory.get("key 0")[1])
os._exit(0)  # as a kill would leave it: with the write-ahead log beside the file
"""


def test_d18_a_lost_log_gives_an_earlier_moment_whole_and_no_mixture(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    assert run_child(LEAVE_A_LOG, path, "one") == [19]
    Path(f"{path}-wal").unlink()
    memory = open_memory(path)
    assert {tuple(entry.value[:2]) for entry in memory.entries()} == {("one", 5)}
    assert len(memory.list_keys()) == 20
    assert memory.store.health().integrity == "ok"
    assert memory.set("key 0", "goes on") == 7
    memory.close()


def test_d18_a_log_of_another_file_gives_no_mixture_unnoticed(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "memory.db", tmp_path / "other" / "memory.db"
    for path in (one, other):
        run_child(LEAVE_A_LOG, path, path.parent.name)
    shutil.copy(f"{one}-wal", f"{other}-wal")
    Path(f"{other}-shm").unlink()
    memory = open_memory(other)
    try:
        moments = {tuple(entry.value[:2]) for entry in memory.entries()}
        if memory.store.health().integrity == "ok":
            assert len(moments) == 1
    except StoreCorruptError:
        moments = set()
    assert moments <= {(name, number) for name in ("one", "other") for number in range(20)}
    memory.close()
