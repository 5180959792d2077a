"""`botwire backup`: a copy of the whole store that came back whole once before it counts."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result

from botwire_core.errors import InvalidValueError, StoreCorruptError, StoreUnavailableError
from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.stores.sqlite.backup import back_up

Botwire = Callable[..., Result]


def test_a_backup_is_a_store_with_everything_in_it(botwire: Botwire, tmp_path: Path) -> None:
    botwire("set", "a", "k", "1")
    botwire("set", "a", "k", "2")
    botwire("fork", "a", "b")
    token = botwire("token", "create", "--json").json
    made = botwire("backup", "copy.db", "--json")
    assert made.code == 0, made.err
    file = tmp_path / "copy.db"
    assert made.json["file"] == str(file)
    assert made.json["bytes"] == file.stat().st_size
    assert made.json["namespaces"] >= 2
    assert made.json["versions"] >= 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == []
    url = f"sqlite:///{file}"
    assert botwire("get", "b", "k", "--url", url).out.strip() == "2"
    assert len(botwire("history", "a", "k", "--url", url, "--json").json["versions"]) == 2
    assert botwire("token", "list", "--url", url, "--json").json["tokens"][0]["id"] == token["id"]


def test_a_backup_never_takes_the_place_of_a_file(botwire: Botwire, tmp_path: Path) -> None:
    botwire("set", "a", "k", "1")
    (tmp_path / "copy.db").write_text("something else")
    (tmp_path / "link.db").symlink_to("nowhere")
    for name in ("copy.db", "link.db", "."):
        result = botwire("backup", name)
        assert result.code == 2
        assert "is there already" in result.err
    assert (tmp_path / "copy.db").read_text() == "something else"


def test_a_backup_of_a_store_that_is_not_there_makes_neither(botwire: Botwire, tmp_path: Path, home: Path) -> None:
    result = botwire("backup", "copy.db")
    assert result.code == 3
    assert not (tmp_path / "copy.db").exists()
    assert not (home / "memory.db").exists()


def test_only_a_file_can_be_copied(botwire: Botwire) -> None:
    result = botwire("backup", "copy.db", "--url", "memory:")
    assert result.code == 3
    assert "export --full" in result.err


def test_a_folder_that_is_not_there_is_named(botwire: Botwire) -> None:
    botwire("set", "a", "k", "1")
    result = botwire("backup", "nowhere/copy.db")
    assert result.code == 3
    assert "cannot be written" in result.err


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "memory.db", durability="normal")


def test_d19_a_backup_under_load_is_of_one_moment(
    store: SqliteStore, tmp_path: Path, scale: Callable[[int], int]
) -> None:
    memory = Memory("a", store=store)
    keys = [f"pair/{number}" for number in range(20)]
    memory.set_many(dict.fromkeys(keys, 0))
    begun, ended = threading.Event(), threading.Event()

    def write() -> None:
        turn = 0
        while not ended.is_set():
            turn += 1
            memory.set_many(dict.fromkeys(keys, turn))
            memory.append("log", turn)
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    shown = []
    try:
        for number in range(scale(50)):
            back_up(store, tmp_path / f"{number}.db")
    finally:
        ended.set()
        writer.join()
    for number in range(scale(50)):
        with Memory("a", f"sqlite:///{tmp_path}/{number}.db") as copy:
            (turn,) = set(copy.get_many(keys).values())
            told = len(copy.read("log"))
            assert told in (turn, turn - 1)
            shown.append(turn)
    assert len(set(shown)) > 1, "nobody wrote meanwhile"
    assert shown == sorted(shown)
    store.close()


def test_a_damaged_store_gives_no_backup(store: SqliteStore, tmp_path: Path) -> None:
    memory = Memory("a", store=store)
    memory.set("k", "x" * 100_000)
    store.close()
    path = Path(store.path)
    data = bytearray(path.read_bytes())
    place = data.index(b"x" * 1000)
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreCorruptError, match="the copy is damaged"):
        back_up(store, tmp_path / "copy.db")
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("memory")) == []
    store.close()


def test_a_foreign_file_gives_no_backup(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    with pytest.raises(StoreCorruptError, match="another program"):
        back_up(SqliteStore(tmp_path / "foreign.db"), tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_the_errors_say_which_file(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"there is no store at .*memory\.db"):
        back_up(store, tmp_path / "copy.db")
    Memory("a", store=store).set("k", 1)
    with pytest.raises(InvalidValueError, match=r"memory\.db is there already"):
        back_up(store, store.path)
    store.close()
