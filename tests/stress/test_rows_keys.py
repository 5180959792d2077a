"""Under which names values may be stored: every name is itself and nothing else."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from stress.machine import open_memory

from botwire_core.errors import InvalidKeyError, InvalidNamespaceError
from botwire_core.memory import Memory

LOOKALIKES = [unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "a\u200b", "\ufeffa", "a ", " a"]
LOOKALIKES += ["ﬁ", "fi", "A", "a", "\u212a", "K", "k", "ß", "ss", "ẞ", "İ", "i", "ı", "\xc5", "\u212b", "1", "１", "ª"]
SPECIAL = ["/", "//", "a/", "a//b", "/a", "%2F", "%252F", "a%2Fb", "a/b", "?", "#", "+", "&=", "\\", "$x", "*", "[a]"]
SPECIAL += ['"', "'", "`", "%", "_", "{}", ":", ";", "~", "|"]
SPECIAL += [" ", "  ", "\n", "\r\n", "\t", "😀", "\U0001f468\u200d\U0001f469", "\u202e", "\x7f", "\x01"]
PATHS = [".", "..", "./a", "../../etc/passwd", "..\\boot.ini", "/etc/passwd", "file:///etc/passwd", "C:\\con", "~/x"]
INJECTIONS = [
    "'; DROP TABLE versions; --",
    '"no_such_column"',
    "no_such_column",
    "' OR '1'='1",
    "1; SELECT * FROM spaces",
    "x' UNION SELECT name FROM spaces --",
    "?1",
    ":key",
    "@key",
    "NULL",
    "x'00'",
    "a%' ESCAPE '!",
    "*/ /*",
    "versions.key",
    "\\'; --",
]


def check_all_apart(memory: Memory, keys: list[str]) -> None:
    """Each key holds its own value by every way of reading, and deleting one leaves all others."""
    assert memory.set_many({key: f"value of {key!r}" for key in keys}) == dict.fromkeys(keys, 1)
    assert memory.list_keys() == sorted(keys, key=str.encode)
    assert memory.get_many(keys) == {key: f"value of {key!r}" for key in keys}
    for key in keys:
        assert memory.get(key) == f"value of {key!r}"
        assert [entry.value for entry in memory.history(key)] == [f"value of {key!r}"]
        assert key in memory.list_keys(key)
        assert all(found.startswith(key) for found in memory.list_keys(key))
    for i, key in enumerate(keys):
        assert memory.delete(key)
        assert key not in memory
        assert len(memory.list_keys()) == len(keys) - i - 1


def test_k1_names_that_look_alike_are_different_keys(memory: Memory) -> None:
    check_all_apart(memory, LOOKALIKES)


def test_k2_separators_blanks_and_symbols_are_plain_keys(memory: Memory) -> None:
    check_all_apart(memory, SPECIAL)


def test_k3_paths_are_plain_keys_and_touch_no_file(tmp_path: Path) -> None:
    memory = open_memory(tmp_path / "data" / "memory.db")
    check_all_apart(memory, PATHS)
    memory.close()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["memory.db", "memory.db-lock"]


@pytest.mark.parametrize("key", ["\0", "a\0b", "a\0", "\ud800", "a\udfffb"])
def test_k4_nul_and_half_a_surrogate_pair_are_refused_everywhere(memory: Memory, key: str) -> None:
    memory.set("there", 1)
    refused: list[Any] = [
        lambda: memory.set(key, 1),
        lambda: memory.get(key),
        lambda: memory.delete(key),
        lambda: key in memory,
        lambda: memory.entry(key),
        lambda: memory.get_many(["there", key]),
        lambda: memory.set_many({"other": 1, key: 1}),
        lambda: memory.delete_many(["there", key]),
        lambda: memory.append(key, 1),
        lambda: memory.read(key),
        lambda: memory.increment(key),
        lambda: memory.expire(key, 1),
        lambda: memory.history(key),
        lambda: memory.list_keys(key),
        lambda: memory.list_keys(after=key),
        lambda: list(memory.entries(key)),
        lambda: memory.clear(key),
        lambda: memory.search(key),
        lambda: memory.purge(key),
    ]
    for use in refused:
        with pytest.raises(InvalidKeyError):
            use()
    assert memory.list_keys() == ["there"]


def test_k5_a_key_has_1_to_1024_bytes_of_utf8(memory: Memory) -> None:
    for character in ("x", "é", "😀"):
        longest = character * (1024 // len(character.encode()))
        assert memory.set(longest, character) == 1
        assert memory.get(longest) == character
        assert memory.list_keys(longest) == [longest]
        for use in (memory.get, memory.delete, lambda key: memory.set(key, 1), memory.list_keys):
            with pytest.raises(InvalidKeyError, match="too long"):
                use(longest + "x")
    for use in (memory.get, memory.delete, lambda key: memory.set(key, 1), memory.append):
        with pytest.raises(InvalidKeyError):
            use("")
    assert len(memory.append("x" * 1004, 1)) == 1
    with pytest.raises(InvalidKeyError):
        memory.append("x" * 1005, 1)


@pytest.mark.parametrize("key", [None, 1, 1.5, b"key", ["key"], ("key",), object()])
def test_k5_a_key_that_is_no_text_is_refused(memory: Memory, key: Any) -> None:
    uses: list[Any] = [memory.get, memory.delete, lambda key: memory.set(key, 1), lambda key: key in memory]
    for use in uses:
        with pytest.raises(InvalidKeyError, match="a key is a string"):
            use(key)


GOOD_NAMES = ["a", "A", "con", "NUL", "__proto__", "constructor", "a.b", "a..b", "-", "~", "a@b:c+d~e_f-g", "0"]
GOOD_NAMES += ["x" * 243]
BAD_NAMES = ["", ".", "..", ".a", "a/b", "a\\b", "a b", "é", "a%2Fb", "a*", "a,b", "a\n", "\na", "a\0", "ａ", "😀"]
BAD_NAMES += ["x" * 244]


def test_k6_namespaces_are_apart_and_their_case_counts(tmp_path: Path) -> None:
    store = open_memory(tmp_path / "memory.db").store
    for name in GOOD_NAMES:
        Memory(name, store=store).set("key", name)
    for name in GOOD_NAMES:
        assert Memory(name, store=store).get("key") == name
        assert Memory(name, store=store).list_keys() == ["key"]
    assert Memory("CON", store=store).get("key") is None
    store.close()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_k6_k12_other_names_of_namespaces_are_refused_by_every_way_in(memory: Memory, name: str) -> None:
    with pytest.raises(InvalidNamespaceError):
        Memory(name)
    for use in (memory.fork, memory.diff, memory.merge):
        with pytest.raises(InvalidNamespaceError):
            use(name)


@pytest.mark.parametrize("text", INJECTIONS)
def test_k11_sql_in_names_values_and_filters_is_plain_data(memory: Memory, text: str) -> None:
    check_all_apart(memory, [text, "key"])
    memory.set("key", {text: text, "other": 1})
    memory.set(text, {"name": "x"})
    assert [entry.key for entry in memory.search(where={text: text})] == ["key"]
    assert memory.search(where={text: {"$ne": text}}, prefix="key") == []
    assert [entry.key for entry in memory.search(text, limit=5)] == [text]
    memory.snapshot(text)
    assert memory.at(text).get("key") == {text: text, "other": 1}
    assert memory.append(f"{text}/log", text) == [f"{text}/log/{0:019}"]
    assert memory.read(f"{text}/log") == [text]
    assert Memory("other", author=text, store=memory.store).set(text, 1) == 1
    entry = Memory("other", store=memory.store).entry(text)
    assert entry is not None
    assert entry.author == text
    assert memory.purge(text).versions > 0
    assert memory.list_keys() == ["key"]


def test_k12_a_slash_in_a_key_is_no_border_of_a_namespace(memory: Memory) -> None:
    memory.set("b/c", "in the key")
    other = Memory(f"{memory.namespace}-b", store=memory.store)
    other.set("c", "in another namespace")
    assert memory.list_keys() == ["b/c"]
    assert other.list_keys() == ["c"]
    for name in (f"{memory.namespace}/b", f"{memory.namespace}\0b"):
        with pytest.raises(InvalidNamespaceError):
            Memory(name, store=memory.store)
