"""Keys and namespaces: any text is a key and stays what it is, and no name reaches another's entries."""

from __future__ import annotations

from typing import Any, Final

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidKeyError, InvalidNamespaceError
from botwire_core.store import Store
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Run, Space

__all__ = ["HOSTILE_KEYS", "KeyContract"]

HOSTILE_KEYS: Final = [
    *(".", "..", "../../etc/passwd", "/", "//", "a/", "/a", "a//b", "a\\b", "C:\\con", "con", "nul.txt"),
    *("%2F", "%252F", "%00", "?", "#", "+", "&", "=", " ", "  ", "a ", " a", "\t", "\n", "\r\n", "\x01", "\x7f"),
    *("é", "e\u0301", "ﬁ", "fi", "A", "a", "Å", "\u212b", "K", "\u212a", "ß", "ss", "ı", "I", "İ", "i\u0307"),
    *("%", "_", "*", "[", "]", "[a]", "[^a]", "^", "$", "\\", "a%", "a_", "a*", "ab", "aab"),
    *("'", '"', "`", "';", "'; DROP TABLE entries; --", '"no_such_column"', "1; PRAGMA writable_schema=1", "NULL"),
    *("None", "null", "true", "0", "00", "1", "1.0", "-1", "1e3", "NaN", "__proto__", "constructor", "sqlite_master"),
    *("\u200b", "\u200f", "\u202e", "\ufeff", "\ufffd", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"),
    *("😀", "👩‍👩‍👧", "日本語", "مفتاح", "{}", "{0}", "%s", "${x}", "{{x}}", "<script>", "\x1b[31m"),
    *("log/0000000000000000000", "log/1", "x" * 1024, "é" * 512, "😀" * 256),
]
"""Keys that stores, file systems, URLs and query languages have been seen to confuse."""

_NOT_KEYS: Final[list[Any]] = ["", "x" * 1025, "é" * 512 + "x", "\0", "a\0b", "\ud800", "a\udfff", b"k", 1, None, ["k"]]
_NOT_NAMESPACES: Final[list[Any]] = [
    *("", ".", ".hidden", "a/b", "/", "a b", "é", "a\n", "\n", "a\0", "%2F", "a%", "a*", "a\\b", "x" * 244),
    *("\ud800", "'", '"', "a;b", "a,b", "a#b", "a?b", "a=b", "a&b", "a$b", "a(b", "a[b", "a|b", "a<b", "a^b", "a!b"),
    *(None, 1, b"a"),
]
_NAMESPACES: Final = [
    *("a", "A", "aa", "a.b", "a-b", "a_b", "a:b", "a@b", "a~b", "a+b", "a..b", "-", "_", ":", "@", "~", "+", "0"),
    *("con", "__proto__", "user", "user2", "User", "user.x", "sqlite_master", "a@b~c.t1", "x" * 243),
]


class KeyContract(StoreBench):
    """What is a key or a namespace, and what is none."""

    def test_hostile_keys_are_plain_keys_and_all_differ(self, space: Space) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            assert space.set(key, number) == 1, f"{key!r} is taken for another key"
        for number, key in enumerate(HOSTILE_KEYS):
            assert space.get(key) == number
        assert space.keys() == sorted(HOSTILE_KEYS)
        for number, key in enumerate(HOSTILE_KEYS):
            assert space.delete(key)
            assert space.stats().keys == len(HOSTILE_KEYS) - number - 1

    @pytest.mark.parametrize("key", _NOT_KEYS, ids=ascii)
    def test_what_is_no_key_is_refused_by_every_op(self, space: Space, key: Any) -> None:
        name, one = space.name, encode(1)
        for op in (
            p.Get(name, key),
            p.GetEntry(name, key),
            p.TimeLeft(name, key),
            p.GetMany(name, ("fine", key)),
            p.ReadLog(name, key),
            p.Set(name, key, one),
            p.Delete(name, key),
            p.SetMany(name, (("fine", one), (key, one))),
            p.DeleteMany(name, ("fine", key)),
            p.Append(name, key, (one,)),
            p.Increment(name, key),
            p.Expire(name, key, 1.0),
            p.Transact(name, (p.Set(name, "fine", one), p.Set(name, key, one))),
            p.Transact(name, (p.Set(name, "fine", one), p.Check(name, key, 0))),
        ):
            with pytest.raises(InvalidKeyError):
                space.run(op)
        assert space.keys() == []

    @pytest.mark.parametrize("prefix", ["\0", "\ud800", "x" * 1025, b"k", 1, None], ids=ascii)
    def test_what_no_key_starts_with_is_refused_as_a_prefix(self, space: Space, prefix: Any) -> None:
        space.set("k", 1)
        for op in (
            p.ListKeys(space.name, prefix),
            p.ListEntries(space.name, prefix),
            p.Search(space.name, prefix),
            p.Clear(space.name, prefix),
        ):
            with pytest.raises(InvalidKeyError):
                space.run(op)
        assert space.keys() == ["k"]

    @pytest.mark.parametrize("name", _NOT_NAMESPACES, ids=ascii)
    def test_what_is_no_namespace_is_refused_by_every_op(self, space: Space, name: Any) -> None:
        one = encode(1)
        for op in (
            p.Get(name, "k"),
            p.GetEntry(name, "k"),
            p.TimeLeft(name, "k"),
            p.GetMany(name, ("k",)),
            p.ListKeys(name),
            p.ListEntries(name),
            p.ReadLog(name, "log"),
            p.Search(name),
            p.GetStats(name),
            p.Set(name, "k", one),
            p.Delete(name, "k"),
            p.SetMany(name, (("k", one),)),
            p.DeleteMany(name, ("k",)),
            p.Append(name, "log", (one,)),
            p.Increment(name, "k"),
            p.Expire(name, "k", 1.0),
            p.Clear(name),
            p.Drop(name),
            p.Transact(name, (p.Set(name, "k", one),)),
        ):
            with pytest.raises(InvalidNamespaceError):
                space.run(op)

    def test_namespaces_are_apart_and_tell_upper_from_lower_case(self, space: Space) -> None:
        for number, name in enumerate(_NAMESPACES):
            assert space.beside(name).set("k", number) == 1, f"{name!r} is taken for another namespace"
            space.beside(name).append("log", number)
        for number, name in enumerate(_NAMESPACES):
            assert space.beside(name).contents() == {"k": number, "log/0000000000000000000": number}
        space.run(p.Clear("user"))
        space.run(p.Drop("a"))
        for number, name in enumerate(_NAMESPACES):
            assert space.beside(name).get("k") == (p.MISSING if name in {"user", "a"} else number)

    def test_a_slash_in_a_key_is_not_a_border_of_the_namespace(self, space: Space) -> None:
        space.beside("a").set("b/c", 1)
        space.beside("a:b").set("c", 2)
        assert space.beside("a").contents() == {"b/c": 1}
        assert space.beside("a:b").contents() == {"c": 2}

    def test_a_namespace_that_was_never_written_is_empty(self, run: Run) -> None:
        space = Space(run, "never-written")
        assert space.get("k") is p.MISSING
        assert space.run(p.GetEntry(space.name, "k")) is None
        assert space.run(p.GetMany(space.name, ("k", "l"))) == {}
        assert space.keys() == []
        assert space.entries() == []
        assert space.read("log") == []
        assert space.run(p.Search(space.name)) == []
        assert space.delete("k") is False
        assert space.run(p.DeleteMany(space.name, ("k", "l"))) == 0
        assert space.run(p.Clear(space.name)) == 0
        assert space.run(p.Drop(space.name)) is False
        assert space.expire("k", 1.0) is False
        stats = space.stats()
        assert (stats.namespace, stats.keys, stats.bytes) == (space.name, 0, 0)

    def test_the_longest_name_of_a_log_leaves_room_for_its_numbers(self, space: Space, store: Store) -> None:
        longest = "x" * (store.limits.key_bytes - 20)
        assert space.append(longest, 1) == [f"{longest}/0000000000000000000"]
        assert space.read(longest) == [1]
        with pytest.raises(InvalidKeyError):
            space.append(longest + "x", 1)
        with pytest.raises(InvalidKeyError):
            space.read(longest + "x")
