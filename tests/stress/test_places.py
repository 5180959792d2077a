"""Where a store may be, who may read its files, and that nothing but SQLite opens them."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from stress.machine import open_memory

from botwire_core.errors import InvalidValueError, StoreUnavailableError
from botwire_core.stores.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
PACKAGES = ("botwire", "botwire_core", "botwire_langchain", "botwire_langgraph", "botwire_server")

# Where a file is opened otherwise, and why it is never the database of a store that is in use.
MAY_OPEN = {
    "botwire_core/stores/sqlite/lock.py": "the lock beside the database",
    "botwire_core/stores/sqlite/connections.py": "with O_EXCL: there was no database yet",
    "botwire_core/line_files.py": "an export, which is refused where it belongs to a store",
    "botwire_core/stores/sqlite/backup.py": "a copy that is being made, under a name that no store has, and its folder",
    "botwire/cli/bringing.py": "a list of keys, which the user names",
    "botwire/cli/leaktest.py": "a dataset, which the user names",
    "botwire/cli/values.py": "a value, before any store is open",
    "botwire/demo/conversations.py": "a file of the package",
}
OPENERS = {"fdopen", "open", "read_bytes", "read_text", "write_bytes", "write_text"}
# `open` of these is a method of ours.
OURS = {"self", "self._connections", "connections", "stage", "sender or self._new_sender()", "self._sender_of_loop()"}


def opens_files(tree: ast.AST) -> Iterator[int]:
    """The lines that open a file, or copy one."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                owner = ""
            case ast.Call(func=ast.Attribute(value=value, attr=name)):
                owner = ast.unparse(value)
            case _:
                continue
        if owner == "shutil" or (name in OPENERS and owner not in OURS):
            yield node.lineno


def test_d20_no_code_of_ours_opens_a_database_but_through_sqlite() -> None:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "open" in text or "read_" in text or "write_" in text or "shutil" in text:
                found[path.relative_to(ROOT).as_posix()] = list(opens_files(ast.parse(text)))
    assert {name for name, lines in found.items() if lines} == MAY_OPEN.keys()
    connections = (ROOT / "botwire_core/stores/sqlite/connections.py").read_text(encoding="utf-8")
    assert len(found["botwire_core/stores/sqlite/backup.py"]) == 3
    assert len(found["botwire_core/stores/sqlite/connections.py"]) == connections.count("O_EXCL |") == 1


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-lock"])
def test_d20_the_files_of_a_store_are_neither_exported_over_nor_imported_from(tmp_path: Path, end: str) -> None:
    path = tmp_path / "memory.db"
    memory = open_memory(path)
    memory.set("key", 1)
    target = Path(f"{path}{end}")
    before = target.read_bytes() if end == "-lock" else b""
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    for way in (target, link):
        with pytest.raises(InvalidValueError, match="belongs to a store"):
            memory.export(way)
        with pytest.raises(InvalidValueError, match="belongs to a store"):
            memory.import_(way)
    assert (target.read_bytes() if end == "-lock" else b"") == before
    assert memory.set("key", 2) == 2
    assert memory.export(tmp_path / "memory.jsonl") == 1
    memory.close()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_d22_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    with umask(0):
        memory = open_memory(tmp_path / "new" / "deep" / "memory.db")
        memory.set("key", 1)
        modes = {path.name: mode(path) for path in (tmp_path / "new" / "deep").iterdir()}
        memory.close()
    assert modes == dict.fromkeys(["memory.db", "memory.db-wal", "memory.db-shm", "memory.db-lock"], 0o600)
    assert mode(tmp_path / "new" / "deep") == 0o700


def test_d22_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    memory = open_memory(tmp_path / "memory.db")
    memory.set("key", 1)
    memory.close()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "memory.db")
    for leads_to in ("memory.db", "nowhere.db"):
        link.unlink()
        link.symlink_to(tmp_path / leads_to)
        with pytest.raises(StoreUnavailableError, match="symbolic link"):
            open_memory(link).get("key")
    assert not (tmp_path / "nowhere.db").exists()


def test_d22_a_folder_that_everybody_can_write_is_refused_unless_it_is_sticky(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(StoreUnavailableError, match="everybody"):
        open_memory(folder / "memory.db").set("key", 1)
    assert list(folder.iterdir()) == []
    folder.chmod(0o1777)
    memory = open_memory(folder / "memory.db")
    assert memory.set("key", 1) == 1
    memory.close()


def test_d23_the_sqlite_in_use_is_told_and_has_no_wal_reset_bug(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memory.db")
    version = store.health().sqlite_version
    store.close()
    assert version == apsw.sqlite_lib_version()
    assert tuple(map(int, version.split("."))) >= (3, 51, 3)
