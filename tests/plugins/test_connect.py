"""From a URL to a store: which one, shared by whom, and without touching anything."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import pytest

from botwire import Memory, UnknownStoreError, connect
from botwire_core.connect import default_url
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore


def test_one_url_is_one_store_in_the_whole_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    assert connect(url) is connect(url)
    assert connect(url, timeout=1) is connect(url, timeout=1)
    assert connect(url, timeout=1) is not connect(url, timeout=2)
    assert Memory("one", url).store is Memory("two", url).store


def test_a_token_makes_no_second_store_where_nobody_asks_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    first = connect(url)
    monkeypatch.setenv("BOTWIRE_TOKEN", "bw_1")
    assert connect(url) is connect(url, token="bw_2") is first


def test_threads_that_come_at_the_same_time_get_the_same_store(tmp_path: Path) -> None:
    for number in range(20):
        url = f"sqlite:///{tmp_path / str(number)}.db"
        with ThreadPoolExecutor(16) as pool:
            stores = list(pool.map(connect, [url] * 64))
        assert len(set(map(id, stores))) == 1


def test_memory_urls_are_one_store_each() -> None:
    assert isinstance(connect("memory:one"), DictStore)
    assert connect("memory:one") is connect("memory:one")
    assert connect("memory:one") is not connect("memory:two")


def test_it_touches_nothing(home: Path, tmp_path: Path) -> None:
    connect()
    connect(f"sqlite:///{tmp_path / 'a' / 'b.db'}")
    Memory("x")
    assert list(tmp_path.iterdir()) == []


def test_a_relative_file_belongs_to_the_folder_that_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        memory = Memory("x", "sqlite:///memory.db")
        memory.set("where", name)
        assert memory.get("where") == name
        assert (tmp_path / name / "memory.db").exists()
    assert Memory("x", f"sqlite:///{tmp_path / 'one' / 'memory.db'}").get("where") == "one"


def test_a_process_that_was_forked_uses_the_same_url(tmp_path: Path) -> None:
    memory = Memory("x", f"sqlite:///{tmp_path / 'memory.db'}")
    memory.set("by", "parent")
    code = f"""
import os, threading
from botwire import Memory
memory = Memory("x", "sqlite:///{tmp_path / "memory.db"}")
assert memory.get("by") == "parent"
child = os.fork()
if child == 0:
    Memory("x", "sqlite:///{tmp_path / "memory.db"}").set("by", "child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert memory.get("by") == "child"
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert memory.get("by") == "child"


# --- the default --------------------------------------------------------------------------------------


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTWIRE_URL", "memory:named-by-the-environment")
    assert connect() is connect("memory:named-by-the-environment")


@pytest.mark.parametrize("name", ["plain", "a b", "50%20off", "what?", "no#1", "naïve~+;&=", "~user"])
def test_the_home_may_have_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTWIRE_HOME", str(tmp_path / name))
    Memory("x").set("k", 1)
    assert (tmp_path / name / "memory.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_relative_home_and_a_tilde_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOTWIRE_HOME", "here")
    assert default_url() == f"sqlite:///{tmp_path}/here/memory.db"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BOTWIRE_HOME", "~/there")
    assert default_url() == f"sqlite:///{tmp_path}/there/memory.db"


@pytest.mark.parametrize("data", [None, "", "relative/data", "/somewhere/data", "/with space/and%"])
@pytest.mark.parametrize("own", ["/home/ada", "/home/ada/", "/", "relative", ""])
def test_the_data_folder_is_the_one_that_platformdirs_knows(
    data: str | None, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOTWIRE_HOME")
    monkeypatch.setenv("HOME", own)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if data is not None:
        monkeypatch.setenv("XDG_DATA_HOME", data)
    store = connect()
    assert isinstance(store, SqliteStore)
    folder = platformdirs.user_data_dir("botwire", appauthor=False)
    assert store.path == os.path.join(folder, "memory.db")  # noqa: PTH118  # the text is compared, slashes and all


# --- what is no URL of a store ----------------------------------------------------------------------


def test_what_has_no_scheme_is_refused_and_not_repeated() -> None:
    with pytest.raises(UnknownStoreError, match="this text has no scheme") as caught:
        connect("bw_secret")
    assert "bw_secret" not in str(caught.value)


def test_a_path_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(UnknownStoreError, match="not by PosixPath"):
        connect(tmp_path)  # type: ignore[arg-type]


def test_an_unknown_scheme_is_refused_without_the_rest_of_the_url() -> None:
    with pytest.raises(UnknownStoreError, match="nothing opens 'redis' URLs") as caught:
        connect("redis://:secret@host/0")
    assert "secret" not in str(caught.value)


def test_a_scheme_is_the_same_in_capitals() -> None:
    assert type(connect("POSTGRESQL://127.0.0.1:1/x")).__name__ == "PostgresStore"
